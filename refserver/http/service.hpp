// What connections and answers share: the two queues, permits, limits, counters. Owned by the Server; I/O thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "refserver/api/fault_plan.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/http/options.hpp"
#include "refserver/http/server_metrics.hpp"
#include "refserver/http/statsd_meter.hpp"
#include "refserver/http/truth_log.hpp"
#include "refserver/queue/admission.hpp"
#include "refserver/queue/engine_board.hpp"
#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"

namespace refserver {

class Answer;
class Reception;
class Turnstile;
class ValidationPool;

/// Who gets the tokens of a request.
struct Receiver {
  Answer* answer = nullptr;
  std::uint32_t sequence = 0;
};

/// One listening port as its clients see it: the main one serves every model, a model's own port is a TGI of its own.
struct Face {
  std::optional<std::size_t> only_model;
  ServerMetrics& all;            ///< counts everything, whatever port it came by
  ServerMetrics* own = nullptr;  ///< of a model's own port

  /// The page of this port.
  const ServerMetrics& shown() const { return own != nullptr ? *own : all; }
  template <class Count>
  void count(Count count_in) {
    count_in(all);
    if (own != nullptr) count_in(*own);
  }
};

struct Service {
  const HttpOptions& options;
  std::span<const ModelInfo> models;
  const Validator& validator;
  WorkQueue& work;
  const EngineBoard* board;  ///< may be null
  TruthLog* truth_log;       ///< may be null
  FaultPicker* faults;       ///< may be null
  StatsdMeter* statsd;       ///< may be null
  ServerMetrics& metrics;
  Reception& reception;
  Turnstile& turns;
  ValidationPool& pool;
  Admission admission{options.max_concurrent_requests};
  std::unordered_map<RequestId, Receiver> receivers{};  ///< those waiting for tokens
  RequestId last_id = 0;
  TimePoint started = Clock::now();
};

}  // namespace refserver
