// The Prometheus text format 0.0.4, and a small registry of live counters, gauges and histograms behind a /metrics
// page. Knows no socket: a page is a string.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exporters/metrics/histogram_buckets.hpp"
#include "exporters/metrics/sample.hpp"

namespace exporters {

inline constexpr std::string_view prometheus_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// True for [a-zA-Z_][a-zA-Z0-9_]*, the names we allow for metrics and labels (the format has ':' too, for rules only).
bool is_prometheus_name(std::string_view name) noexcept;

/// The page of these families, each once and contiguous, in the order given. Names must be valid and unique, the
/// samples of a family of one kind and with unique label sets (asserted); label values and help texts may hold
/// anything, what is no UTF-8 becomes U+FFFD.
std::string render_prometheus(const std::vector<MetricFamily>& families);

/// Any thread may count.
class LiveCounter {
 public:
  void increment(double by = 1.0) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0.0};
};

/// Any thread may set or move it.
class LiveGauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double by) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0.0};
};

/// Owns the live metrics of one program. Thread-safe. Returned references live as long as the registry: look a metric
/// up once and keep it. Asking again for the same name and labels gives the same metric; label order does not matter.
/// Asking for a name with another kind is a bug (asserted). Label values must come from a fixed set: every new one is
/// kept.
class PrometheusRegistry {
 public:
  PrometheusRegistry();
  ~PrometheusRegistry();
  PrometheusRegistry(const PrometheusRegistry&) = delete;
  PrometheusRegistry& operator=(const PrometheusRegistry&) = delete;

  LiveCounter& counter(std::string_view name, std::string_view help, Labels labels = {});
  LiveGauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  /// `edges` as for HistogramBuckets; those of the first call for these labels count.
  HistogramBuckets& histogram(std::string_view name, std::string_view help, std::vector<double> edges,
                              Labels labels = {});

  /// Everything as it is now, families in the order in which they were first asked for.
  std::vector<MetricFamily> collect() const;
  std::string render() const { return render_prometheus(collect()); }

 private:
  struct Family;
  template <class Live, class... Args>
  Live& find_or_add(std::string_view name, std::string_view help, Labels labels, Args&&... args);

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace exporters
