// What a run looks at besides its own requests: GPUs, and the metrics pages of servers. Pure values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loadgen {

enum class GpuSource : std::uint8_t {
  none,
  nvml,    ///< the driver of this machine
  dcgm,    ///< the page of a DCGM exporter
  target,  ///< the metrics pages of the targets themselves
};

/// The word used for a source in flags, files and results.
constexpr const char* label(GpuSource source) noexcept {
  constexpr const char* words[] = {"none", "nvml", "dcgm", "target"};
  return words[static_cast<std::size_t>(source)];
}

/// A page in Prometheus' text format.
struct MetricsPage {
  std::string url;     ///< whole, as results name it
  std::string server;  ///< http://HOST:PORT
  std::string path;    ///< /metrics
  std::string target;  ///< the target of the mix it belongs to, or else `server`
};

struct Observe {
  GpuSource gpu = GpuSource::none;
  std::vector<MetricsPage> gpu_pages;         ///< with dcgm: one; with target: one per target
  std::optional<double> memory_baseline_mib;  ///< memory in use without the server, if the user knows
  std::vector<MetricsPage> scrape;
};

}  // namespace loadgen
