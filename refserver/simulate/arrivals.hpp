// When simulated requests arrive. Absolute times: no gap depends on how long anything took, but in a closed loop, where
// that is the point.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/engine/distribution.hpp"

namespace refserver {

enum class ArrivalProcess : std::uint8_t { constant, poisson, gamma, closed };

struct ArrivalSettings {
  ArrivalProcess process = ArrivalProcess::poisson;
  double rate_per_s = 1;      ///< all but closed
  double gamma_shape = 1;     ///< gamma: below 1 burstier than Poisson
  std::uint32_t clients = 1;  ///< closed: each waits for its answer before it asks again
  Distribution think{};       ///< closed: from an answer to the same client's next request
  std::uint64_t seed = 0;
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  /// When the next request arrives; nothing while all clients wait.
  virtual std::optional<TimePoint> next() const = 0;
  virtual void pop() = 0;
  virtual void on_finished(TimePoint /*at*/) {}
};

std::unique_ptr<Arrivals> make_arrivals(const ArrivalSettings& settings, TimePoint start);
/// At these times after `start`, in order; then never.
std::unique_ptr<Arrivals> make_arrivals(std::vector<std::chrono::nanoseconds> times, TimePoint start);

}  // namespace refserver
