// What the machine and the servers said of themselves in the window, as numbers: the `observed` part of a summary.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/observe/sample_series.hpp"
#include "loadgen/record/interval.hpp"
#include "loadgen/summarize/observed_window.hpp"

namespace loadgen {

/// One metric of one subject, over the readings in the window.
struct ObservedStatistic {
  ObservedMetric metric = ObservedMetric::gpu_utilization;
  std::uint64_t count = 0;
  double mean = 0, min = 0, max = 0, first = 0, last = 0;
  std::optional<double> increase;  ///< of totals, from edge to edge of the window
};

/// Readings for a picture: at most a few hundred, over the whole run.
struct ObservedTimeline {
  ObservedMetric metric = ObservedMetric::gpu_utilization;
  std::vector<double> at_s;  ///< from the begin of the window
  std::vector<double> values;
};

struct ObservedSubject {
  Subject subject;
  std::uint64_t readings = 0;  ///< in the window
  std::vector<ObservedStatistic> metrics;
  std::vector<ObservedTimeline> timelines;
  std::uint64_t throttle_known = 0;               ///< readings in the window that say whether the GPU was held down
  std::uint64_t throttled = 0;                    ///< those of them in which it was
  std::map<std::string, std::uint64_t> throttle;  ///< by reason
  std::optional<double> baseline_memory_mib;      ///< in use at the first reading, before the load
  std::optional<double> energy_j;                 ///< of a GPU, in the window
  bool energy_from_power = false;                 ///< added up from readings of the power: it has no energy counter
  bool is_targets = true;                         ///< a GPU that serves the requests, as far as we know
};

struct ObservedSource {
  std::string name;
  bool is_open = false;
  bool is_targets = true;
  std::uint64_t failed = 0;  ///< looks in the window that gave less than everything
  std::string first_error;
  std::vector<std::string> notes;
  std::optional<Unchanged> unchanged;  ///< of a page that was read
};

struct ObservedSummary {
  double window_s = 0;
  std::vector<ObservedSource> sources;
  std::vector<ObservedSubject> subjects;
  std::uint64_t output_tokens = 0;  ///< received in the window
  std::optional<double> energy_j;   ///< of all GPUs; absent when that of one is not known
  std::optional<double> joules_per_output_token;
  bool is_empty() const noexcept { return sources.empty(); }
};

/// `output_tokens`: those whose event was read in the window, from all requests.
ObservedSummary summarize_observed(const Observations& observations, const Window& window, std::uint64_t output_tokens);

/// Sentences about sources that gave nothing or not everything, for the warnings of a run.
std::vector<std::string> observed_warnings(const ObservedSummary& observed);

}  // namespace loadgen
