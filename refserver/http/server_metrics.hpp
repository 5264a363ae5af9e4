// What the server counts, under TGI's names where they are true of it and under our own where TGI has none.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "exporters/prometheus.hpp"
#include "refserver/error.hpp"

namespace refserver {

/// Seconds since `from`, as every duration metric has it.
inline double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

class ServerMetrics {
 public:
  /// The largest limits of the served models set the buckets of the token histograms, as in TGI.
  ServerMetrics(std::uint32_t max_input_tokens, std::uint32_t max_total_tokens);

  void on_request() { requests_.increment(); }
  void on_valid(double validation_seconds, std::uint32_t prompt_tokens, std::uint32_t max_new_tokens);
  void on_refused(ErrorType type);
  /// A body that never became a request: TGI does not count these, we do.
  void on_unread(ErrorType type);
  void on_dropped() { dropped_.increment(); }
  void on_success(double total_seconds, double inference_seconds, std::uint32_t tokens);
  void on_token(double late_seconds) { token_delay_.observe(late_seconds); }
  void on_first_token(double seconds) { first_token_.observe(seconds); }
  void on_internal_error() { internal_errors_.increment(); }
  void set_running(std::uint32_t requests) { running_.set(requests); }
  void set_connections(std::size_t connections) { connections_.set(static_cast<double>(connections)); }

  std::string render() const { return registry_.render(); }

 private:
  exporters::PrometheusRegistry registry_;
  exporters::LiveCounter& requests_;
  exporters::LiveCounter& successes_;
  exporters::LiveCounter& validation_failures_;
  exporters::LiveCounter& overloaded_failures_;
  exporters::LiveCounter& incomplete_failures_;
  exporters::LiveCounter& dropped_;
  exporters::HistogramBuckets& duration_;
  exporters::HistogramBuckets& validation_;
  exporters::HistogramBuckets& inference_;
  exporters::HistogramBuckets& time_per_token_;
  exporters::HistogramBuckets& generated_tokens_;
  exporters::HistogramBuckets& input_length_;
  exporters::HistogramBuckets& max_new_tokens_;
  exporters::LiveGauge& queued_;  ///< stays 0: the simulated engine takes every request at once
  exporters::LiveGauge& running_;
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
