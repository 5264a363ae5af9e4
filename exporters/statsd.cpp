#include "exporters/statsd.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>

namespace exporters {
namespace {

constexpr std::size_t longest_name = 100;
constexpr std::size_t longest_tag_value = 200;

bool is_word_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

template <class Keep>
std::string replaced(std::string_view text, std::size_t longest, Keep keep) {
  std::string out(text.substr(0, longest));
  std::replace_if(
      out.begin(), out.end(), [&](char c) { return !keep(c); }, '_');
  return out;
}

/// Datadog's set without letters outside ASCII. A colon ends Telegraf's names, so only one behind the type may stay.
std::string tag_value(std::string_view text, StatsdFormat format) {
  return replaced(text, longest_tag_value, [&](char c) {
    return is_word_character(c) || c == '.' || c == '/' || (c == ':' && format == StatsdFormat::dogstatsd);
  });
}

/// Shortest decimal that reads back as the same number, without an exponent: not every daemon reads one.
void append_number(std::string& out, double value) {
  std::array<char, 400> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr);
}

void append_line(std::string& out, const StatsdScope& scope, std::string_view metric, double value,
                 std::string_view type) {
  assert(is_statsd_name(metric));
  out.append(scope.before).append(metric).append(scope.after) += ':';
  append_number(out, value);
  out.append(type).append(scope.end);
}

/// Microseconds are what is measured; more digits would be made up.
double to_shown_ms(std::int64_t us) {
  return static_cast<double>(us) / 1000.0;
}

}  // namespace

std::optional<StatsdFormat> statsd_format_from(std::string_view word) noexcept {
  if (word == "plain") return StatsdFormat::plain;
  if (word == "dogstatsd") return StatsdFormat::dogstatsd;
  if (word == "influx") return StatsdFormat::influx;
  return std::nullopt;
}

bool is_statsd_name(std::string_view name) noexcept {
  const bool has_signs = std::all_of(name.begin(), name.end(), [](char c) { return is_word_character(c) || c == '.'; });
  return has_signs && !name.empty() && name.size() <= longest_name && name.front() != '.' && name.back() != '.' &&
         name.find("..") == std::string_view::npos;
}

std::string statsd_word(std::string_view text) {
  return text.empty() ? "none" : replaced(text, longest_name, is_word_character);
}

std::vector<std::string> distinct_statsd_words(const std::vector<std::string>& texts, std::vector<std::string> taken) {
  const auto is_taken = [&](const std::string& word) {
    return std::find(taken.begin(), taken.end(), word) != taken.end();
  };
  std::vector<std::string> words;
  for (const std::string& text : texts) {
    const std::string first = statsd_word(text);
    std::string word = first;
    for (int n = 2; is_taken(word); ++n) word = first + "-" + std::to_string(n);
    taken.push_back(word);
    words.push_back(std::move(word));
  }
  return words;
}

StatsdScope make_statsd_scope(StatsdFormat format, std::string_view prefix, const Labels& labels, StatsdPlace place) {
  assert(prefix.empty() || is_statsd_name(prefix));
  StatsdScope scope;
  if (!prefix.empty()) scope.before.append(prefix) += '.';
  for (const Label& label : labels) {
    assert(is_statsd_name(label.name));
    if (format == StatsdFormat::plain) {
      const std::string word = statsd_word(label.value);
      if (place == StatsdPlace::in_front)
        scope.before.append(word) += '.';
      else
        scope.after.append(1, '.').append(word);
      continue;
    }
    const std::string value = tag_value(label.value, format);
    if (value.empty()) continue;
    if (format == StatsdFormat::influx)
      scope.after.append(1, ',').append(label.name).append(1, '=').append(value);
    else
      scope.end.append(scope.end.empty() ? "|#" : ",").append(label.name).append(1, ':').append(value);
  }
  return scope;
}

void append_statsd_counter(Batch& out, const StatsdScope& scope, std::string_view metric, std::uint64_t growth) {
  if (growth == 0) return;
  append_line(out.bytes, scope, metric, static_cast<double>(growth), "|c");
  out.end_record();
}

void append_statsd_gauge(Batch& out, const StatsdScope& scope, std::string_view metric, double value) {
  if (!std::isfinite(value)) return;
  if (value < 0) {
    append_line(out.bytes, scope, metric, 0, "|g");
    out.bytes += '\n';
  }
  append_line(out.bytes, scope, metric, value == 0 ? 0 : value, "|g");
  out.end_record();
}

void append_statsd_timer(Batch& out, const StatsdScope& scope, std::string_view metric, double ms) {
  append_line(out.bytes, scope, metric, ms, "|ms");
  out.end_record();
}

void append_statsd_timers(Batch& out, const StatsdScope& scope, std::string_view metric, const Distribution& values,
                          std::size_t limit) {
  const HdrHistogram& histogram = values.histogram();
  const std::uint64_t sent = std::min<std::uint64_t>(histogram.count(), limit);
  std::uint64_t seen = 0;
  std::uint64_t done = 0;
  // The k-th of `sent` values is the one in the middle of the k-th of as many equal stretches of ranks.
  const auto rank_of = [&](std::uint64_t k) { return (2 * k + 1) * histogram.count() / (2 * sent) + 1; };
  histogram.for_each_slot([&](std::size_t, std::int64_t, std::int64_t highest, std::uint64_t n) {
    seen += n;
    for (; done < sent && rank_of(done) <= seen; ++done) append_statsd_timer(out, scope, metric, to_shown_ms(highest));
  });
}

void append_statsd_percentiles(Batch& out, const StatsdScope& scope, std::string_view metric,
                               const Distribution& values, char joint) {
  if (values.count() == 0) return;
  constexpr std::pair<std::string_view, double> shown[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
  const std::string base = std::string(metric) + joint;
  for (const auto& [word, quantile] : shown) {
    const auto ms = values.percentile_ms(quantile);
    if (ms) append_statsd_gauge(out, scope, base + std::string(word), *ms);
  }
  append_statsd_gauge(out, scope, base + "max", values.max_ms());
}

}  // namespace exporters
