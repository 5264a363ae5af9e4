// StatsD lines in three dialects. Whatever names and tags hold, a line stays one line of one metric. Bytes only:
// packing and sending belong to the sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/metrics/distribution.hpp"
#include "exporters/metrics/sample.hpp"
#include "exporters/sink.hpp"

namespace exporters {

enum class StatsdFormat : std::uint8_t {
  plain,      ///< dotted names alone: every daemon reads them
  dogstatsd,  ///< tags behind the type: x:1|c|#model:a
  influx,     ///< tags in the name, as Telegraf reads them: x,model=a:1|c
};

/// "plain", "dogstatsd", "influx".
std::optional<StatsdFormat> statsd_format_from(std::string_view word) noexcept;

/// True for one or more words of [A-Za-z0-9_-] with single dots between them, at most 100 bytes together.
bool is_statsd_name(std::string_view name) noexcept;

/// One word of a dotted name out of any text: all but [A-Za-z0-9_-] becomes '_', dots too; at most 100 bytes, the rest
/// is cut off; "none" for an empty text.
std::string statsd_word(std::string_view text);

/// The words of these texts, each its own: where two texts give one word, the later ones get "-2", "-3" and so on.
/// Words in `taken` count as given already.
std::vector<std::string> distinct_statsd_words(const std::vector<std::string>& texts,
                                               std::vector<std::string> taken = {});

/// What the lines of one series have in common around the metric's own name.
struct StatsdScope {
  std::string before;  ///< with its last dot; may be empty
  std::string after;   ///< ".qwen2", or ",model=qwen2"
  std::string end;     ///< "|#model:qwen2"
};

/// Which side of the metric's name the words of a plain name stand on.
enum class StatsdPlace : std::uint8_t { in_front, behind };

/// The scope of a series. Plain: `prefix` and the labels' values, in their order, as words of the dotted name. Else:
/// `prefix`, and the labels as tags with everything that a daemon could take for its own signs replaced by '_'; values
/// are cut at 200 bytes, empty ones left out. `prefix` is a name or empty, label names are names (asserted).
StatsdScope make_statsd_scope(StatsdFormat format, std::string_view prefix, const Labels& labels, StatsdPlace place);

/// A counter's growth since the last line; 0 writes nothing.
void append_statsd_counter(Batch& out, const StatsdScope& scope, std::string_view metric, std::uint64_t growth);

/// A gauge. A sign would mean "change by", so a negative value is set to 0 first, in the same record. NaN and infinite
/// values write nothing.
void append_statsd_gauge(Batch& out, const StatsdScope& scope, std::string_view metric, double value);

/// A duration in milliseconds, never with a sample rate: daemons disagree about it.
void append_statsd_timer(Batch& out, const StatsdScope& scope, std::string_view metric, double ms);

/// The measured values as timers: all of them, or, if there are more than `limit`, that many at evenly spaced ranks, so
/// that a daemon's percentiles are close to the exact ones.
void append_statsd_timers(Batch& out, const StatsdScope& scope, std::string_view metric, const Distribution& values,
                          std::size_t limit);

/// Exact percentiles in milliseconds as gauges, METRIC and p50, p95, p99 or max with `joint` between them; nothing when
/// empty. A percentile that falls among censored values is left out.
void append_statsd_percentiles(Batch& out, const StatsdScope& scope, std::string_view metric,
                               const Distribution& values, char joint = '.');

}  // namespace exporters
