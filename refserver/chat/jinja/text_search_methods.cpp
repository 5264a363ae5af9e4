// Methods of str that look: startswith, find, count, isdigit ...
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

/// The part of a text that start and end leave, and how many characters stand before it.
struct Window {
  std::string_view text;
  std::int64_t before = 0;
};

/// Nothing where start lies behind the end, so that not even "" is found there.
std::optional<Window> make_window(Budget& budget, const Value& subject, const Value& start, const Value& end) {
  const std::string& text = subject.bytes();
  budget.scan(text.size());
  if (!is_given(start) && !is_given(end)) return Window{text, 0};
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  const auto settle = [&](std::int64_t at) {
    return at < 0 ? std::max<std::int64_t>(at < -length ? 0 : at + length, 0) : at;
  };
  const std::int64_t first = is_given(start) ? settle(as_integer(start)) : 0;
  const std::int64_t last = std::min(is_given(end) ? settle(as_integer(end)) : length, length);
  if (first > last) return std::nullopt;
  const std::size_t from = byte_position(text, static_cast<std::size_t>(first));
  const std::size_t to =
      from + byte_position(std::string_view(text).substr(from), static_cast<std::size_t>(last - first));
  return Window{std::string_view(text).substr(from, to - from), first};
}

std::vector<Value> bind_search(std::string_view method, const Arguments& arguments) {
  if (!arguments.keywords.empty()) fail(fmt::format("{}() takes no keyword arguments", method));
  return bind(method, arguments, {"sub", "start", "end"}, 1);
}

enum class Side : std::uint8_t { start, end };

Value has_affix(Interpreter& interpreter, const Value& subject, const Arguments& arguments, Side side) {
  const std::string_view method = side == Side::start ? "startswith" : "endswith";
  const auto given = bind_search(method, arguments);
  const auto window = make_window(interpreter.budget(), subject, given[1], given[2]);
  const auto matches = [&](const Value& affix) {
    if (!affix.is(Kind::text))
      fail(fmt::format("{} first arg must be str or a tuple of str, not {}", method, type_name(affix)));
    if (!window) return false;
    return side == Side::start ? window->text.starts_with(affix.bytes()) : window->text.ends_with(affix.bytes());
  };
  if (given[0].is(Kind::sequence) && given[0].sequence().is_tuple) {
    interpreter.budget().step(given[0].sequence().items.size());
    return Value(std::any_of(given[0].sequence().items.begin(), given[0].sequence().items.end(), matches));
  }
  return Value(matches(given[0]));
}

Value method_startswith(Interpreter& i, const Value& subject, Arguments& a) {
  return has_affix(i, subject, a, Side::start);
}
Value method_endswith(Interpreter& i, const Value& subject, Arguments& a) {
  return has_affix(i, subject, a, Side::end);
}

/// The character at which the first (or last) occurrence starts, or -1.
std::int64_t find_text(Interpreter& interpreter, const Value& subject, const Arguments& arguments, Side side) {
  const auto given = bind_search(side == Side::start ? "find" : "rfind", arguments);
  const std::string& part = as_text(given[0], "find() argument 1");
  const auto window = make_window(interpreter.budget(), subject, given[1], given[2]);
  if (!window) return -1;
  const std::size_t at = side == Side::start ? window->text.find(part) : window->text.rfind(part);
  if (at == std::string_view::npos) return -1;
  return window->before + static_cast<std::int64_t>(count_code_points(window->text.substr(0, at)));
}

Value method_find(Interpreter& i, const Value& subject, Arguments& a) {
  return Value(find_text(i, subject, a, Side::start));
}
Value method_rfind(Interpreter& i, const Value& subject, Arguments& a) {
  return Value(find_text(i, subject, a, Side::end));
}

Value require_found(std::int64_t at) {
  if (at < 0) fail("substring not found");
  return Value(at);
}

Value method_index(Interpreter& i, const Value& subject, Arguments& a) {
  return require_found(find_text(i, subject, a, Side::start));
}
Value method_rindex(Interpreter& i, const Value& subject, Arguments& a) {
  return require_found(find_text(i, subject, a, Side::end));
}

Value method_count(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind_search("count", arguments);
  const std::string& part = as_text(given[0], "count() argument 1");
  const auto window = make_window(interpreter.budget(), subject, given[1], given[2]);
  return Value(window ? static_cast<std::int64_t>(count_occurrences(window->text, part)) : std::int64_t{0});
}

/// Whether the text is not empty and every character passes.
template <class Predicate>
Value all_are(Interpreter& interpreter, const Value& subject, const Arguments& arguments, Predicate passes) {
  bind_none("str method", arguments);
  const std::string& text = subject.bytes();
  interpreter.budget().scan(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (!passes(next_code_point(text, at))) return Value(false);
  }
  return Value(!text.empty());
}

/// Letters and digits are known for ASCII only; a wrong answer for others would be worse than none.
void require_ascii(char32_t c) {
  if (c >= 0x80) fail("isalpha, isalnum, isdigit, isdecimal and isnumeric are supported for ASCII only");
}
bool is_digit(char32_t c) {
  require_ascii(c);
  return c >= '0' && c <= '9';
}
bool is_letter(char32_t c) {
  require_ascii(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Value method_isdigit(Interpreter& i, const Value& subject, Arguments& a) {
  return all_are(i, subject, a, is_digit);
}
Value method_isalpha(Interpreter& i, const Value& subject, Arguments& a) {
  return all_are(i, subject, a, is_letter);
}
Value method_isalnum(Interpreter& i, const Value& subject, Arguments& a) {
  return all_are(i, subject, a, [](char32_t c) { return is_letter(c) || is_digit(c); });
}
Value method_isspace(Interpreter& i, const Value& subject, Arguments& a) {
  return all_are(i, subject, a, is_space);
}
Value method_isprintable(Interpreter& i, const Value& subject, Arguments& a) {
  return Value(subject.bytes().empty() || all_are(i, subject, a, is_printable).boolean());
}
Value method_isascii(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("isascii", arguments);
  return Value(subject.text().is_ascii);
}
Value method_islower(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return Value(find_test("lower")(interpreter, subject, arguments));
}
Value method_isupper(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return Value(find_test("upper")(interpreter, subject, arguments));
}

constexpr BuiltinRow kRows[] = {
    {"startswith", method_startswith}, {"endswith", method_endswith}, {"find", method_find},
    {"rfind", method_rfind},           {"index", method_index},       {"rindex", method_rindex},
    {"count", method_count},           {"isdigit", method_isdigit},   {"isdecimal", method_isdigit},
    {"isnumeric", method_isdigit},     {"isalpha", method_isalpha},   {"isalnum", method_isalnum},
    {"isspace", method_isspace},       {"isascii", method_isascii},   {"isprintable", method_isprintable},
    {"islower", method_islower},       {"isupper", method_isupper},   {"istitle", nullptr},
    {"isidentifier", nullptr},
};

}  // namespace

std::span<const BuiltinRow> text_search_methods() {
  return kRows;
}

}  // namespace refserver::jinja
