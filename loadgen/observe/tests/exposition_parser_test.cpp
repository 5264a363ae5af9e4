// The text format as servers write it, at its edges, and broken.
#include "loadgen/observe/exposition_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace loadgen {
namespace {

using ::testing::HasSubstr;

std::vector<ExpositionSample> samples_of(std::string_view page) {
  auto samples = parse_exposition(page, {""});
  if (!samples) throw std::invalid_argument(samples.error());
  return std::move(*samples);
}

std::string error_of(std::string_view page) {
  const auto samples = parse_exposition(page, {""});
  return samples ? "read" : samples.error();
}

TEST(ExpositionParser, ReadsNamesLabelsAndValues) {
  constexpr std::string_view page =
      "# HELP vllm:num_requests_running Requests.\n"
      "# TYPE vllm:num_requests_running gauge\n"
      "\n"
      "vllm:num_requests_running{engine=\"0\",model_name=\"org/m\"} 3.0\n"
      "up 1\n"
      "  spaced { a = \"1\" , b=\"2\", }\t-2.5e3  1700000000000\n"
      "none{} 0";
  const auto samples = samples_of(page);
  ASSERT_EQ(samples.size(), 4U);
  EXPECT_EQ(samples[0].name, "vllm:num_requests_running");
  EXPECT_EQ(samples[0].label("model_name"), "org/m");
  EXPECT_EQ(samples[0].label("model"), "");
  EXPECT_EQ(samples[0].value, 3);
  EXPECT_EQ(samples[1].value, 1);
  EXPECT_TRUE(samples[1].labels.empty());
  EXPECT_EQ(samples[2].label("b"), "2");
  EXPECT_EQ(samples[2].value, -2500);
  EXPECT_EQ(samples[3].value, 0);
}

TEST(ExpositionParser, ReadsEveryNumberOfTheFormat) {
  EXPECT_EQ(samples_of("a +Inf")[0].value, std::numeric_limits<double>::infinity());
  EXPECT_EQ(samples_of("a -Inf")[0].value, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(samples_of("a NaN")[0].value));
  EXPECT_EQ(samples_of("a 1.8446744073709552e+19")[0].value, 18446744073709551616.0);
  EXPECT_EQ(samples_of("a .5")[0].value, 0.5);
  for (const char* bad : {"a", "a ", "a x", "a 1x", "a 0x10", "a --1", "a +", "a 1e999", "a infinity", "a 1_000"})
    EXPECT_THAT(error_of(bad), HasSubstr("expected a number")) << bad;
}

TEST(ExpositionParser, UnescapesLabels) {
  const auto samples = samples_of("a{q=\"say \\\"hi\\\"\",s=\"c:\\\\x\",n=\"two\\nlines\",o=\"\\d}\"} 1\r\n");
  EXPECT_EQ(samples[0].label("q"), "say \"hi\"");
  EXPECT_EQ(samples[0].label("s"), "c:\\x");
  EXPECT_EQ(samples[0].label("n"), "two\nlines");
  EXPECT_EQ(samples[0].label("o"), "\\d}");
}

TEST(ExpositionParser, PassesOverWhatOpenMetricsAdds) {
  const auto samples =
      samples_of("a_bucket{le=\"0.1\"} 8 # {trace_id=\"x\"} 0.07 1700000000\na_total 17 1.5 # {} 1\n# EOF\n");
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].value, 8);
  EXPECT_EQ(samples[1].value, 17);
}

TEST(ExpositionParser, KeepsOnlyWantedNamesButChecksEveryLine) {
  const auto kept = parse_exposition("tgi_a 1\nother 2\nvllm:b 3\n", {"tgi_", "vllm:"});
  ASSERT_TRUE(kept.has_value());
  ASSERT_EQ(kept->size(), 2U);
  EXPECT_EQ((*kept)[1].name, "vllm:b");
  const auto broken = parse_exposition("tgi_a 1\nother{ 2\n", {"tgi_"});
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error(), HasSubstr("line 2: expected the name of a label"));
}

TEST(ExpositionParser, SaysWhichLineIsWrongAndWhy) {
  struct Case {
    const char* page;
    const char* message;
  };
  for (const Case& bad :
       {Case{"\n\n<html>\n", "line 3: a line begins with the name"}, Case{"1a 2", "a line begins with the name"},
        Case{"{a=\"b\"} 1", "a line begins with the name"}, Case{"a{b} 1", "expected '='"},
        Case{"a{b=c} 1", "double quotes"}, Case{"a{b=\"c} 1\nd 1", "line 1: the value of a label"},
        Case{"a{b=\"c\\", "double quotes"}, Case{"a{b=\"c\" d=\"e\"} 1", "expected ',' or '}'"},
        Case{"a{b=\"c\"", "expected ',' or '}'"}, Case{"a{b=\"c\",b=\"d\"} 1", "there twice"},
        Case{"a 1 x", "expected a time stamp"}, Case{"a 1 2 3", "nothing more after the time stamp"},
        Case{"a\x01 1", "expected a number"}})
    EXPECT_THAT(error_of(bad.page), HasSubstr(bad.message)) << bad.page;
}

TEST(ExpositionParser, IsBounded) {
  std::string labels = "a{";
  for (std::size_t i = 0; i <= max_exposition_labels; ++i) labels += "l" + std::to_string(i) + "=\"x\",";
  EXPECT_THAT(error_of(labels + "} 1"), HasSubstr("too many labels"));
  std::string samples;
  for (std::size_t i = 0; i <= max_exposition_samples; ++i) samples += "a 1\n";
  EXPECT_THAT(error_of(samples), HasSubstr("too many samples"));
  EXPECT_TRUE(samples_of("").empty());
  EXPECT_TRUE(samples_of(std::string(1'000'000, '\n')).empty());
}

}  // namespace
}  // namespace loadgen
