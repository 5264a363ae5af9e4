// Interval log lines, golden and as Debian's Java library reads them.
#include "exporters/hdr_log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "exporters/metrics/hdr_codec.hpp"
#include "exporters/tests/scratch_dir.hpp"

namespace exporters {
namespace {

TEST(HdrLog, header_is_golden) {
  EXPECT_EQ(hdr_log_header("plumbline 0.1.0", 1'700'000'000'042),
            "#[Logged with plumbline 0.1.0]\n"
            "#[Histogram log format version 1.3]\n"
            "#[StartTime: 1700000000.042 (seconds since epoch), 2023-11-14T22:13:20Z]\n"
            "#[BaseTime: 1700000000.042 (seconds since epoch)]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
  EXPECT_EQ(hdr_log_header("a\nb", 0).substr(0, 18), "#[Logged with a b]");
}

TEST(HdrLog, lines_are_golden) {
  HdrHistogram h;
  h.record(1'234'567);
  const std::string encoded = encode_hdr_base64(h);
  std::string out;
  append_hdr_log_line(out, "", {1000, 1000}, h);
  append_hdr_log_line(out, "ttft", {12'345, 7}, h);
  append_hdr_log_line(out, "a, b\nc;d=e", {0, 1000}, HdrHistogram());
  EXPECT_EQ(out, "1.000,1.000,1234.943," + encoded + "\nTag=ttft,12.345,0.007,1234.943," + encoded +
                     "\nTag=a__b_c;d=e,0.000,1.000,0.000," + encode_hdr_base64(HdrHistogram()) + "\n");
}

TEST(HdrLog, hostile_tags_stay_one_tag_of_one_line) {
  const HdrHistogram h;
  for (const std::string& tag : {std::string(65536, ','), std::string(65536, 'x') + "\n1.0,1.0,1.0,AAAA",
                                 std::string("a,Tag=b,1\r\n#[x]"), std::string("\"q\" \xe2\x80\xa8\x7f\0z", 10)}) {
    std::string out;
    append_hdr_log_line(out, tag, {0, 1000}, h);
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
    EXPECT_EQ(std::count(out.begin(), out.end(), ','), 4) << "the tag, and three between four columns";
    EXPECT_TRUE(out.starts_with("Tag=") && out.ends_with("\n"));
    EXPECT_TRUE(std::none_of(out.begin(), out.end() - 1, [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  }
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> chunk;
  while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), pipe)) out.append(chunk.data(), n);
  pclose(pipe);
  return out;
}

/// The value in the Java processor's percentile table that stands at the given percentile level or the first after it.
double value_at(const std::string& table, double level) {
  std::istringstream lines(table);
  for (std::string text; std::getline(lines, text);) {
    std::istringstream columns(text);
    double value = 0;
    double percentile = 0;
    if (columns >> value >> percentile && percentile >= level) return value;
  }
  return -1;
}

TEST(HdrLog, the_java_library_reads_the_same_percentiles) {
  const std::string jar = "/usr/share/java/hdrhistogram.jar";
  if (!std::filesystem::exists(jar) || std::system("command -v java >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "needs java and " << jar << " (Debian: libhdrhistogram-java, default-jre-headless)";
  std::mt19937_64 random(4);
  std::lognormal_distribution<double> values(11.0, 0.8);
  HdrHistogram main_series;
  HdrHistogram tagged;
  std::string log = hdr_log_header("plumbline", 1'700'000'000'000);
  for (int second = 0; second < 5; ++second) {
    HdrHistogram a;
    HdrHistogram b;
    for (int i = 0; i < 1000; ++i) a.record(static_cast<std::int64_t>(values(random)));
    for (int i = 0; i < 77 * second; ++i) b.record(static_cast<std::int64_t>(values(random)));  // empty at first
    append_hdr_log_line(log, "", {second * 1000, 1000}, a);
    append_hdr_log_line(log, "ttft", {second * 1000, 1000}, b);
    main_series.add(a);
    tagged.add(b);
  }
  const ScratchDir dir;
  std::ofstream(dir / "run.hlog", std::ios::binary) << log;
  const std::string processor = "java -XX:TieredStopAtLevel=1 -cp " + jar +
                                " org.HdrHistogram.HistogramLogProcessor -outputValueUnitRatio 1000 -i " +
                                (dir / "run.hlog").string();
  for (const auto& [histogram, options] : {std::pair(&main_series, ""), std::pair(&tagged, " -tag ttft")}) {
    const std::string table = output_of(processor + options + " 2>&1");
    for (const double q : {0.5, 0.75}) {  // levels that the table has exactly
      EXPECT_NEAR(value_at(table, q), static_cast<double>(histogram->value_at_quantile(q)) / 1000, 0.0006) << table;
    }
    EXPECT_NEAR(value_at(table, 1.0), static_cast<double>(histogram->max_value()) / 1000, 0.0006);
    const auto total = table.find("Total count    = ");
    ASSERT_NE(total, std::string::npos) << table;
    EXPECT_EQ(std::stoull(table.substr(total + 17)), histogram->count());
  }
}

}  // namespace
}  // namespace exporters
