#include "exporters/influx_line.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>

namespace exporters {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A backslash in front of an escaped character is read in two ways by two parts of the server; names have none.
bool is_valid_name(std::string_view name) {
  if (name.empty() || name.front() == '_' || name.front() == '#' || name == "time") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '\\' || is_control(c); });
}

void append_escaped(std::string& out, std::string_view text, std::string_view specials) {
  for (const char c : text) {
    if (specials.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
}

void append_tag_value(std::string& out, std::string_view value) {
  for (const char c : value) {
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
        out += '\\';
        out += c;
        break;
      default:
        out += is_control(c) ? '_' : c;
    }
  }
}

std::string_view without_trailing_backslashes(std::string_view value) {
  const std::size_t last = value.find_last_not_of('\\');
  return last == std::string_view::npos ? std::string_view{} : value.substr(0, last + 1);
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
  if (!refused_) append_escaped(out_, measurement, ", ");
}

InfluxPoint::~InfluxPoint() {
  if (!finished_) out_.resize(begin_);
}

InfluxPoint& InfluxPoint::tag(std::string_view key, std::string_view value) {
  assert(!has_field_ && tag_count_ < max_tags);
  refuse_unless(is_valid_name(key));
  value = without_trailing_backslashes(value);
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
    append_escaped(out_, tag->first, ",= ");
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
  append_escaped(out_, key, ",= ");
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
  append_escaped(out_, text, "\"\\");
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
