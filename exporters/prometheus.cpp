#include "exporters/prometheus.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

namespace exporters {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Shortest text that reads back as the same double, without an exponent where that stays short.
void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    const double size = std::fabs(value);
    const bool is_plain = size == 0 || (size >= 1e-7 && size < 1e17);
    std::array<char, 64> text;
    const auto form = is_plain ? std::chars_format::fixed : std::chars_format::general;
    out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value, form).ptr);
  }
}

/// Bytes of the UTF-8 character at the beginning of `text`, which is not empty; 0 if there is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;   // shorter forms exist below
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;  // surrogates, and what is no character
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

/// One bad byte in a label would make the whole page unreadable: bytes that are no UTF-8 become U+FFFD.
void append_escaped(std::string& out, std::string_view text, std::string_view specials) {
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      if (specials.find(c) != std::string_view::npos) out += '\\';
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
}

/// One sample line. `suffix` and `edge` (its le label) belong to histograms.
void append_line(std::string& out, std::string_view name, std::string_view suffix, const Labels& labels,
                 const double* edge, double value) {
  out.append(name).append(suffix);
  char separator = '{';
  const auto open_label = [&](std::string_view label_name) {
    out += std::exchange(separator, ',');
    out.append(label_name) += "=\"";
  };
  for (const Label& label : labels) {
    assert(is_prometheus_name(label.name) && label.name != "le");
    open_label(label.name);
    append_escaped(out, label.value, "\\\"");
    out += '"';
  }
  if (edge != nullptr) {
    open_label("le");
    append_value(out, *edge);
    out += '"';
  }
  if (separator == ',') out += '}';
  out += ' ';
  append_value(out, value);
  out += '\n';
}

struct SampleWriter {
  std::string& out;
  const std::string& name;
  const Labels& labels;

  void operator()(const Counter& counter) const { append_line(out, name, "", labels, nullptr, counter.value); }
  void operator()(const Gauge& gauge) const { append_line(out, name, "", labels, nullptr, gauge.value); }
  void operator()(const HistogramSnapshot& histogram) const {
    assert(histogram.counts.size() == histogram.edges.size() + 1);
    std::uint64_t at_most = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      at_most += histogram.counts[i];
      const double edge = i < histogram.edges.size() ? histogram.edges[i] : INFINITY;
      append_line(out, name, "_bucket", labels, &edge, static_cast<double>(at_most));
    }
    append_line(out, name, "_sum", labels, nullptr, histogram.sum);
    append_line(out, name, "_count", labels, nullptr, static_cast<double>(at_most));
  }
};

constexpr std::array<std::string_view, 3> kind_names = {"counter", "gauge", "histogram"};  // in the variant's order

void append_family(std::string& out, const MetricFamily& family) {
  assert(is_prometheus_name(family.name));
  if (family.samples.empty()) return;
  const std::size_t kind = family.samples.front().value.index();
  out.append("# HELP ").append(family.name) += ' ';
  append_escaped(out, family.help, "\\");
  out.append("\n# TYPE ").append(family.name).append(" ").append(kind_names[kind]) += '\n';
  std::set<Labels> seen;
  for (const Sample& sample : family.samples) {
    assert(sample.value.index() == kind);
    const bool is_new = seen.insert(sample.labels).second;
    assert(is_new);
    std::visit(SampleWriter{out, family.name, sample.labels}, sample.value);
  }
}

Counter read(const LiveCounter& live) {
  return {live.value()};
}
Gauge read(const LiveGauge& live) {
  return {live.value()};
}
HistogramSnapshot read(const HistogramBuckets& live) {
  return live.snapshot();
}

}  // namespace

bool is_prometheus_name(std::string_view name) noexcept {
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

std::string render_prometheus(const std::vector<MetricFamily>& families) {
  std::string out;
  std::set<std::string_view> seen;
  for (const MetricFamily& family : families) {
    const bool is_new = seen.insert(family.name).second;
    assert(is_new);
    append_family(out, family);
  }
  return out;
}

struct PrometheusRegistry::Family {
  using Live =
      std::variant<std::unique_ptr<LiveCounter>, std::unique_ptr<LiveGauge>, std::unique_ptr<HistogramBuckets>>;
  struct Member {
    Labels labels;  ///< sorted by name
    Live live;
  };
  std::string name;
  std::string help;
  std::vector<Member> members;
};

PrometheusRegistry::PrometheusRegistry() = default;
PrometheusRegistry::~PrometheusRegistry() = default;

template <class Live, class... Args>
Live& PrometheusRegistry::find_or_add(std::string_view name, std::string_view help, Labels labels, Args&&... args) {
  assert(is_prometheus_name(name));
  std::sort(labels.begin(), labels.end());
  const auto same_name = [](const Label& a, const Label& b) { return a.name == b.name; };
  assert(std::adjacent_find(labels.begin(), labels.end(), same_name) == labels.end());
  const std::scoped_lock lock(mutex_);
  auto family = std::find_if(families_.begin(), families_.end(), [&](const auto& f) { return f->name == name; });
  if (family == families_.end()) {
    families_.push_back(std::make_unique<Family>(Family{std::string(name), std::string(help), {}}));
    family = families_.end() - 1;
  }
  auto& members = (*family)->members;
  auto member = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.labels == labels; });
  if (member == members.end()) {
    members.push_back({std::move(labels), std::make_unique<Live>(std::forward<Args>(args)...)});
    member = members.end() - 1;
    assert(members.front().live.index() == member->live.index());
  }
  auto* live = std::get_if<std::unique_ptr<Live>>(&member->live);
  assert(live != nullptr);
  return **live;
}

LiveCounter& PrometheusRegistry::counter(std::string_view name, std::string_view help, Labels labels) {
  return find_or_add<LiveCounter>(name, help, std::move(labels));
}

LiveGauge& PrometheusRegistry::gauge(std::string_view name, std::string_view help, Labels labels) {
  return find_or_add<LiveGauge>(name, help, std::move(labels));
}

HistogramBuckets& PrometheusRegistry::histogram(std::string_view name, std::string_view help, std::vector<double> edges,
                                                Labels labels) {
  return find_or_add<HistogramBuckets>(name, help, std::move(labels), std::move(edges));
}

std::vector<MetricFamily> PrometheusRegistry::collect() const {
  const std::scoped_lock lock(mutex_);
  std::vector<MetricFamily> families;
  for (const auto& family : families_) {
    MetricFamily now{family->name, family->help, {}};
    for (const auto& member : family->members)
      std::visit([&](const auto& live) { now.samples.push_back({member.labels, read(*live)}); }, member.live);
    families.push_back(std::move(now));
  }
  return families;
}

}  // namespace exporters
