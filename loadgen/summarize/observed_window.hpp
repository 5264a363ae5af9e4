// Arithmetic over the readings of one subject inside the measured window. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/observe/sample_series.hpp"
#include "loadgen/record/interval.hpp"

namespace loadgen {

/// What a series says of `metric` in the window; readings without it are left out.
std::vector<double> values_in(const SampleSeries& series, ObservedMetric metric, const Window& window);

/// Whether any reading, in the window or not, has `metric`.
bool ever_has(const SampleSeries& series, ObservedMetric metric);

/// What a total grew by from the begin of the window to its end. Its value at an edge lies on the line between the
/// readings around it. Nothing when there are no readings around an edge (5 s apart at most, or one within 1 s), or
/// when the total fell in between: its owner was started anew.
std::optional<double> increase_in(const SampleSeries& series, ObservedMetric metric, const Window& window);

/// The area under the readings of `metric` over the window, in its unit times seconds; straight lines between them, the
/// edges as in increase_in.
std::optional<double> integral_in(const SampleSeries& series, ObservedMetric metric, const Window& window);

/// How long a source said the same, in seconds.
struct Unchanged {
  double longest_s = 0;   ///< longest stretch of the window without a change
  double age_s = 0;       ///< at the end of the window: since the last change, or else since the first reading
  bool is_stale = false;  ///< nothing changed in all of the window, or for over a minute of it: what it says may be old
};

/// A change is any value of the source that differs from that of the reading before. Nothing where there are no
/// readings, or where the source is no page: a driver that is asked cannot be stale.
std::optional<Unchanged> unchanged_in(const Observations& observations, const SourceLog& log, const Window& window);

/// Whether `readings` in the window are as many as readings once a second should be: nine tenths, or one less than all.
bool covers(std::uint64_t readings, const Window& window);

}  // namespace loadgen
