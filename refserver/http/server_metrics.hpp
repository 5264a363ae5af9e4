// What the server counts, under TGI's names where they are true of it and under our own where TGI has none.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "exporters/prometheus.hpp"
#include "refserver/api/calibration.hpp"
#include "refserver/api/engine_meter.hpp"
#include "refserver/api/generate_request.hpp"
#include "refserver/error.hpp"

namespace refserver {

/// Seconds since `from`, as every duration metric has it.
inline double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// The stages of a finished request, in seconds.
struct SuccessTimes {
  double total = 0;
  double validation = 0;
  double queue = 0;
  double inference = 0;
};

class ServerMetrics final : public EngineMeter {
 public:
  /// The largest limits of the served models set the buckets of the token histograms, as in TGI.
  ServerMetrics(std::uint32_t max_input_tokens, std::uint32_t max_total_tokens);

  /// A generation route was entered; TGI counts some requests more than once.
  void on_request() { requests_.increment(); }
  void on_valid(std::uint32_t prompt_tokens, std::uint32_t max_new_tokens);
  void on_refused(ErrorType type);
  /// A body that never became a request: TGI does not count these, we do.
  void on_unread(ErrorType type);
  void on_dropped() { dropped_.increment(); }
  void on_success(const SuccessTimes& times, std::uint32_t tokens);
  void on_token(double late_seconds) {
    token_delay_.observe(late_seconds);
    tokens_.increment();
  }
  void on_first_token(double seconds) { first_token_.observe(seconds); }
  void set_calibration(const Calibration& calibration);
  void on_internal_error() { internal_errors_.increment(); }
  void set_connections(std::size_t connections) { connections_.set(static_cast<double>(connections)); }

  void set_waiting(std::size_t requests) noexcept override;
  void set_batch(std::size_t requests, std::uint64_t reserved_tokens) noexcept override;
  void on_batch_formed(std::size_t requests) noexcept override;
  void on_concat(Concat reason, std::chrono::nanoseconds took) noexcept override;
  void on_step(Method method, const StepTimes& times) noexcept override;
  void on_step_failed(Method method) noexcept override;

  /// The /metrics page, with `more` families at its end. In the strict dialect as TGI writes it: only its own families,
  /// and those only once they have a sample.
  std::string render(Dialect dialect, std::vector<exporters::MetricFamily> more = {}) const;

 private:
  /// What TGI counts per prefill and per decode step.
  struct MethodMetrics {
    MethodMetrics(exporters::PrometheusRegistry& registry, std::string_view method);
    exporters::LiveCounter& count;
    exporters::LiveCounter& success;
    exporters::LiveCounter& failure;
    exporters::HistogramBuckets& inference;
    exporters::HistogramBuckets& forward;
    exporters::HistogramBuckets& decode;
    exporters::HistogramBuckets& filter;
  };
  MethodMetrics& of(Method method) { return method == Method::prefill ? prefill_ : decode_; }

  exporters::PrometheusRegistry registry_;
  exporters::LiveCounter& requests_;
  exporters::LiveCounter& successes_;
  exporters::LiveCounter& validation_failures_;
  exporters::LiveCounter& overloaded_failures_;
  exporters::LiveCounter& template_failures_;
  exporters::LiveCounter& generation_failures_;
  exporters::LiveCounter& incomplete_failures_;
  exporters::LiveCounter& dropped_;
  exporters::HistogramBuckets& duration_;
  exporters::HistogramBuckets& validation_;
  exporters::HistogramBuckets& queue_;
  exporters::HistogramBuckets& inference_;
  exporters::HistogramBuckets& time_per_token_;
  exporters::HistogramBuckets& generated_tokens_;
  exporters::HistogramBuckets& input_length_;
  exporters::HistogramBuckets& max_new_tokens_;
  exporters::LiveGauge& waiting_;
  exporters::LiveGauge& running_;
  exporters::LiveGauge& reserved_tokens_;
  exporters::HistogramBuckets& next_size_;
  MethodMetrics prefill_;
  MethodMetrics decode_;
  std::array<exporters::LiveCounter*, 3> concats_;
  exporters::HistogramBuckets& concat_duration_;
  exporters::LiveCounter& tokens_;
  exporters::LiveGauge& connections_;
  exporters::HistogramBuckets& first_token_;
  exporters::HistogramBuckets& token_delay_;
  exporters::LiveCounter& internal_errors_;
  exporters::LiveCounter& malformed_;
  exporters::LiveCounter& misshapen_;
  exporters::LiveCounter& too_large_;
  exporters::LiveCounter& wrong_type_;
};

}  // namespace refserver
