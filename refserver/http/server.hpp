// The HTTP side as a whole: listens, serves, drains. Runs on the thread that calls run(); meets the engine only at the
// two queues.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "refserver/api/calibration.hpp"
#include "refserver/api/engine_meter.hpp"
#include "refserver/api/fault_plan.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/http/options.hpp"
#include "refserver/http/statsd_meter.hpp"
#include "refserver/http/truth_log.hpp"
#include "refserver/queue/engine_board.hpp"
#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"

namespace refserver {

/// What the server is given; all of it outlives the server.
struct ServerParts {
  std::span<const ModelInfo> models;  ///< at least one
  RequestLimits limits;
  WorkQueue& work;
  TokenQueue& tokens;
  const EngineBoard* board = nullptr;        ///< optional: where the engine says how it stands
  TruthLog* truth_log = nullptr;             ///< optional
  std::optional<Calibration> calibration{};  ///< to be shown on /metrics
  std::optional<FaultPlan> faults{};         ///< what to do wrong on purpose
  StatsdMeter* statsd = nullptr;             ///< optional: is told of every request; by the models' index
};

class Server {
 public:
  /// Binds and listens. Throws boost::system::system_error if the address cannot be bound. Make the server before the
  /// engine starts: it tells `tokens` how to wake it.
  Server(HttpOptions options, ServerParts parts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  /// The ports of `HttpOptions::model_ports`, in their order.
  std::vector<std::uint16_t> model_ports() const;

  /// What an engine tells its steps to, those of every model. Lives as long as the server.
  EngineMeter& meter();
  /// One per model, for its steps alone; null where the model has no port of its own.
  std::vector<EngineMeter*> model_meters();

  /// SIGTERM and SIGINT stop the server; a second signal cuts at once.
  void stop_on_signals();

  /// Serves until stopped and every connection has ended.
  void run();

  /// From any thread: stops accepting, lets requests under way finish until the graceful timeout, then cuts them.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace refserver
