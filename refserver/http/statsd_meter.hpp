// What StatsD is told of requests, by model, once a second: requests.total, request.latency, tokens.input,
// tokens.output, errors.timeout, errors.model_error. Used by the server and by the gateway.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exporters/host_port.hpp"
#include "exporters/metrics/distribution.hpp"
#include "exporters/sink.hpp"
#include "exporters/statsd.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// What a request's end means to whoever watches models.
enum class RequestEnd : std::uint8_t {
  ok,
  timeout,      ///< it waited for the model for too long
  model_error,  ///< the model, or the server it runs in, failed it
  other,        ///< refused, or the client left: no fault of the model
};

struct StatsdOptions {
  std::optional<exporters::HostPort> where;  ///< empty: nothing is sent
  exporters::StatsdFormat format = exporters::StatsdFormat::plain;
  std::string prefix{};  ///< in front of every name; may be empty
};

/// Each sets its part of the options from a flag's text; the error says what would be right.
Result<void, std::string> set_statsd_address(StatsdOptions& options, std::string_view text);
Result<void, std::string> set_statsd_format(StatsdOptions& options, std::string_view text);
Result<void, std::string> set_statsd_prefix(StatsdOptions& options, std::string_view text);

class StatsdMeter {
 public:
  /// `options.where` must be set (asserted). Throws std::runtime_error if its name cannot be resolved.
  StatsdMeter(const StatsdOptions& options, const std::vector<std::string>& models);
  /// Sends what is left.
  ~StatsdMeter();
  StatsdMeter(const StatsdMeter&) = delete;
  StatsdMeter& operator=(const StatsdMeter&) = delete;

  struct Ended {
    RequestEnd end = RequestEnd::other;
    double seconds = 0;  ///< from the request being read to its end; told of successes
    std::uint64_t input_tokens = 0, output_tokens = 0;
  };
  /// A request has ended. `model` is an index into the models; one past the last is the model "unknown". Any thread;
  /// never waits for the network.
  void on_end(std::size_t model, const Ended& ended) noexcept;

 private:
  struct Tally {
    std::uint64_t requests = 0, timeouts = 0, model_errors = 0, input_tokens = 0, output_tokens = 0;
    exporters::Distribution latency;
  };
  void run();
  void flush();

  std::vector<exporters::StatsdScope> scopes_;  ///< by model
  std::unique_ptr<exporters::Sink> sink_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Tally> tallies_;  ///< by model: since the last flush
  std::vector<Tally> spare_;    ///< the thread's own: what is being flushed, else empty
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace refserver
