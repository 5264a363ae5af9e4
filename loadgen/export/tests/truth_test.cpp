// Measured beside true: lines of a truth log, pairs by request, and the numbers that follow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "loadgen/export/truth_file.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;

RequestRow measured(std::uint64_t index, std::int64_t ttft, std::int64_t tpot, std::int64_t e2e) {
  RequestRow row;
  row.record.index = index;
  row.record.phase = Phase::measure;
  row.record.outcome = Outcome::ok;
  row.metrics[Metric::ttft] = ttft;
  row.metrics[Metric::tpot] = tpot;
  row.metrics[Metric::e2e] = e2e;
  return row;
}

TEST(Truth, ComparesRequestByRequestAndPercentileByPercentile) {
  TruthMatcher matcher;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto n = static_cast<std::int64_t>(i);
    matcher.add_measured(measured(i, (100 + n) * ms + ms / 2, 20 * ms, 500 * ms));
    matcher.add_true(i, {(100 + n) * ms, 20 * ms, i == 7 ? 503 * ms : 500 * ms});
  }
  RequestRow warmup = measured(1000, 1, 1, 1);
  warmup.record.phase = Phase::warmup;
  matcher.add_measured(warmup);
  EXPECT_TRUE(matcher.has_all());
  matcher.add_measured(measured(200, ms, ms, ms));
  EXPECT_FALSE(matcher.has_all());
  matcher.add_true(1000, {ms, ms, ms});

  const TruthComparison seen = matcher.compare();
  EXPECT_EQ(seen.matched, 100U);
  EXPECT_EQ(seen.missing_in_truth, 1U);
  EXPECT_EQ(seen.missing_in_run, 1U);
  ASSERT_EQ(seen.metrics.size(), 3U);
  const TruthMetric& ttft = seen.metrics[0];
  ASSERT_EQ(ttft.rows.size(), 3U) << "p50, p90 and max: too few for more";
  EXPECT_EQ(ttft.rows[0].statistic, "p50");
  EXPECT_DOUBLE_EQ(ttft.rows[0].measured_ms, 149.5);
  EXPECT_DOUBLE_EQ(ttft.rows[0].true_ms, 149);
  EXPECT_DOUBLE_EQ(ttft.error_max_ms, 0.5);
  const TruthMetric& e2e = seen.metrics[2];
  EXPECT_DOUBLE_EQ(e2e.error_p50_ms, 0);
  EXPECT_DOUBLE_EQ(e2e.error_max_ms, 3) << "the one request that was off shows here, not in the percentiles";
  EXPECT_DOUBLE_EQ(e2e.rows[0].measured_ms, e2e.rows[0].true_ms);
}

TEST(Truth, ReadsLinesOfItsOwnRunAlone) {
  bool is_damaged = false;
  const auto entry = parse_truth_line(
      R"({"client_id":"run-12","recv_ns":1000,"due_ns":[1,2],"achieved_ns":[5000,6000,9000],"outcome":"ok"})", "run",
      is_damaged);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->index, 12U);
  EXPECT_EQ(entry->times.ttft, 4000);
  EXPECT_EQ(entry->times.tpot, 2000);
  EXPECT_EQ(entry->times.e2e, 8000);
  for (const char* other :
       {R"({"client_id":"other-12","recv_ns":1000,"achieved_ns":[5000],"outcome":"ok"})",
        R"({"client_id":"run-12x","recv_ns":1000,"achieved_ns":[5000],"outcome":"ok"})",
        R"({"client_id":"run-","recv_ns":1000,"achieved_ns":[5000],"outcome":"ok"})",
        R"({"client_id":null,"recv_ns":1000,"achieved_ns":[5000],"outcome":"ok"})", R"({"server":"refserver"})",
        R"({"client_id":"run-12","recv_ns":1000,"achieved_ns":[],"outcome":"client_gone"})"}) {
    EXPECT_FALSE(parse_truth_line(other, "run", is_damaged)) << other;
    EXPECT_FALSE(is_damaged) << other;
  }
  for (const char* bad : {"", "nonsense", "[]", R"({"client_id":"run-1","recv_ns":9,"achieved_ns":[5],"outcome":"ok"})",
                          R"({"client_id":"run-1","recv_ns":"9","achieved_ns":[5],"outcome":"ok"})",
                          R"({"client_id":"run-1","recv_ns":-9,"achieved_ns":[5],"outcome":"ok"})",
                          R"({"client_id":"run-1","recv_ns":9,"achieved_ns":[18446744073709551615],"outcome":"ok"})",
                          R"({"client_id":"run-1","recv_ns":9,"outcome":"ok"})"}) {
    EXPECT_FALSE(parse_truth_line(bad, "run", is_damaged)) << bad;
    EXPECT_TRUE(is_damaged) << bad;
  }
  // A server may send as much in a comment.
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  const std::string hostile = R"({"client_id":"run-1","recv_ns":1,"achieved_ns":[5],"outcome":)" + deep + "}";
  EXPECT_FALSE(parse_truth_line(hostile, "run", is_damaged));
  EXPECT_TRUE(is_damaged);
}

TEST(Truth, WaitsForTheRestOfALine) {
  const auto path = std::filesystem::temp_directory_path() / ("truth_" + std::to_string(::getpid()));
  std::ofstream log(path);
  TruthMatcher matcher;
  matcher.add_measured(measured(1, 2 * ms, ms, 3 * ms));
  TruthFile file(path, "r");
  ASSERT_TRUE(file.is_open());
  log << R"({"client_id":"r-1","recv_ns":1,)" << std::flush;
  file.read_more(matcher);
  EXPECT_FALSE(matcher.has_all());
  log << R"("achieved_ns":[2],"outcome":"ok"})"
      << "\n"
      << std::flush;
  file.read_more(matcher);
  EXPECT_TRUE(matcher.has_all());
  EXPECT_EQ(file.damaged_lines(), 0U);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace loadgen
