// What the gateway counts, by backend, and its /metrics page. I/O thread only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "exporters/prometheus.hpp"
#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/event_stream.hpp"
#include "refserver/gateway/outcome.hpp"
#include "refserver/http/statsd_meter.hpp"

namespace refserver {

class GatewayMetrics {
 public:
  explicit GatewayMetrics(std::span<const Backend> backends);
  /// Further tells `statsd`, whose models are the backends, of every request; it outlives this.
  void tell(StatsdMeter& statsd) { statsd_ = &statsd; }

  /// `backend` is an index. Times in seconds since the request was read; `first_byte` below 0 where there was none.
  void on_end(std::size_t backend, Outcome outcome, double total, double first_byte, const TokenTally& tokens);
  /// A request that reached no backend: what was wrong with it.
  void on_refused();
  void on_internal_error() { internal_errors_->increment(); }
  void set_connections(std::size_t connections) { connections_->set(static_cast<double>(connections)); }

  /// The page; `backends` are those of the constructor, as they stand now.
  std::string render(std::span<const Backend> backends) const;

 private:
  struct PerBackend {
    std::vector<exporters::LiveCounter*> outcomes;  ///< in the order of all_outcomes
    exporters::LiveCounter* input_tokens = nullptr;
    exporters::LiveCounter* output_tokens = nullptr;
    exporters::HistogramBuckets* duration = nullptr;
    exporters::HistogramBuckets* first_byte = nullptr;
    exporters::LiveGauge* is_up = nullptr;
    exporters::LiveGauge* in_flight = nullptr;
  };

  exporters::PrometheusRegistry registry_;
  std::vector<PerBackend> backends_;
  exporters::LiveCounter* refused_ = nullptr;
  exporters::LiveCounter* internal_errors_ = nullptr;
  exporters::LiveGauge* connections_ = nullptr;
  StatsdMeter* statsd_ = nullptr;
};

}  // namespace refserver
