// Methods of str that make text: strip, split, replace, upper ...
#include <fmt/format.h>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

/// Python's methods of builtin types take no keyword arguments unless they say so.
void refuse_keywords(std::string_view method, const Arguments& arguments) {
  if (!arguments.keywords.empty()) fail(fmt::format("str.{}() takes no keyword arguments", method));
}

Markup markup_of(const Value& text) {
  return text.text().is_markup ? Markup::yes : Markup::no;
}

Value strip_sides(Interpreter& interpreter, const Value& subject, Arguments& arguments, Sides sides) {
  refuse_keywords("strip", arguments);
  const auto given = bind("strip", arguments, {"chars"});
  const std::string& text = subject.bytes();
  if (!is_given(given[0])) return make_text(interpreter.budget(), std::string(strip(text, sides)), markup_of(subject));
  const std::string& characters = as_text(given[0], "strip arg");
  interpreter.budget().grow(characters.size() + 1, text.size());
  return make_text(interpreter.budget(), std::string(strip(text, sides, characters)), markup_of(subject));
}

Value method_strip(Interpreter& i, const Value& subject, Arguments& a) {
  return strip_sides(i, subject, a, Sides::both);
}
Value method_lstrip(Interpreter& i, const Value& subject, Arguments& a) {
  return strip_sides(i, subject, a, Sides::left);
}
Value method_rstrip(Interpreter& i, const Value& subject, Arguments& a) {
  return strip_sides(i, subject, a, Sides::right);
}

/// A method without arguments that makes another text.
template <std::string (*change)(std::string_view)>
Value method_change(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("str method", arguments);
  interpreter.budget().grow(subject.bytes().size() * 3);
  return make_text(interpreter.budget(), change(subject.bytes()), markup_of(subject));
}

Value make_texts(Interpreter& interpreter, const std::vector<std::string_view>& parts) {
  std::vector<Value> texts;
  texts.reserve(parts.size());
  for (const std::string_view part : parts) texts.push_back(make_text(interpreter.budget(), std::string(part)));
  return make_list(interpreter.budget(), std::move(texts));
}

Value split_text(Interpreter& interpreter, const Value& subject, Arguments& arguments, bool is_from_right) {
  const auto given = bind("split", arguments, {"sep", "maxsplit"});
  const std::string& text = subject.bytes();
  const std::int64_t limit = as_integer_or(given[1], -1);
  interpreter.budget().allocate(text.size() * 8);  // at worst every other byte is a part
  if (!is_given(given[0]))
    return make_texts(interpreter, is_from_right ? split_from_right(text, limit) : split(text, limit));
  const std::string& separator = as_text(given[0], "separator");
  if (separator.empty()) fail("empty separator");
  return make_texts(interpreter,
                    is_from_right ? split_from_right(text, separator, limit) : split(text, separator, limit));
}

Value method_split(Interpreter& i, const Value& subject, Arguments& a) {
  return split_text(i, subject, a, false);
}
Value method_rsplit(Interpreter& i, const Value& subject, Arguments& a) {
  return split_text(i, subject, a, true);
}

Value method_splitlines(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("splitlines", arguments, {"keepends"});
  interpreter.budget().allocate(subject.bytes().size() * 8);
  return make_texts(interpreter,
                    split_lines(subject.bytes(), as_bool_or(given[0], false) ? LineEnds::keep : LineEnds::drop));
}

Value partition(Interpreter& interpreter, const Value& subject, Arguments& arguments, bool is_from_right) {
  const auto given = bind("partition", arguments, {"sep"}, 1);
  Budget& budget = interpreter.budget();
  const std::string& text = subject.bytes();
  const std::string& separator = as_text(given[0], "separator");
  if (separator.empty()) fail("empty separator");
  budget.scan(text.size());
  const std::size_t at = is_from_right ? text.rfind(separator) : text.find(separator);
  const Value nothing = make_text_uncounted("");
  if (at == std::string::npos) {
    return is_from_right ? make_tuple(budget, {nothing, nothing, subject})
                         : make_tuple(budget, {subject, nothing, nothing});
  }
  return make_tuple(
      budget, {make_text(budget, text.substr(0, at)), given[0], make_text(budget, text.substr(at + separator.size()))});
}

Value method_partition(Interpreter& i, const Value& subject, Arguments& a) {
  return partition(i, subject, a, false);
}
Value method_rpartition(Interpreter& i, const Value& subject, Arguments& a) {
  return partition(i, subject, a, true);
}

Value method_replace(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("replace", arguments);
  const auto given = bind("replace", arguments, {"old", "new", "count"}, 2);
  const std::string& old = as_text(given[0], "replace() argument 1");
  const std::string& by = as_text(given[1], "replace() argument 2");
  const std::int64_t limit = as_integer_or(given[2], -1);
  interpreter.budget().grow(by.size(), count_occurrences(subject.bytes(), old));
  return make_text(interpreter.budget(), replace_all(subject.bytes(), old, by, limit));
}

Value method_join(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("join", arguments);
  const auto given = bind("join", arguments, {"iterable"}, 1);
  Budget& budget = interpreter.budget();
  std::string out;
  std::size_t count = 0;
  const auto iterator = iterate(budget, given[0]);
  for (Value item = iterator->next(); !item.is(Kind::missing); item = iterator->next()) {
    if (!item.is(Kind::text))
      fail(fmt::format("sequence item {}: expected str instance, {} found", count, type_name(item)));
    if (count++ != 0) out += subject.bytes();
    out += item.bytes();
    budget.scan(subject.bytes().size() + item.bytes().size());
    if (out.size() > budget.limits().max_value_bytes) break;  // make_text says so
  }
  return make_text(budget, std::move(out));
}

Value method_removeprefix(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("removeprefix", arguments);
  const std::string prefix = as_text(bind("removeprefix", arguments, {"prefix"}, 1)[0], "removeprefix() argument");
  if (!subject.bytes().starts_with(prefix)) return subject;
  return make_text(interpreter.budget(), subject.bytes().substr(prefix.size()));
}

Value method_removesuffix(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("removesuffix", arguments);
  const std::string suffix = as_text(bind("removesuffix", arguments, {"suffix"}, 1)[0], "removesuffix() argument");
  if (!subject.bytes().ends_with(suffix)) return subject;
  return make_text(interpreter.budget(), subject.bytes().substr(0, subject.bytes().size() - suffix.size()));
}

enum class Align : std::uint8_t { left, right, center };

Value pad(Interpreter& interpreter, const Value& subject, Arguments& arguments, Align align) {
  refuse_keywords("center", arguments);
  const auto given = bind("center", arguments, {"width", "fillchar"}, 1);
  const std::string& text = subject.bytes();
  const std::string fill = given[1].is(Kind::missing) ? " " : as_text(given[1], "the fill character");
  if (count_code_points(fill) != 1) fail("The fill character must be exactly one character long");
  const std::int64_t width = as_integer(given[0]);
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  if (width <= length) return subject;
  const auto padding = static_cast<std::uint64_t>(width - length);
  interpreter.budget().grow(fill.size(), padding);
  const std::uint64_t before = align == Align::left ? 0
                               : align == Align::right
                                   ? padding
                                   : padding / 2 + (padding & static_cast<std::uint64_t>(width) & 1U);
  std::string out;
  for (std::uint64_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (std::uint64_t i = before; i < padding; ++i) out += fill;
  return make_text(interpreter.budget(), std::move(out));
}

Value method_ljust(Interpreter& i, const Value& subject, Arguments& a) {
  return pad(i, subject, a, Align::left);
}
Value method_rjust(Interpreter& i, const Value& subject, Arguments& a) {
  return pad(i, subject, a, Align::right);
}
Value method_center(Interpreter& i, const Value& subject, Arguments& a) {
  return pad(i, subject, a, Align::center);
}

Value method_zfill(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("zfill", arguments);
  const std::int64_t width = as_integer(bind("zfill", arguments, {"width"}, 1)[0]);
  const std::string& text = subject.bytes();
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  if (width <= length) return subject;
  interpreter.budget().grow(static_cast<std::uint64_t>(width - length));
  const std::size_t sign = text.starts_with('+') || text.starts_with('-') ? 1 : 0;
  return make_text(
      interpreter.budget(),
      text.substr(0, sign) + std::string(static_cast<std::size_t>(width - length), '0') + text.substr(sign));
}

constexpr BuiltinRow kRows[] = {
    {"strip", method_strip},
    {"lstrip", method_lstrip},
    {"rstrip", method_rstrip},
    {"upper", method_change<to_upper>},
    {"lower", method_change<to_lower>},
    {"title", method_change<to_title>},
    {"capitalize", method_change<to_capitalized>},
    {"split", method_split},
    {"rsplit", method_rsplit},
    {"splitlines", method_splitlines},
    {"partition", method_partition},
    {"rpartition", method_rpartition},
    {"replace", method_replace},
    {"join", method_join},
    {"removeprefix", method_removeprefix},
    {"removesuffix", method_removesuffix},
    {"ljust", method_ljust},
    {"rjust", method_rjust},
    {"center", method_center},
    {"zfill", method_zfill},
    {"casefold", nullptr},
    {"encode", nullptr},
    {"expandtabs", nullptr},
    {"format", nullptr},
    {"format_map", nullptr},
    {"maketrans", nullptr},
    {"swapcase", nullptr},
    {"translate", nullptr},
};

}  // namespace

std::span<const BuiltinRow> text_methods() {
  return kRows;
}

}  // namespace refserver::jinja
