// str() and repr().
#include "refserver/chat/jinja/print.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "refserver/chat/jinja/loop.hpp"
#include "refserver/chat/jinja/objects.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

/// One code point inside quotes.
void append_quoted(std::string& out, char32_t c, char quote) {
  switch (c) {
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (c == static_cast<unsigned char>(quote)) {
    out += '\\';
    out += quote;
  } else if ((c >= 0x20 && c < 0x7F) || (c > 0x7F && is_printable(c))) {
    append_code_point(out, c);
  } else if (c < 0x100) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
  } else if (c < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
  }
}

void append_items(Budget& budget, std::string& out, const std::vector<Value>& items) {
  bool is_first = true;
  for (const Value& item : items) {
    if (!is_first) out += ", ";
    is_first = false;
    append_repr(budget, out, item);
  }
}

void append_dict(Budget& budget, std::string& out, const Dict& dict) {
  out += '{';
  bool is_first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!is_first) out += ", ";
    is_first = false;
    append_repr(budget, out, key);
    out += ": ";
    append_repr(budget, out, value);
  }
  out += '}';
}

void append_namespace(Budget& budget, std::string& out, const Namespace& space) {
  const Budget::Level level(budget);  // it may hold itself
  out += "<Namespace {";
  bool is_first = true;
  for (const auto& [name, value] : space.attributes) {
    if (!is_first) out += ", ";
    is_first = false;
    out += quoted(name);
    out += ": ";
    append_repr(budget, out, value);
  }
  out += "}>";
}

void append_object(Budget& budget, std::string& out, const Value& value) {
  switch (value.object().object_kind()) {
    case ObjectKind::name_space:
      append_namespace(budget, out, value.as<Namespace>());
      return;
    case ObjectKind::function:
      out += value.as<Function>().show();
      return;
    case ObjectKind::loop:
      out += value.as<Loop>().show();
      return;
    case ObjectKind::range: {
      const Range& range = value.as<Range>();
      out += fmt::format("range({}, {}", range.start, range.stop);
      out += range.step == 1 ? ")" : fmt::format(", {})", range.step);
      return;
    }
    case ObjectKind::view:
      out += type_name(value);
      out += "([";
      append_items(budget, out, collect(budget, value));
      out += "])";
      return;
    default:
      out += fmt::format("<{} object>", type_name(value));  // Python adds the address
  }
}

}  // namespace

std::string show_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char digits[32];
  const auto scientific = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific);
  const std::string_view shown(digits, static_cast<std::size_t>(scientific.ptr - digits));
  const std::size_t mark = shown.find('e');
  int exponent = 0;
  const char* from = shown.data() + mark + (shown[mark + 1] == '+' ? 2 : 1);
  std::from_chars(from, shown.data() + shown.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shown);  // the same form as Python's: 1e-05, 1.5e+16
  char plain[64];
  const auto fixed = std::to_chars(plain, plain + sizeof plain, value, std::chars_format::fixed);
  std::string out(plain, fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string short_repr(const Value& number) {
  if (number.is(Kind::boolean)) return number.boolean() ? "True" : "False";
  return number.is(Kind::real) ? show_real(number.real()) : std::to_string(number.integer());
}

std::string quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) append_quoted(out, next_code_point(text, at), quote);
  return out += quote;
}

void append_repr(Budget& budget, std::string& out, const Value& value) {
  budget.step();
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
      out += "Undefined";
      break;
    case Kind::none:
      out += "None";
      break;
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
      out += short_repr(value);
      break;
    case Kind::text:
      budget.grow(value.bytes().size());
      out += value.text().is_markup ? fmt::format("Markup({})", quoted(value.bytes())) : quoted(value.bytes());
      break;
    case Kind::sequence: {
      const Sequence& sequence = value.sequence();
      out += sequence.is_tuple ? '(' : '[';
      append_items(budget, out, sequence.items);
      out += sequence.is_tuple ? (sequence.items.size() == 1 ? ",)" : ")") : "]";
      break;
    }
    case Kind::dict:
      append_dict(budget, out, value.dict());
      break;
    case Kind::object:
      append_object(budget, out, value);
      break;
  }
}

void append_text(Budget& budget, std::string& out, const Value& value) {
  if (value.is(Kind::text)) {
    budget.scan(value.bytes().size());
    out += value.bytes();
  } else if (!value.is(Kind::undefined)) {
    append_repr(budget, out, value);
  }
}

std::string to_text(Budget& budget, const Value& value) {
  std::string out;
  append_text(budget, out, value);
  return out;
}

}  // namespace refserver::jinja
