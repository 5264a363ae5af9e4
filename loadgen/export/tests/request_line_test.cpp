#include "loadgen/export/request_line.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

nlohmann::json line_of(const RequestRow& row) {
  std::string line;
  append_request_line(line, sample::closed_loop(), row);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  return nlohmann::json::parse(line);
}

TEST(RequestLine, ASuccessCarriesStampsAndMetrics) {
  RequestRow row;
  row.record.index = 7;
  row.record.phase = Phase::measure;
  row.record.outcome = Outcome::ok;
  row.record.http_status = 200;
  row.record.streamed = true;
  row.record.stamps.send = 1'000'000'000'001;
  row.record.stamps.first_token = 1'000'081'250'001;
  row.record.stamps.first_output = 1'000'091'250'001;
  row.record.output_tokens = 64;
  row.record.token_source = TokenSource::server_usage;
  row.record.finish_reason = "length";
  row.metrics[Metric::ttft] = 81'250'000;
  row.metrics.chunks = 64;
  const auto json = line_of(row);
  EXPECT_EQ(json["index"], 7);
  EXPECT_EQ(json["phase"], "measure");
  EXPECT_EQ(json["outcome"], "ok");
  EXPECT_EQ(json["entry"], "a");
  EXPECT_EQ(json["route"], "tgi-stream");
  EXPECT_EQ(json["target"], "http://127.0.0.1:8080");
  EXPECT_EQ(json["stamps"]["send_ns"], 1'000'000'000'001);
  EXPECT_EQ(json["stamps"].size(), 3u) << "what never happened is left out";
  EXPECT_EQ(json["stamps"]["first_output_ns"], 1'000'091'250'001);
  EXPECT_DOUBLE_EQ(json["metrics"]["ttft"], 81.25);
  EXPECT_EQ(json["metrics"].size(), 1u);
  EXPECT_EQ(json["chunks"], 64);
  EXPECT_EQ(json["finish_reason"], "length");
  EXPECT_FALSE(json.contains("error"));
  EXPECT_FALSE(json.contains("stamp_source")) << "nothing was received";
}

TEST(RequestLine, StatesWhoseStampsTheyAreAndHowLateTheReadsWere) {
  RequestRow row;
  row.record.stamps.headers = row.record.stamps.first_token = 5;
  row.record.recv_delay_first_ns = 12'500;
  row.record.recv_delay_max_ns = 2'000'000;
  row.record.index_breaks = 1;
  auto json = line_of(row);
  EXPECT_EQ(json["stamp_source"], "kernel");
  EXPECT_DOUBLE_EQ(json["recv_delay_first_ms"], 0.0125);
  EXPECT_DOUBLE_EQ(json["recv_delay_max_ms"], 2);
  EXPECT_EQ(json["index_breaks"], 1);
  row.record.stamp_source = StampSource::user;
  json = line_of(row);
  EXPECT_EQ(json["stamp_source"], "user");
}

TEST(RequestLine, AFailureCarriesItsClassAndTheServersWords) {
  RequestRow row;
  row.record.outcome = Outcome::overloaded;
  row.record.http_status = 429;
  row.record.error_type = "overloaded";
  row.record.error = "Model is \"overloaded\"\n\xff";
  const auto json = line_of(row);
  EXPECT_EQ(json["outcome"], "overloaded");
  EXPECT_EQ(json["http_status"], 429);
  EXPECT_EQ(json["error_type"], "overloaded");
  EXPECT_EQ(json["error"], "Model is \"overloaded\"\n\xEF\xBF\xBD");
}

}  // namespace
}  // namespace loadgen
