// Filters that make text: trim, replace, indent, tojson ...
#include <fmt/format.h>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/json_writer.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

Markup markup_of(const Value& value) {
  return value.is(Kind::text) && value.text().is_markup ? Markup::yes : Markup::no;
}

/// str() of the subject, counted.
std::string subject_text(Interpreter& interpreter, const Value& subject) {
  std::string text = to_text(interpreter.budget(), subject);
  interpreter.budget().grow(text.size());
  return text;
}

Value filter_trim(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("trim", arguments, {"chars"});
  const std::string text = subject_text(interpreter, subject);
  if (!is_given(given[0]))
    return make_text(interpreter.budget(), std::string(strip(text, Sides::both)), markup_of(subject));
  const std::string& characters = as_text(given[0], "strip arg");
  interpreter.budget().grow(characters.size(), text.size());
  return make_text(interpreter.budget(), std::string(strip(text, Sides::both, characters)), markup_of(subject));
}

Value filter_upper(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("upper", arguments);
  return make_text(interpreter.budget(), to_upper(subject_text(interpreter, subject)), markup_of(subject));
}

Value filter_lower(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("lower", arguments);
  return make_text(interpreter.budget(), to_lower(subject_text(interpreter, subject)), markup_of(subject));
}

Value filter_capitalize(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("capitalize", arguments);
  return make_text(interpreter.budget(), to_capitalized(subject_text(interpreter, subject)), markup_of(subject));
}

/// Not str.title: words start after white space and - ( { [ < only.
Value filter_title(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("title", arguments);
  const std::string text = subject_text(interpreter, subject);
  std::string out;
  const auto add_word = [&](std::string_view word) {
    if (word.empty()) return;
    std::size_t first = 0;
    next_code_point(word, first);
    out += to_upper(word.substr(0, first));
    out += to_lower(word.substr(first));
  };
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const char32_t c = next_code_point(text, at);
    if (!is_space(c) && !(c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) != std::string_view::npos))
      continue;
    add_word(std::string_view(text).substr(start, here - start));
    out += text.substr(here, at - here);
    start = at;
  }
  add_word(std::string_view(text).substr(start));
  return make_text(interpreter.budget(), std::move(out));
}

Value filter_center(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("center", arguments, {"width"});
  const std::string text = subject_text(interpreter, subject);
  const std::int64_t width = as_integer_or(given[0], 80);
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  if (width <= length) return make_text(interpreter.budget(), text, markup_of(subject));
  const auto padding = static_cast<std::uint64_t>(width - length);
  interpreter.budget().grow(padding);
  const std::uint64_t left = padding / 2 + (padding & static_cast<std::uint64_t>(width) & 1U);
  return make_text(interpreter.budget(), std::string(left, ' ') + text + std::string(padding - left, ' '),
                   markup_of(subject));
}

Value filter_replace(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("replace", arguments, {"old", "new", "count"}, 2);
  Budget& budget = interpreter.budget();
  const std::string text = subject_text(interpreter, subject);
  const std::string old = to_text(budget, given[0]);
  const std::string by = to_text(budget, given[1]);
  const std::int64_t limit = is_given(given[2]) ? as_integer(given[2]) : -1;
  budget.grow(by.size(), count_occurrences(text, old));
  return make_text(budget, replace_all(text, old, by, limit));
}

Value filter_string(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("string", arguments);
  if (subject.is(Kind::text)) return subject;
  return make_text(interpreter.budget(), to_text(interpreter.budget(), subject));
}

/// The lines after the first, or all, moved in; empty ones only where asked for.
Value filter_indent(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("indent", arguments, {"width", "first", "blank"});
  require_defined(subject);
  if (!subject.is(Kind::text)) fail(fmt::format("indent needs a text, not {}", type_name(subject)));
  const std::string text = subject.bytes() + "\n";
  std::string indention;
  if (given[0].is(Kind::text)) {
    indention = given[0].bytes();
  } else {
    const std::int64_t width = as_integer_or(given[0], 4);
    interpreter.budget().grow(static_cast<std::uint64_t>(std::max<std::int64_t>(width, 0)));
    indention.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
  }
  const bool has_blank = as_bool_or(given[2], false);
  const std::vector<std::string_view> lines = split_lines(text, LineEnds::drop);
  interpreter.budget().grow(indention.size() + 1, lines.size());
  std::string out = as_bool_or(given[1], false) ? indention : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (has_blank || !lines[i].empty())) out += indention;
    out += lines[i];
  }
  return make_text(interpreter.budget(), std::move(out), markup_of(subject));
}

/// The indentation of tojson: a number of spaces, or a text.
void set_indent(Budget& budget, JsonStyle& style, const Value& indent) {
  if (!is_given(indent)) return;
  style.is_indented = true;
  style.item_separator = ",";
  if (indent.is(Kind::text)) {
    style.indent = indent.bytes();
  } else {
    const auto width = static_cast<std::uint64_t>(std::max<std::int64_t>(as_integer(indent), 0));
    budget.grow(width);
    style.indent.assign(width, ' ');
  }
}

Value filter_tojson(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.is_ascii_only = as_bool_or(given[0], false);
  set_indent(interpreter.budget(), style, given[1]);
  if (is_given(given[2])) {
    const std::vector<Value> separators = collect(interpreter.budget(), given[2]);
    if (separators.size() != 2) fail("tojson needs two separators");
    style.item_separator = as_text(separators[0], "a separator");
    style.key_separator = as_text(separators[1], "a separator");
  }
  style.has_sorted_keys = as_bool_or(given[3], false);
  return make_text(interpreter.budget(), to_json(interpreter.budget(), subject, style));
}

Value filter_safe(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("safe", arguments);
  return make_text(interpreter.budget(), to_text(interpreter.budget(), subject), Markup::yes);
}

Value filter_force_escape(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("escape", arguments);
  const std::string text = subject_text(interpreter, subject);
  interpreter.budget().grow(text.size() * 5);
  return make_text(interpreter.budget(), escape_html(text), Markup::yes);
}

Value filter_escape(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return markup_of(subject) == Markup::yes ? subject : filter_force_escape(interpreter, subject, arguments);
}

constexpr BuiltinRow kRows[] = {
    {"trim", filter_trim},       {"upper", filter_upper},
    {"lower", filter_lower},     {"title", filter_title},
    {"center", filter_center},   {"capitalize", filter_capitalize},
    {"replace", filter_replace}, {"string", filter_string},
    {"indent", filter_indent},   {"tojson", filter_tojson},
    {"safe", filter_safe},       {"escape", filter_escape},
    {"e", filter_escape},        {"forceescape", filter_force_escape},
};

}  // namespace

std::span<const BuiltinRow> text_filters() {
  return kRows;
}

}  // namespace refserver::jinja
