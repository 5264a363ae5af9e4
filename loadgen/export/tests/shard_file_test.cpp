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

/// With a GPU whose second reading lacks the power, and a page that could not be read once.
ShardResult one_shard_with_readings() {
  ShardResult shard = one_shard();
  SampleSeries series;
  series.subject = {Subject::Kind::gpu, "nvml", "0", "GPU-a", "A \"GPU\"", "host-1", "", ""};
  for (const std::int64_t at_ns : {5, 7}) {
    Reading reading;
    reading.at_ns = at_ns;
    reading.values.set(ObservedMetric::gpu_utilization, 12.5);
    if (at_ns == 5) reading.values.set(ObservedMetric::gpu_power_w, 0.1);
    reading.knows_throttle = at_ns == 7;
    reading.throttle = at_ns == 7 ? Throttle::power_cap | Throttle::hw_thermal : 0;
    series.readings.push_back(reading);
  }
  SourceLog nvml, page;
  nvml.name = "nvml";
  nvml.is_open = true;
  nvml.notes = {"driver 999.1"};
  page.name = "http://h/metrics";
  page.kind = Subject::Kind::server;
  page.is_page = page.is_open = true;
  page.is_targets = false;
  page.failed_at_ns = {-3, 6};
  page.first_error = "answered 503";
  shard.observations = {{nvml, page}, {series}};
  return shard;
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

TEST(ShardFile, ReadingsComeBackAsTheyWere) {
  const std::string text = shard_text(one_shard_with_readings());
  const auto back = parse_shard(text);
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(shard_text(*back), text);
  const Observations& read = back->observations;
  ASSERT_EQ(read.sources.size(), 2U);
  EXPECT_FALSE(read.sources[0].is_page);
  EXPECT_EQ(read.sources[0].notes, std::vector<std::string>{"driver 999.1"});
  EXPECT_TRUE(read.sources[1].is_page && read.sources[1].kind == Subject::Kind::server && !read.sources[1].is_targets);
  EXPECT_EQ(read.sources[1].failed_at_ns, (std::vector<std::int64_t>{-3, 6}));
  EXPECT_EQ(read.sources[1].first_error, "answered 503");
  ASSERT_EQ(read.series.size(), 1U);
  EXPECT_EQ(read.series[0].subject.name, "A \"GPU\"");
  ASSERT_EQ(read.series[0].readings.size(), 2U);
  const Reading &first = read.series[0].readings[0], &second = read.series[0].readings[1];
  EXPECT_EQ(first.at_ns, 5);
  EXPECT_EQ(first.values[ObservedMetric::gpu_power_w], 0.1);
  EXPECT_FALSE(second.values.has(ObservedMetric::gpu_power_w));
  EXPECT_FALSE(second.values.has(ObservedMetric::gpu_energy_j));
  EXPECT_EQ(second.values[ObservedMetric::gpu_utilization], 12.5);
  EXPECT_FALSE(first.knows_throttle);
  EXPECT_TRUE(second.knows_throttle);
  EXPECT_EQ(second.throttle, Throttle::power_cap | Throttle::hw_thermal);
}

TEST(ShardFile, MoreReadingsThanItKeepsAreSaidToBeMissing) {
  ShardResult shard = one_shard_with_readings();
  shard.observations.series[0].readings.resize(500'001);
  const auto back = parse_shard(shard_text(shard));
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_TRUE(back->observations.series.empty());
  ASSERT_EQ(back->observations.sources.size(), 2U);
  EXPECT_FALSE(back->observations.sources[0].is_open);
  EXPECT_THAT(back->observations.sources[0].first_error, HasSubstr("500001 readings are more"));
}

TEST(ShardFile, RefusesReadingsThatCannotBe) {
  const std::string text = shard_text(one_shard_with_readings());
  const struct {
    const char *what, *by, *says;
  } cases[] = {
      {"\"kind\":\"gpu\"", "\"kind\":\"tpu\"", "gpu or server"},
      {"\"metrics\":[\"gpu.utilization\"", "\"metrics\":[\"gpu.heat\"", "unknown metric"},
      {"\"metrics\":[\"gpu.utilization\"", "\"metrics\":[\"gpu.joules_per_token\"", "unknown metric"},
      {"[5,null,12.5,0.1]", "[5,null,12.5]", "a value per metric"},
      {"[5,null,12.5,0.1]", "[5,null,12.5,\"x\"]", "must hold numbers"},
      {"[5,null,12.5,0.1]", "[5,-1,12.5,0.1]", "throttle reasons"},
      {"[5,null,12.5,0.1]", "[5,4096,12.5,0.1]", "throttle reasons"},
      {"[5,null,12.5,0.1]", "[9,null,12.5,0.1]", "order of time"},
      {"[5,null,12.5,0.1]", "[5.5,null,12.5,0.1]", "must be a time"},
      {"\"failed_at_ns\":[-3", "\"failed_at_ns\":[\"x\"", "must be a time"},
      {"\"page\":true", "\"page\":1", "must be true or false"},
      {"\"observed\":{", "\"observed\":[{},{", "not JSON"},
      {"\"observed\":{\"sources\"", "\"observed\":{\"source\"", "'sources' is missing"},
  };
  for (const auto& c : cases) EXPECT_THAT(error_of(with(text, c.what, c.by)), HasSubstr(c.says)) << c.by;
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
      {"plumbline-shard-2", "plumbline-shard-9", "its form is"},
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
