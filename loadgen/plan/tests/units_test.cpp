// Durations both ways, numbers, UTF-8, suggestions.
#include "loadgen/plan/units.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

TEST(Units, ReadsDurations) {
  const std::pair<const char*, nanoseconds> cases[] = {
      {"0", 0ns},       {"0s", 0ns},      {"2s", 2s},
      {"500ms", 500ms}, {"1m30s", 90s},   {"1.5s", 1500ms},
      {"250us", 250us}, {"250µs", 250us}, {"1h2m3s4ms5us6ns", 1h + 2min + 3s + 4ms + 5us + 6ns},
      {"0.1s", 100ms},  {"8760h", 8760h}};
  for (const auto& [text, expected] : cases) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration.has_value()) << text << ": " << duration.error();
    EXPECT_EQ(duration->count(), expected.count()) << text;
  }
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "s", "15", "-1s", "+1s", "1 s", "1s ", "1x", "1s1s", "1s1m", "1..5s", ".5s", "1.s",
                           "nan", "infs", "1e3s", "9000h", "99999999999999999999999999h", "1S"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_duration(std::string(100'000, '9') + "s").has_value());
}

TEST(Units, WritesDurationsThatReadBack) {
  for (nanoseconds duration : {nanoseconds(0s), nanoseconds(2s), nanoseconds(90s), nanoseconds(1500ms),
                               nanoseconds(1ns), nanoseconds(25h + 7ns)}) {
    const auto back = parse_duration(duration_text(duration));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, duration);
  }
  EXPECT_EQ(duration_text(90s), "1m30s");
  EXPECT_EQ(duration_text(1500ms), "1s500ms");
}

TEST(Text, JudgesUtf8ByTheStandard) {
  for (const char* good : {"", "abc", "é", "中文", "😀", "\xf4\x8f\xbf\xbf"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe4\xb8"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(Text, SuggestsOnlyWhatIsNear) {
  const std::array<std::string_view, 3> known = {"concurrency", "rate", "mode"};
  EXPECT_EQ(did_you_mean("concurency", known), "; did you mean 'concurrency'?");
  EXPECT_EQ(did_you_mean("mod", known), "; did you mean 'mode'?");
  EXPECT_EQ(did_you_mean("prompts", known), "");
  EXPECT_EQ(did_you_mean("", known), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), known), "");
}

}  // namespace
}  // namespace loadgen
