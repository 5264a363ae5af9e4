// Where a run's numbers can be watched while it runs: a StatsD daemon they are sent to, a page that others pull.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "exporters/host_port.hpp"
#include "exporters/statsd.hpp"

namespace loadgen {

struct StatsdOutput {
  exporters::HostPort where;
  exporters::StatsdFormat format = exporters::StatsdFormat::plain;
  std::string prefix = "llm";  ///< a StatsD name
};

struct PrometheusOutput {
  exporters::HostPort where;  ///< port 0: the system picks one
  /// Longest wait after the run for one more scrape; absent: as long as most scrape intervals are, and not at all after
  /// an interrupt.
  std::optional<std::chrono::nanoseconds> linger;
};

struct LiveOptions {
  std::optional<StatsdOutput> statsd;
  std::optional<PrometheusOutput> prometheus;
};

}  // namespace loadgen
