// json.dumps for the values a template has.
#include "refserver/chat/jinja/json_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

  void write(const Value& value, int level);
  std::string take() { return std::move(out_); }

 private:
  void write_text(std::string_view text);
  void write_escaped(char32_t c);
  void write_sequence(const Sequence& sequence, int level);
  void write_dict(const Dict& dict, int level);
  std::string key_text(const Value& key) const;
  void start_line(int level);
  static std::string number_text(const Value& number);

  Budget& budget_;
  const JsonStyle& style_;
  std::string out_;
};

std::string JsonWriter::number_text(const Value& number) {
  if (number.is(Kind::boolean)) return number.boolean() ? "true" : "false";
  if (number.is(Kind::integer)) return std::to_string(number.integer());
  const double real = number.real();
  if (std::isnan(real)) return "NaN";
  if (std::isinf(real)) return real < 0 ? "-Infinity" : "Infinity";
  return show_real(real);
}

void JsonWriter::write_escaped(char32_t c) {
  const auto escape = [&](char32_t unit) { out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(unit)); };
  constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  const std::size_t special = c < 0x80 ? kSpecial.find(static_cast<char>(c)) : std::string_view::npos;
  if (special != std::string_view::npos) {
    out_ += '\\';
    out_ += kLetters[special];
  } else if (c < 0x20 || (style_.is_ascii_only && c >= 0x7F && c < 0x10000)) {
    escape(c);
  } else if (style_.is_ascii_only && c >= 0x10000) {
    escape(0xD800 + ((c - 0x10000) >> 10U));
    escape(0xDC00 + ((c - 0x10000) & 0x3FFU));
  } else {
    append_code_point(out_, c);
  }
}

void JsonWriter::write_text(std::string_view text) {
  budget_.grow(text.size());
  out_ += '"';
  for (std::size_t at = 0; at < text.size();) write_escaped(next_code_point(text, at));
  out_ += '"';
}

void JsonWriter::start_line(int level) {
  if (!style_.is_indented) return;
  budget_.grow(style_.indent.size(), static_cast<std::uint64_t>(level));
  out_ += '\n';
  for (int i = 0; i < level; ++i) out_ += style_.indent;
}

void JsonWriter::write_sequence(const Sequence& sequence, int level) {
  if (sequence.items.empty()) {
    out_ += "[]";
    return;
  }
  out_ += '[';
  bool is_first = true;
  for (const Value& item : sequence.items) {
    if (!is_first) out_ += style_.item_separator;
    is_first = false;
    start_line(level + 1);
    write(item, level + 1);
  }
  start_line(level);
  out_ += ']';
}

std::string JsonWriter::key_text(const Value& key) const {
  if (key.is(Kind::text)) return key.bytes();
  if (key.is_number()) return number_text(key);
  if (key.is(Kind::none)) return "null";
  fail(fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
}

void JsonWriter::write_dict(const Dict& dict, int level) {
  if (dict.entries.empty()) {
    out_ += "{}";
    return;
  }
  std::vector<const std::pair<Value, Value>*> entries;
  for (const auto& entry : dict.entries) entries.push_back(&entry);
  if (style_.has_sorted_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const auto* a, const auto* b) { return is_less(budget_, a->first, b->first); });
  }
  out_ += '{';
  bool is_first = true;
  for (const auto* entry : entries) {
    if (!is_first) out_ += style_.item_separator;
    is_first = false;
    start_line(level + 1);
    write_text(key_text(entry->first));
    out_ += style_.key_separator;
    write(entry->second, level + 1);
  }
  start_line(level);
  out_ += '}';
}

void JsonWriter::write(const Value& value, int level) {
  budget_.step();
  if (out_.size() > budget_.limits().max_value_bytes) budget_.grow(out_.size());  // fails
  switch (value.kind()) {
    case Kind::none:
      out_ += "null";
      break;
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
      out_ += number_text(value);
      break;
    case Kind::text:
      write_text(value.bytes());
      break;
    case Kind::sequence:
      write_sequence(value.sequence(), level);
      break;
    case Kind::dict:
      write_dict(value.dict(), level);
      break;
    default:
      fail(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
  }
}

}  // namespace

std::string to_json(Budget& budget, const Value& value, const JsonStyle& style) {
  JsonWriter writer(budget, style);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace refserver::jinja
