// What a run wrote is read back record by record, and request lines give the very points of the run.
#include "loadgen/export/point_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "exporters/influx_line.hpp"
#include "exporters/tests/scratch_dir.hpp"
#include "loadgen/export/run_export.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using exporters::Batch;
using exporters::InfluxPoint;
using testing::HasSubstr;

std::vector<std::string> records_of(const Batch& batch) {
  std::vector<std::string> records;
  std::size_t begin = 0;
  for (const std::size_t end : batch.ends) {
    records.push_back(batch.bytes.substr(begin, end - begin));
    begin = end;
  }
  return records;
}

/// All that a source gives; a failure is the last element.
std::vector<std::string> read_all(PointSource& source) {
  std::vector<std::string> all;
  while (true) {
    const auto batch = source.next();
    if (!batch) return all.push_back("error: " + batch.error()), all;
    if (batch->empty()) return all;
    for (std::string& record : records_of(*batch)) all.push_back(std::move(record));
  }
}

class PointFileTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& text) {
    std::ofstream(dir / "points.lp", std::ios::binary) << text;
    return dir / "points.lp";
  }
  exporters::ScratchDir dir;
};

/// A point of hostile names and values; what is refused stays out.
void append_random_point(Batch& batch, std::mt19937& random) {
  const std::string alphabet("ab\\\\\"\", ==\n\r\t#'_\xc3\xa9i1", 19);
  const auto text = [&](std::size_t longest) {
    std::string out;
    for (auto n = random() % (longest + 1); n > 0; --n) out += alphabet[random() % alphabet.size()];
    return out;
  };
  const auto name = [&] {
    std::string out = "k";
    for (auto n = random() % 5; n > 0; --n) out += std::string(", =ab\"'")[random() % 7];
    return out;
  };
  const std::string measurement = name();
  std::vector<std::pair<std::string, std::string>> tags(random() % 4);
  for (auto& [key, value] : tags) {
    key = name();
    value = text(8);
  }
  InfluxPoint point(batch.bytes, measurement);
  for (const auto& [key, value] : tags) point.tag(key, value);
  for (auto n = 1 + random() % 3; n > 0; --n) point.field(name() + std::to_string(n), text(12));
  point.finish(static_cast<std::int64_t>(random()));
  batch.end_record();
}

TEST_F(PointFileTest, FindsTheSameRecordsWhateverIsInThem) {
  std::mt19937 random(11);
  Batch written;
  for (int i = 0; i < 20'000; ++i) append_random_point(written, random);
  auto source = open_point_file(file(written.bytes));
  ASSERT_TRUE(source.has_value()) << source.error();
  const auto expected = records_of(written);
  const auto found = read_all(**source);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(found[i], expected[i]) << i;
  EXPECT_EQ((*source)->progress(), 1.0);
}

TEST_F(PointFileTest, LeavesOutCommentsAndEmptyLines) {
  auto source = open_point_file(file("# kept by hand\n\n  \nm v=1i 1\n#m v=2i 2\nm v=3i 3"));
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ(read_all(**source), (std::vector<std::string>{"m v=1i 1\n", "m v=3i 3\n"}));
  auto empty = open_point_file(file(""));
  EXPECT_TRUE(read_all(**empty).empty());
}

TEST_F(PointFileTest, DoesNotReadAnEndlessRecordIntoMemory) {
  auto source = open_point_file(file("m v=\"" + std::string(40U << 20, 'x')));
  const auto found = read_all(**source);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0], HasSubstr("there is no end of a point for 16 MiB"));
}

TEST_F(PointFileTest, SaysWhatItCannotOpen) {
  EXPECT_THAT(open_point_file(dir / "nothing").error(), HasSubstr("nothing cannot be read"));
  EXPECT_FALSE(open_point_file(dir / ".").has_value());
  std::ofstream(dir / "requests.jsonl") << "{}\n";
  EXPECT_THAT(open_request_file(dir / "requests.jsonl").error(), HasSubstr("without the shard.json of its run"));
}

class RequestFileTest : public PointFileTest {
 protected:
  /// Leaves the files of a run in dir/out.
  void run(bool is_open) {
    const auto run = sample::simulate({.measure_s = 3, .requests_per_s = 400, .failure_share = 0.05, .open = is_open});
    ExportOptions options;
    options.out_dir = dir / "out";
    auto made = make_run_export(options, run.scenario);
    ASSERT_TRUE(made.has_value()) << made.error();
    for (const Interval& interval : run.intervals) (*made)->on_interval(run.scenario, run.facts, interval);
    const RunTotals totals = run.totals();
    Summary summary = summarize(run.scenario, totals, {});
    ASSERT_TRUE((*made)->finish(run.scenario, totals, {}, summary).has_value());
  }
};

TEST_F(RequestFileTest, GivesThePointsOfTheRunByteForByte) {
  for (const bool is_open : {false, true}) {
    std::filesystem::remove_all(dir / "out");
    run(is_open);
    auto points = open_point_file(dir / "out/points.lp");
    auto requests = open_request_file(dir / "out/requests.jsonl");
    ASSERT_TRUE(points.has_value() && requests.has_value());
    auto expected = read_all(**points);
    std::erase_if(expected, [](const std::string& line) { return !line.starts_with("llm_request,"); });
    EXPECT_GT(expected.size(), 1000U);
    EXPECT_EQ(read_all(**requests), expected);
  }
}

TEST_F(RequestFileTest, NamesTheLineThatIsNoRequest) {
  run(false);
  std::ofstream(dir / "out/requests.jsonl", std::ios::app) << "{\"index\":1}\n";
  auto requests = open_request_file(dir / "out/requests.jsonl");
  EXPECT_THAT(read_all(**requests).back(), HasSubstr(": entry is missing or no text"));
}

TEST_F(RequestFileTest, LeavesOutHalfALineAtTheEnd) {
  run(false);
  auto whole = open_request_file(dir / "out/requests.jsonl");
  const std::size_t lines = read_all(**whole).size();
  std::ofstream(dir / "out/requests.jsonl", std::ios::app) << "{\"index\":1,\"pha";
  auto requests = open_request_file(dir / "out/requests.jsonl");
  EXPECT_EQ(read_all(**requests).size(), lines);
}

}  // namespace
}  // namespace loadgen
