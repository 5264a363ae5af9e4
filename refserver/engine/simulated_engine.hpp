// An engine that answers from a script: exactly the tokens asked for, at times fixed by arrival alone, whatever else
// runs. It is what the load generator's numbers are checked against, so its deadlines are absolute and never drift.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "refserver/schedule/engine.hpp"

namespace refserver {

/// Token i (from 1) of a request received at r is due at r + ttft + (i - 1) * gap.
struct SimTiming {
  std::chrono::nanoseconds ttft{std::chrono::milliseconds(100)};
  std::chrono::nanoseconds gap{std::chrono::milliseconds(20)};
};

/// One interruption, counted from the first request ever received: no token leaves in [after, after + length); those
/// due inside it become due at its end. Later tokens keep their times.
struct SimStall {
  std::chrono::nanoseconds after{0};
  std::chrono::nanoseconds length{0};
};

/// Tokens are " t1", " t2", ...: the number is the token's index, and its id. None is special; a request ends by its
/// length or by a stop sequence. Alternatives, where asked for, are the token itself and then " a2", " a3", ...
class SimulatedEngine final : public Engine {
 public:
  /// One timing per configured model, at least one.
  SimulatedEngine(std::vector<SimTiming> timings, std::optional<SimStall> stall);

  void add(Pending pending) override;
  void cancel(RequestId id) override;
  std::optional<TimePoint> step(TimePoint now, std::vector<TokenEvent>& out) override;
  std::size_t active() const override { return sequences_.size(); }

 private:
  struct Sequence {
    TimePoint first_due;
    std::chrono::nanoseconds gap{0};
    std::uint32_t produced = 0;
    std::uint32_t max_new_tokens = 0;
    std::uint32_t top_n_tokens = 0;
    std::vector<std::string> stop;
    std::size_t longest_stop = 0;
    std::string tail;  ///< the end of the answer so far, as long as the longest stop sequence needs
  };
  struct Deadline {
    TimePoint due;
    std::uint64_t order = 0;  ///< of scheduling: equal times leave first come, first served
    RequestId request = 0;
    bool operator>(const Deadline& other) const { return due != other.due ? due > other.due : order > other.order; }
  };

  void schedule_next(RequestId id, const Sequence& sequence);
  TimePoint after_stall(TimePoint due) const;
  static TokenEvent make_token(RequestId id, TimePoint due, Sequence& sequence);

  std::vector<SimTiming> timings_;
  std::optional<SimStall> stall_;
  std::optional<TimePoint> first_received_;
  std::unordered_map<RequestId, Sequence> sequences_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::uint64_t scheduled_ = 0;
};

}  // namespace refserver
