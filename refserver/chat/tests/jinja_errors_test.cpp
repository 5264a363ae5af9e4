// What is wrong with a template is said with the construct's name and its line; limits hold whatever the template does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

#include "refserver/chat/chat_template.hpp"

namespace refserver {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

const ordered_json kMessages = {{{"role", "user"}, {"content", "Hi"}}};

/// The prompt, or "load: " or "render: " and the error.
std::string outcome(const std::string& text) {
  const auto loaded = ChatTemplate::from_text(text, ordered_json::object());
  if (!loaded) return "load: " + loaded.error().text;
  const auto prompt = (*loaded)->render({.messages = kMessages});
  return prompt ? *prompt : "render: " + prompt.error().text;
}

struct Row {
  std::string text;
  std::string wanted;
};

TEST(JinjaErrors, SyntaxIsRefusedAtLoad) {
  const Row rows[] = {
      {"a\n{% include 'x' %}", "load: the statement 'include' is not supported (in <string>:2)"},
      {"{% block b %}{% endblock %}", "load: the statement 'block' is not supported (in <string>:1)"},
      {"\n\n{% frobnicate %}", "load: unknown statement 'frobnicate' (in <string>:3)"},
      {"{% if x %}\n{% endfor %}", "load: unknown statement 'endfor' (in <string>:2)"},
      {"{% if x %}", "load: the template ends before 'endif' (in <string>:1)"},
      {"{% for x in y %}{% else %}", "load: the template ends before 'endfor' (in <string>:1)"},
      {"{{ x", "load: expected end of print statement, got end of template (in <string>:1)"},
      {"{{ x }", "load: unexpected '}' (in <string>:1)"},
      {"{{ (x] }}", "load: unexpected ']', expected ')' (in <string>:1)"},
      {"{{ 'x }}", "load: a text in quotes has no end (in <string>:1)"},
      {"{{ 1 ? 2 }}", "load: unexpected character '?' (in <string>:1)"},
      {"{{ é }}", "load: unexpected character 'é' (in <string>:1)"},
      {"{# x", "load: missing end of comment (in <string>:1)"},
      {"{% raw %}x", "load: missing end of raw block (in <string>:1)"},
      {"{{ 99999999999999999999 }}", "load: integers beyond 64 bits are not supported (in <string>:1)"},
      {"{{ '\\ud800' }}", "load: a text holds U+D800, which is not a character (in <string>:1)"},
      {"{{ '\\x4' }}", "load: a \\ in a text needs 2 hexadecimal digits (in <string>:1)"},
      {"{{ x[1,2] }}", "load: a subscript with a comma is not supported (in <string>:1)"},
      {"{% for x in y recursive %}{% endfor %}", "load: recursive loops are not supported (in <string>:1)"},
      {"{% set 1 = 2 %}", "load: expected a name, got '1' (in <string>:1)"},
      {"{% set none = 2 %}", "load: cannot assign to 'none' (in <string>:1)"},
      {"{% macro m(a, a) %}{% endmacro %}", "load: parameter 'a' is there twice (in <string>:1)"},
      {"{% macro m(a=1, b) %}{% endmacro %}",
       "load: parameter 'b' needs a default like the one before it (in <string>:1)"},
      {"{{ f(a=1, 2) }}", "load: invalid order of arguments in a call (in <string>:1)"},
      {"{{ f(a=1, a=2) }}", "load: keyword argument repeated: a (in <string>:1)"},
      {"{% call 1 %}{% endcall %}", "load: expected a call after `call` (in <string>:1)"},
      {"{{ x is defined is none }}", "load: tests cannot be chained with `is` (in <string>:1)"},
      {"{% break %}", "load: 'break' outside of a loop (in <string>:1)"},
      {"{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}",
       "load: 'continue' outside of a loop (in <string>:1)"},
      {"{% for loop in y %}{% endfor %}",
       "load: Can't assign to special loop variable in for-loop target (in <string>:1)"},
      {"\n{{ x|urlize }}", "load: the filter 'urlize' is not supported (in <string>:2)"},
      {"\n{{ x|nosuch }}", "load: No filter named 'nosuch'. (in <string>:2)"},
      {"{{ x is nosuch }}", "load: No test named 'nosuch'. (in <string>:1)"},
  };
  for (const Row& row : rows) EXPECT_EQ(outcome(row.text), row.wanted) << row.text;
}

TEST(JinjaErrors, WhatOnlyARenderingShowsIsSaidThere) {
  const Row rows[] = {
      {"\n{{ nothing.more }}", "render: 'nothing' is undefined (in <string>:2)"},
      {"{{ messages[0].foo.bar }}", "render: 'dict object' has no attribute 'foo' (in <string>:1)"},
      {"{{ messages[7].role }}", "render: list object has no element 7 (in <string>:1)"},
      {"{{ messages.append(1) }}", "render: access to attribute 'append' of 'list' object is unsafe. (in <string>:1)"},
      {"{{ ''.__class__.x }}", "render: access to attribute '__class__' of 'str' object is unsafe. (in <string>:1)"},
      {"{{ 'a' + 1 }}", "render: can only concatenate str (not \"int\") to str (in <string>:1)"},
      {"{{ 1 + 'a' }}", "render: unsupported operand type(s) for +: 'int' and 'str' (in <string>:1)"},
      {"{{ 1 < 'a' }}", "render: '<' not supported between instances of 'int' and 'str' (in <string>:1)"},
      {"{{ 1 // 0 }}", "render: integer division or modulo by zero (in <string>:1)"},
      {"{{ '%s' % 1 }}", "render: formatting text with % is not supported (in <string>:1)"},
      {"{{ ''.format(1) }}", "render: 'str.format' is not supported (in <string>:1)"},
      {"{{ cycler(1) }}", "render: the global 'cycler' is not supported (in <string>:1)"},
      {"{{ 9223372036854775807 + 1 }}", "render: integers beyond 64 bits are not supported (in <string>:1)"},
      {"{% for a, b in [[1]] %}{% endfor %}",
       "render: not enough values to unpack (expected 2, got 1) (in <string>:1)"},
      {"{% if true %}\n{{ 1|nosuch }}{% endif %}", "render: No filter named 'nosuch' found. (in <string>:2)"},
      {"{% if false %}{{ 1|nosuch }}{% endif %}fine", "fine"},
      {"{% set x.y = 1 %}", "render: cannot assign attribute on non-namespace object (in <string>:1)"},
      {"{% macro m() %}\n{{ 1/0 }}{% endmacro %}\n{{ m() }}", "render: division by zero (in <string>:2)"},
  };
  for (const Row& row : rows) EXPECT_EQ(outcome(row.text), row.wanted) << row.text;
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

/// The template fails with these words, and soon: in seconds of this process, however busy the machine is.
void expect_limit(const std::string& text, const std::string& words) {
  const std::clock_t start = std::clock();
  const std::string got = outcome(text);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_THAT(got.substr(0, 200), HasSubstr(words)) << text.substr(0, 100);
  EXPECT_LT(seconds, 20) << text.substr(0, 100);
}

TEST(JinjaLimits, NestingAndLengthOfATemplate) {
  expect_limit(repeat("a", 600 << 10), "the template is longer than 524288 bytes");
  expect_limit("{{ " + repeat("(", 5000) + "1" + repeat(")", 5000) + " }}", "nested too deeply");
  expect_limit("{{ " + repeat("[", 5000) + repeat("]", 5000) + " }}", "nested too deeply");
  expect_limit("{{ " + repeat("-", 5000) + "1 }}", "nested too deeply");
  expect_limit("{{ " + repeat("not ", 5000) + "1 }}", "nested too deeply");
  expect_limit("{{ 1" + repeat(" if 1 else 2", 5000) + " }}", "nested too deeply");
  expect_limit("{{ 1" + repeat(" + 1", 5000) + " }}", "too long");
  expect_limit("{{ x" + repeat(".x", 5000) + " }}", "too long");
  expect_limit("{{ x" + repeat("|trim", 5000) + " }}", "too long");
  expect_limit(repeat("{% if x %}", 5000), "nested too deeply");
  expect_limit(repeat("{% for x in y %}", 5000), "nested too deeply");
  std::string names;
  for (int i = 0; i < 3000; ++i) names += "{{ x" + std::to_string(i) + " }}";
  expect_limit(names, "too many names");
}

TEST(JinjaLimits, StepsDepthAndSizeOfARendering) {
  const std::string forever = repeat("{% for x in range(100000) %}", 5) + repeat("{% endfor %}", 5);
  expect_limit(forever, "too many steps");
  expect_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recurses too deeply");
  expect_limit("{% macro m(n) %}{% if n %}{% for x in [n] %}{{ m(n) }}{% endfor %}{% endif %}{% endmacro %}{{ m(1) }}",
               "recurses too deeply");
  expect_limit("{{ 'a' * 1000000000 }}", "too large a value");
  expect_limit("{{ [1] * 1000000000 }}", "too large a value");
  expect_limit("{{ 'a'|center(1000000000) }}", "too large a value");
  expect_limit("{{ 'a'|indent(1000000000) }}", "too large a value");
  expect_limit("{{ [1]|tojson(indent=1000000000) }}", "too large a value");
  expect_limit("{{ range(1000000000) }}", "Range too big");
  expect_limit("{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
               "too large a value");
  expect_limit("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
               "too large a value");
  expect_limit(
      "{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s.replace('', 'abcdefgh') %}{% endfor "
      "%}",
      "too large a value");
  expect_limit("{% set s = 'abcdefgh' * 100000 %}{% for i in range(1000) %}{{ s }}{% endfor %}", "too long a prompt");
  expect_limit("{% set s = 'abcdefgh' * 100000 %}{% for i in range(100000) %}{% set t = s ~ i %}{% endfor %}",
               "too much memory");
}

TEST(JinjaLimits, ValuesInsideThemselves) {
  expect_limit("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
               "nests values too deeply");
  expect_limit(
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l|map('list') %}{% endfor %}",
      "nests values too deeply");
  expect_limit("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "recurses too deeply");
  // Shared parts make these trees of 2 to the power of 100 nodes.
  const std::string doubling =
      "{% set ns = namespace(l=(1,)) %}{% for i in range(100) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}";
  expect_limit(doubling + "{{ ns.l }}", "too many steps");
  expect_limit(doubling + "{{ ns.l|tojson }}", "the template ");
  expect_limit(doubling + "{{ {ns.l: 1} }}", "too many steps");
  EXPECT_EQ(outcome(doubling + "{{ ns.l == ns.l }}"), "True");
}

TEST(JinjaLimits, ALongChainOfNamespacesIsFreed) {
  EXPECT_EQ(
      outcome("{% set a = namespace(l=[]) %}{% for i in range(20000) %}{% set a.n = namespace(p=a.n) %}{% endfor %}ok"),
      "ok");
  EXPECT_EQ(outcome("{% set a = namespace() %}{% for x in [1] %}{% for y in [a.l] %}{% set a.l = loop %}{% endfor %}{% "
                    "endfor %}ok"),
            "ok");
}

TEST(JinjaLimits, AnIteratorMayOutliveItsLoop) {
  const std::string text =
      "{% set ns = namespace() %}{% for x in [1, 2, 3] if x > 1 %}{% set ns.l = loop %}{% break %}{% endfor %}{{ "
      "ns.l.length }}";
  EXPECT_THAT(outcome(text), HasSubstr("used after its end"));
  EXPECT_EQ(outcome("{% set ns = namespace() %}{% for x in [1] %}{% macro m() %}[{{ x }}]{% endmacro %}{% set ns.m = m "
                    "%}{% endfor %}{{ ns.m() }}"),
            "[]");
}

}  // namespace
}  // namespace refserver
