// Logs of several shards side by side: intervals of one instant become one, lines of requests stand together.
#include "loadgen/export/merged_logs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>

#include "exporters/hdr_log.hpp"
#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MergedLogs : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("merged_logs_" + std::to_string(::getpid()));
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  fs::path file(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }
  static std::string line(const std::string& tag, std::int64_t start_ms, std::vector<std::int64_t> values) {
    exporters::HdrHistogram histogram;
    for (const std::int64_t value : values) histogram.record(value);
    std::string text;
    exporters::append_hdr_log_line(text, tag, {start_ms, 1000}, histogram);
    return text;
  }

  fs::path dir_;
};

TEST_F(MergedLogs, AddIntervalsOfOneInstant) {
  const std::string header = exporters::hdr_log_header("test", 0);
  const auto a = file("a", header + line("", 0, {10}) + line("ttft", 0, {5, 7}) + line("", 1000, {20}));
  const auto b = file("b", header + line("", 0, {11, 12}) + line("e2e", 0, {9}) + line("", 2000, {}));
  std::map<std::pair<std::int64_t, std::string>, std::uint64_t> counts;
  const auto done = merge_hdr_logs({a, b}, dir_ / "out", sample::empty_run().facts,
                                   [&](std::int64_t start, const std::string& tag, const auto& h) {
                                     counts[{start, tag}] += h.count();
                                   });
  ASSERT_TRUE(done.has_value()) << done.error();
  const std::map<std::pair<std::int64_t, std::string>, std::uint64_t> expected = {
      {{0, ""}, 3}, {{0, "ttft"}, 2}, {{0, "e2e"}, 1}, {{1000, ""}, 1}, {{2000, ""}, 0}};
  EXPECT_EQ(counts, expected);
  std::stringstream text;
  text << std::ifstream(dir_ / "out").rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("Tag=ttft,0.000,1.000,"));
}

TEST_F(MergedLogs, NameTheLineThatIsNone) {
  const auto bad = file("bad", line("", 0, {1}) + "Tag=x,1.0,1.0,1.0,HISTnonsense\n");
  const auto done =
      merge_hdr_logs({bad}, dir_ / "out", sample::empty_run().facts, [](auto, const auto&, const auto&) {});
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error(), HasSubstr("bad:2 is no line"));
}

TEST_F(MergedLogs, RequestLinesSayWhoseTheyAre) {
  const auto a = file("a", "{\"index\":0}\n{\"index\":2}\n{\"ind");
  const auto b = file("b", "{\"index\":1}\n");
  ASSERT_TRUE(join_request_lines({{a, 0}, {b, 7}}, dir_ / "out").has_value());
  std::stringstream text;
  text << std::ifstream(dir_ / "out").rdbuf();
  EXPECT_EQ(text.str(), "{\"shard\":0,\"index\":0}\n{\"shard\":0,\"index\":2}\n{\"shard\":7,\"index\":1}\n");
  EXPECT_FALSE(join_request_lines({{dir_ / "none", 0}}, dir_ / "out").has_value());
}

}  // namespace
}  // namespace loadgen
