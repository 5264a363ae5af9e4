// The names of everything measured, one enum for plan (gates), record, summarize and export.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace loadgen {

/// Latency metrics. All are kept in nanoseconds; their definitions are in docs/metrics.md.
enum class Metric : std::uint8_t {
  ttft,            ///< first token - send
  ttft_sched,      ///< first token - intended start (open loop)
  ttfo,            ///< first token that is no reasoning - send
  tpot,            ///< (last token - first token) / (output tokens - 1), one value per request
  icl,             ///< gap between token-bearing events, one value per gap
  itl,             ///< gap per token: a gap shared by the m tokens it brought, m values; absent when m is unknown
  e2e,             ///< end - send, successes
  e2e_sched,       ///< end - intended start (open loop), successes
  lateness,        ///< send - intended start (open loop): the generator's own delay
  e2e_last_token,  ///< last token - send
  ttst,            ///< second token event - first
  connect,         ///< connection ready - dispatch, new connections only
  server_wait,     ///< response head - request sent
};

inline constexpr std::size_t metric_count = 13;

/// The fixed word of each metric in files, labels, gates and tables.
inline constexpr std::array<std::string_view, metric_count> metric_labels = {
    "ttft",      "ttft_sched", "ttfo",           "tpot", "icl",     "itl",        "e2e",
    "e2e_sched", "lateness",   "e2e_last_token", "ttst", "connect", "server_wait"};

constexpr std::string_view label(Metric metric) noexcept {
  return metric_labels[static_cast<std::size_t>(metric)];
}

constexpr std::optional<Metric> metric_from(std::string_view word) noexcept {
  for (std::size_t i = 0; i < metric_count; ++i) {
    if (metric_labels[i] == word) return static_cast<Metric>(i);
  }
  return std::nullopt;
}

}  // namespace loadgen
