#include "exporters/influx_line.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>

namespace exporters {
namespace {

// Which characters need care where, as bits of one table: most text has none and is copied in whole runs.
constexpr std::uint8_t in_measurement = 1;  // , and space
constexpr std::uint8_t in_key = 2;          // , = and space: keys and tag values
constexpr std::uint8_t in_text = 4;         // " and backslash: string fields
constexpr std::uint8_t control = 8;
constexpr std::uint8_t never_in_name = 16;  // control characters and the backslash

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < 0x20; ++c) classes[c] = control | never_in_name;
  classes[0x7f] = control | never_in_name;
  classes[','] = classes[' '] = in_measurement | in_key;
  classes['='] = in_key;
  classes['"'] = in_text;
  classes['\\'] = in_text | never_in_name;
  return classes;
}
constexpr auto classes = make_classes();

bool is_in(std::uint8_t mask, char c) {
  return (classes[static_cast<unsigned char>(c)] & mask) != 0;
}

/// A backslash in front of an escaped character is read in two ways by two parts of the server; names have none.
bool is_valid_name(std::string_view name) {
  if (name.empty() || name.front() == '_' || name.front() == '#' || name == "time") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return is_in(never_in_name, c); });
}

/// Copies `text`; `special(c)` appends what stands for each character in the classes of `mask`.
template <class Special>
void append_with(std::string& out, std::string_view text, std::uint8_t mask, Special special) {
  while (!text.empty()) {
    const auto stop = std::find_if(text.begin(), text.end(), [mask](char c) { return is_in(mask, c); });
    const auto plain = static_cast<std::size_t>(stop - text.begin());
    out.append(text.substr(0, plain));
    if (plain == text.size()) return;
    special(text[plain]);
    text.remove_prefix(plain + 1);
  }
}

void append_escaped(std::string& out, std::string_view text, std::uint8_t mask) {
  append_with(out, text, mask, [&out](char c) { (out += '\\') += c; });
}

void append_tag_value(std::string& out, std::string_view value) {
  append_with(out, value, in_key | control, [&out](char c) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case ',':
      case '=':
      case ' ':
        (out += '\\') += c;
        break;
      default:
        out += '_';
    }
  });
}

std::string_view without_trailing_backslashes(std::string_view value) {
  const std::size_t last = value.find_last_not_of('\\');
  return last == std::string_view::npos ? std::string_view{} : value.substr(0, last + 1);
}

/// InfluxDB refuses points whose name and tags together have over 65,535 bytes; this many tags of this length have not,
/// each character escaped. What a page of somebody else's says may be of any length.
constexpr std::size_t longest_tag_value = 1000;

/// Never in the middle of a UTF-8 character.
std::string_view cut(std::string_view value) {
  if (value.size() <= longest_tag_value) return value;
  std::size_t end = longest_tag_value;
  while (end > longest_tag_value - 4 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
  return value.substr(0, end);
}

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

}  // namespace

InfluxPoint::InfluxPoint(std::string& out, std::string_view measurement) : out_(out), begin_(out.size()) {
  refuse_unless(is_valid_name(measurement));
  if (!refused_) append_escaped(out_, measurement, in_measurement);
}

InfluxPoint::~InfluxPoint() {
  if (!finished_) out_.resize(begin_);
}

InfluxPoint& InfluxPoint::tag(std::string_view key, std::string_view value) {
  assert(!has_field_ && tag_count_ < max_tags);
  refuse_unless(is_valid_name(key));
  value = without_trailing_backslashes(cut(value));
  if (!value.empty()) tags_[tag_count_++] = {key, value};
  return *this;
}

void InfluxPoint::append_tags() {
  const auto end = tags_.begin() + static_cast<std::ptrdiff_t>(tag_count_);
  // Insertion sort: stable, a handful of tags, and no allocation.
  for (auto tag = tags_.begin(); tag != end; ++tag) {
    const auto place =
        std::upper_bound(tags_.begin(), tag, *tag, [](const auto& a, const auto& b) { return a.first < b.first; });
    std::rotate(place, tag, tag + 1);
  }
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  const auto unique_end = std::unique(tags_.begin(), end, same_key);
  for (auto tag = tags_.begin(); tag != unique_end; ++tag) {
    out_ += ',';
    append_escaped(out_, tag->first, in_key);
    out_ += '=';
    append_tag_value(out_, tag->second);
  }
}

bool InfluxPoint::begin_field(std::string_view key) {
  refuse_unless(is_valid_name(key));
  if (refused_) return false;
  if (!has_field_) append_tags();
  out_ += has_field_ ? ',' : ' ';
  has_field_ = true;
  append_escaped(out_, key, in_key);
  out_ += '=';
  return true;
}

InfluxPoint& InfluxPoint::field(std::string_view key, double value) {
  refuse_unless(is_valid_name(key));
  if (std::isfinite(value) && begin_field(key)) append_number(out_, value);
  return *this;
}

InfluxPoint& InfluxPoint::field(std::string_view key, bool value) {
  if (begin_field(key)) out_ += value ? "true" : "false";
  return *this;
}

InfluxPoint& InfluxPoint::field(std::string_view key, std::string_view text) {
  if (!begin_field(key)) return *this;
  out_ += '"';
  append_escaped(out_, text, in_text);
  out_ += '"';
  return *this;
}

InfluxPoint& InfluxPoint::integer_field(std::string_view key, std::int64_t value) {
  if (!begin_field(key)) return *this;
  append_number(out_, value);
  out_ += 'i';
  return *this;
}

PointResult InfluxPoint::finish(std::int64_t unix_ns) {
  assert(!finished_);
  finished_ = true;
  if (refused_ || !has_field_) {
    out_.resize(begin_);
    return refused_ ? PointResult::refused : PointResult::no_fields;
  }
  out_ += ' ';
  append_number(out_, unix_ns);
  out_ += '\n';
  return PointResult::appended;
}

}  // namespace exporters
