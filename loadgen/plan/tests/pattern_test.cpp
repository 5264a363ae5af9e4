// Regular expressions: what matches, what is refused, and that hostile ones give up.
#include "loadgen/plan/pattern.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace loadgen {
namespace {

Pattern::Found found(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  if (!compiled) throw std::invalid_argument(compiled.error());
  return (*compiled)->find_in(text);
}

TEST(Pattern, FindsAnywhereInTheText) {
  EXPECT_EQ(found("plumb", "a plumb line"), Pattern::Found::yes);
  EXPECT_EQ(found("^plumb", "a plumb line"), Pattern::Found::no);
  EXPECT_EQ(found("(?i)LINE$", "a plumb line"), Pattern::Found::yes);
  EXPECT_EQ(found("^.$", "\xe4\xbd\xa0"), Pattern::Found::yes) << "one character, not three bytes";
  EXPECT_EQ(found("b", "a\xff\xfe b"), Pattern::Found::yes) << "around broken UTF-8";
  EXPECT_EQ(found("", ""), Pattern::Found::yes);
}

TEST(Pattern, RefusesWhatIsNoExpression) {
  const auto open = Pattern::compile("a(b");
  ASSERT_FALSE(open);
  EXPECT_NE(open.error().find("at character 4"), std::string::npos) << open.error();
  EXPECT_FALSE(Pattern::compile("\\C"));
  EXPECT_FALSE(Pattern::compile("\xff"));
  EXPECT_FALSE(Pattern::compile(std::string(1001, 'a')));
}

TEST(Pattern, GivesUpInsteadOfRunningForYears) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(found("(a+)+$", std::string(50, 'a') + "b"), Pattern::Found::gave_up);
  EXPECT_EQ(found("^(a|a)*$", std::string(60, 'a') + "b"), Pattern::Found::gave_up);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace loadgen
