// The reference prints numbers without exponents and shows nothing that was never touched.
#include "refserver/http/metrics_page.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <variant>

namespace refserver {
namespace {

using exporters::Counter;
using exporters::Gauge;
using exporters::HistogramSnapshot;
using exporters::Labels;
using exporters::MetricFamily;
using exporters::Sample;

void append_value(double value, std::string& out) {
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  out.append(text.data(), end);
}

/// {a="b",le="0.5"}; nothing without labels. Our label values need no escapes.
void append_labels(const Labels& labels, const double* edge, std::string& out) {
  char separator = '{';
  for (const exporters::Label& label : labels) {
    out += fmt::format("{}{}=\"{}\"", separator, label.name, label.value);
    separator = ',';
  }
  if (edge != nullptr) {
    out += separator;
    out += "le=\"";
    if (std::isinf(*edge)) {
      out += "+Inf";
    } else {
      append_value(*edge, out);
    }
    out += '"';
    separator = ',';
  }
  if (separator == ',') out += '}';
}

void append_line(std::string_view name, std::string_view suffix, const Labels& labels, const double* edge, double value,
                 std::string& out) {
  out += name;
  out += suffix;
  append_labels(labels, edge, out);
  out += ' ';
  append_value(value, out);
  out += '\n';
}

std::uint64_t total(const HistogramSnapshot& histogram) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : histogram.counts) sum += count;
  return sum;
}

bool is_touched(const Sample& sample) {
  if (const auto* counter = std::get_if<Counter>(&sample.value)) return counter->value > 0;
  if (const auto* histogram = std::get_if<HistogramSnapshot>(&sample.value)) return total(*histogram) > 0;
  return true;
}

void append_sample(std::string_view name, const Sample& sample, std::string& out) {
  if (const auto* counter = std::get_if<Counter>(&sample.value)) {
    append_line(name, "", sample.labels, nullptr, counter->value, out);
  } else if (const auto* gauge = std::get_if<Gauge>(&sample.value)) {
    append_line(name, "", sample.labels, nullptr, gauge->value, out);
  } else {
    const auto& histogram = std::get<HistogramSnapshot>(sample.value);
    std::uint64_t at_most = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      at_most += histogram.counts[i];
      const double edge = i < histogram.edges.size() ? histogram.edges[i] : INFINITY;
      append_line(name, "_bucket", sample.labels, &edge, static_cast<double>(at_most), out);
    }
    append_line(name, "_sum", sample.labels, nullptr, histogram.sum, out);
    append_line(name, "_count", sample.labels, nullptr, static_cast<double>(at_most), out);
  }
}

constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};  // in the variant's order

}  // namespace

std::string skipped_tokens_summary(std::uint64_t steps) {
  if (steps == 0) return "";
  std::string out = "# TYPE tgi_request_skipped_tokens summary\n";
  for (const char* const quantile : {"0", "0.5", "0.9", "0.95", "0.99", "0.999", "1"}) {
    out += fmt::format("tgi_request_skipped_tokens{{quantile=\"{}\"}} 0\n", quantile);
  }
  return out + fmt::format("tgi_request_skipped_tokens_sum 0\ntgi_request_skipped_tokens_count {}\n", steps);
}

std::string render_as_tgi(const std::vector<MetricFamily>& families, std::uint64_t steps) {
  std::string out;
  bool is_fresh = true;  // gauges are set by the first request only
  for (const MetricFamily& family : families) {
    if (!family.name.starts_with("tgi_")) continue;
    std::string lines;
    for (const Sample& sample : family.samples) {
      const bool is_gauge = std::holds_alternative<Gauge>(sample.value);
      if (is_touched(sample) && !(is_gauge && is_fresh)) append_sample(family.name, sample, lines);
    }
    if (lines.empty()) continue;
    is_fresh = false;
    out += fmt::format("# TYPE {} {}\n{}\n", family.name, kKinds[family.samples.front().value.index()], lines);
  }
  if (steps > 0) out += skipped_tokens_summary(steps) + "\n";
  return out;
}

}  // namespace refserver
