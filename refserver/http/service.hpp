// What connections and generations share: the two queues, permits, limits, counters. Owned by the Server; I/O thread
// only.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/http/options.hpp"
#include "refserver/http/server_metrics.hpp"
#include "refserver/http/truth_log.hpp"
#include "refserver/queue/admission.hpp"
#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"

namespace refserver {

class Connection;
class Generation;
class Turnstile;

struct Service {
  const HttpOptions& options;
  std::span<const ModelInfo> models;
  const Validator& validator;
  WorkQueue& work;
  TruthLog* truth_log;  ///< may be null
  ServerMetrics& metrics;
  Turnstile& turns;
  Admission admission{options.max_concurrent_requests};
  std::unordered_map<RequestId, Generation*> generations{};  ///< those waiting for tokens
  std::unordered_set<Connection*> connections{};
  RequestId last_id = 0;
  bool is_draining = false;  ///< finish what runs, take nothing new
};

}  // namespace refserver
