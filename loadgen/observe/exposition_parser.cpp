#include "loadgen/observe/exposition_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

namespace loadgen {
namespace {

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}
bool starts_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}
bool continues_name(char c) noexcept {
  return starts_name(c) || (c >= '0' && c <= '9');
}

/// As Go reads it, less hexadecimal: what from_chars takes, a leading plus, and infinity with either sign.
std::optional<double> read_value(std::string_view text) {
  double sign = 1;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text.empty() || text[0] == '+' || text[0] == '-') return std::nullopt;
  if (text == "Inf" || text == "inf") return sign * std::numeric_limits<double>::infinity();
  if (text == "NaN" || text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if ((text[0] < '0' || text[0] > '9') && text[0] != '.') return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return error == std::errc() ? std::optional(sign * value) : std::nullopt;
}

/// Reads one line. Every step returns false once something is wrong; the first thing wrong is `error`.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  bool read(ExpositionSample& sample) {
    sample.name = take_name();
    if (sample.name.empty()) return fail("a line begins with the name of a metric");
    skip_blanks();
    if (take('{') && !read_labels(sample)) return false;
    skip_blanks();
    const auto value = read_value(take_word());
    if (!value) return fail("expected a number after the name and its labels");
    sample.value = *value;
    return read_rest();
  }
  const char* error() const noexcept { return error_; }

 private:
  bool fail(const char* why) noexcept {
    error_ = why;
    return false;
  }
  void skip_blanks() noexcept {
    while (!rest_.empty() && is_blank(rest_[0])) rest_.remove_prefix(1);
  }
  bool take(char c) noexcept {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view take_prefix(std::size_t size) noexcept {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view take_name() noexcept {
    if (rest_.empty() || !starts_name(rest_[0])) return {};
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), continues_name);
    return take_prefix(static_cast<std::size_t>(end - rest_.begin()));
  }
  std::string_view take_word() noexcept {
    const auto end = std::find_if(rest_.begin(), rest_.end(), is_blank);
    return take_prefix(static_cast<std::size_t>(end - rest_.begin()));
  }

  bool read_labels(ExpositionSample& sample) {
    for (skip_blanks(); !take('}'); skip_blanks()) {
      if (sample.labels.size() == max_exposition_labels) return fail("a sample has too many labels");
      const std::string_view name = take_name();
      if (name.empty()) return fail("expected the name of a label or '}'");
      skip_blanks();
      if (!take('=')) return fail("expected '=' after the name of a label");
      skip_blanks();
      std::string value;
      if (!take('"') || !read_quoted(value)) return fail("the value of a label stands in double quotes");
      if (!sample.label(name).empty()) return fail("a label is there twice");
      sample.labels.emplace_back(name, std::move(value));
      skip_blanks();
      if (!take(',') && (rest_.empty() || rest_[0] != '}')) return fail("expected ',' or '}' after a label");
    }
    return true;
  }

  bool read_quoted(std::string& value) {
    while (!rest_.empty()) {
      const std::size_t plain = std::min(rest_.find_first_of("\"\\"), rest_.size());
      value += take_prefix(plain);
      if (take('"')) return true;
      if (!take('\\') || rest_.empty()) return false;
      const char escaped = take_prefix(1)[0];
      if (escaped == 'n') {
        value += '\n';
      } else if (escaped == '"' || escaped == '\\') {
        value += escaped;
      } else {
        (value += '\\') += escaped;  // as Prometheus takes it
      }
    }
    return false;
  }

  /// A time stamp and, in OpenMetrics, an exemplar may follow; neither is of use here.
  bool read_rest() {
    skip_blanks();
    if (rest_.empty() || rest_[0] == '#') return true;
    if (!read_value(take_word())) return fail("expected a time stamp or nothing after the value");
    skip_blanks();
    return rest_.empty() || rest_[0] == '#' || fail("expected nothing more after the time stamp");
  }

  std::string_view rest_;
  const char* error_ = "";
};

}  // namespace

std::string_view ExpositionSample::label(std::string_view wanted) const noexcept {
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == wanted; });
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

Result<std::vector<ExpositionSample>, std::string> parse_exposition(std::string_view page,
                                                                    const std::vector<std::string_view>& prefixes) {
  std::vector<ExpositionSample> samples;
  const auto fail = [](std::size_t number, std::string_view why) {
    return Result<std::vector<ExpositionSample>, std::string>(boost::system::in_place_error,
                                                              fmt::format("line {}: {}", number, why));
  };
  for (std::size_t number = 1; !page.empty(); ++number) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    std::string_view line = page.substr(0, end);
    page.remove_prefix(std::min(end + 1, page.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    while (!line.empty() && is_blank(line[0])) line.remove_prefix(1);
    if (line.empty() || line[0] == '#') continue;
    ExpositionSample sample;
    LineReader reader(line);
    if (!reader.read(sample)) return fail(number, reader.error());
    const auto wanted = [&](std::string_view prefix) { return sample.name.starts_with(prefix); };
    if (std::none_of(prefixes.begin(), prefixes.end(), wanted)) continue;
    if (samples.size() == max_exposition_samples) return fail(number, "the page has too many samples");
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace loadgen
