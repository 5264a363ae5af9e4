// shard.json: everything comes back as it was; whatever is damaged, cut or made up is refused with a reason.
#include "loadgen/export/shard_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/export/sha256.hpp"
#include "loadgen/export/tests/sharded_run.hpp"

namespace loadgen {
namespace {

using testing::HasSubstr;

ShardResult one_shard() {
  sample::ShardedRun run;
  run.requests = 1200;
  run.shards = 2;
  return run.result(1);
}

std::string error_of(std::string_view text) {
  const auto shard = parse_shard(text);
  return shard ? "no error" : shard.error();
}

/// The text with one piece replaced and the checksum made right again.
std::string with(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), by);
  const std::size_t sum = text.rfind(",\"sha256\":\"");
  return text.substr(0, sum) + ",\"sha256\":\"" + sha256_hex(text.substr(0, sum)) + "\"}\n";
}

TEST(ShardFile, ComesBackAsItWas) {
  const ShardResult shard = one_shard();
  const std::string text = shard_text(shard);
  const auto back = parse_shard(text);
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(shard_text(*back), text);
  EXPECT_EQ(back->totals.facts.shard, 1U);
  EXPECT_EQ(back->totals.facts.window.begin_ns, shard.totals.facts.window.begin_ns);
  EXPECT_EQ(back->totals.series.size(), shard.totals.series.size());
}

TEST(ShardFile, TheScenarioCanBeSummarizedAgain) {
  const auto scenario = scenario_of_shard(one_shard());
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  EXPECT_TRUE(is_open_loop(*scenario));
  EXPECT_EQ(scenario->mix.size(), 1U);
  EXPECT_EQ(scenario->mix[0].name, "a");
  EXPECT_EQ(scenario->warmup, nanoseconds(0));
}

TEST(ShardFile, RefusesWhatIsNotWhole) {
  const std::string text = shard_text(one_shard());
  for (std::size_t length = 0; length < text.size(); length += 1 + length / 7)
    EXPECT_NE(error_of(std::string_view(text).substr(0, length)), "no error") << length;
  std::string flipped = text;
  flipped[flipped.size() / 2] ^= 1;
  EXPECT_THAT(error_of(flipped), HasSubstr("checksum is wrong"));
  EXPECT_THAT(error_of("{}"), HasSubstr("not whole"));
}

TEST(ShardFile, RefusesMembersThatCannotBe) {
  const std::string text = shard_text(one_shard());
  EXPECT_EQ(error_of(with(text, "\"shard\":1", "\"shard\":0")), "no error");
  const struct {
    const char *what, *by, *says;
  } cases[] = {
      {"\"shard\":1", "\"shard\":2", "below 'shards'"},
      {"\"shard\":1", "\"shard\":-1", "must be a count"},
      {"\"shards\":2", "\"shards\":5000000000", "too large"},
      {"plumbline-shard-1", "plumbline-shard-9", "its form is"},
      {"\"mono_start_ns\":", "\"mono_start_ns\":9223372036854775807,\"x\":", "must be a time"},
      {"\"entries\":[", "\"entries\":[5,", "is no object"},
      {"\"series\":[", "\"series\":[[1,2],", "rows of eight"},
      {"\"n\":", "\"n\":1", "does not hold 'n' values"},
      {"\"hdr\":\"", "\"hdr\":\"A", "is damaged"},
      {"\"ended\":[[", "\"ended\":[[0,", "must hold 18 counts"},
      {"\"interrupted\":false", "\"interrupted\":0", "must be true or false"},
      {"\"host\":\"", "\"hostt\":\"", "'host' is missing"},
  };
  for (const auto& c : cases) EXPECT_THAT(error_of(with(text, c.what, c.by)), HasSubstr(c.says)) << c.by;
  EXPECT_THAT(error_of(with("x" + text, "\"shard\":1", "\"shard\":1")), HasSubstr("not JSON"));
  const std::string deep = "\"scenario\":" + std::string(500'000, '[') + std::string(500'000, ']') + ",\"x\":";
  EXPECT_THAT(error_of(with(text, "\"scenario\":", deep)), HasSubstr("nested deeper than 64"));
}

}  // namespace
}  // namespace loadgen
