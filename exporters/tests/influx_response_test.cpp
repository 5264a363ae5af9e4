// Every answer that was seen from a real server, and what becomes of the batch.
#include "exporters/influx_response.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace exporters {
namespace {

using namespace std::chrono_literals;

HttpAnswer json_error(int status, const std::string& message) {
  return {status, "{\"error\":\"" + message + "\"}\n", {}, {}};
}

TEST(InfluxResponse, success_stores_everything) {
  for (const int status : {200, 204}) {
    const auto verdict = classify_write({status, "", {}, {}}, 5000);
    EXPECT_EQ(verdict.action, InfluxAction::stored);
    EXPECT_EQ(verdict.rejected, 0U);
    EXPECT_TRUE(verdict.reason.empty());
  }
}

TEST(InfluxResponse, a_400_counts_what_is_gone) {
  const std::vector<std::pair<std::string, std::uint64_t>> table = {
      {"partial write: unable to parse 'm,t=a v= 2': missing field value dropped=0", 1},
      {"partial write: unable to parse 'a': missing fields\\nunable to parse 'b': missing fields dropped=0", 2},
      {"unable to parse 'a': missing fields", 10},
      {"partial write: field type conflict: input field \\\"v\\\" on measurement \\\"m\\\" is type float, already "
       "exists as type "
       "integer dropped=1",
       1},
      {"partial write: points beyond retention policy dropped=7", 7},
      {"partial write: max-values-per-tag limit exceeded (80/50): measurement=\\\"m\\\" tag=\\\"rid\\\" dropped=4", 4},
      {"partial write: max-series-per-database limit exceeded: (200) dropped=3", 10},
      {"partial write: something new dropped=0", 1},
      {"partial write: more than there are dropped=4000", 10},
      {"gzip: invalid header", 10},
  };
  for (const auto& [message, rejected] : table) {
    const auto verdict = classify_write(json_error(400, message), 10);
    EXPECT_EQ(verdict.action, InfluxAction::rejected) << message;
    EXPECT_EQ(verdict.rejected, rejected) << message;
    EXPECT_EQ(verdict.reason.substr(0, 10), "HTTP 400: ") << verdict.reason;
  }
  EXPECT_EQ(classify_write(json_error(422, "unprocessable"), 10).rejected, 10U);
  EXPECT_EQ(classify_write({400, "not json", {}, {}}, 10).rejected, 10U);
}

TEST(InfluxResponse, v2_puts_words_in_front) {
  const auto message_of = [](int status, const std::string& message) {
    return classify_write({status, R"({"code":"x","message":")" + message + "\"}", {}, {}}, 10);
  };
  const auto conflict = message_of(
      422,
      "failure writing points to database: partial write: field type conflict: input field v is type float dropped=3");
  EXPECT_EQ(conflict.action, InfluxAction::rejected);
  EXPECT_EQ(conflict.rejected, 3U);
  EXPECT_EQ(conflict.reason.find("HTTP 422: failure writing points"), 0U) << conflict.reason;
  EXPECT_EQ(message_of(400, "unable to parse 'm v=': missing field value").rejected, 10U) << "nothing was stored";
  EXPECT_EQ(message_of(404, "bucket not found").action, InfluxAction::stop);
  EXPECT_EQ(message_of(401, "unauthorized access").action, InfluxAction::stop);
  EXPECT_EQ(message_of(429, "organization has exceeded limit").action, InfluxAction::retry);
}

TEST(InfluxResponse, v3_lists_the_lines_it_refused) {
  const auto refused = [](std::size_t lines, std::uint64_t points) {
    std::string data;
    for (std::size_t i = 0; i < lines; ++i)
      data += std::string(i == 0 ? "" : ",") + R"({"original_line":"m v=","line_number":)" + std::to_string(i + 1) +
              R"(,"error_message":"no value"})";
    const std::string body = R"({"error":"partial write of line protocol occurred","data":[)" + data + "]}";
    return classify_write({400, body, {}, {}}, points);
  };
  EXPECT_EQ(refused(2, 5000).rejected, 2U);
  EXPECT_EQ(refused(2, 5000).reason, "HTTP 400: partial write of line protocol occurred: no value");
  EXPECT_EQ(refused(99, 5000).rejected, 99U);
  EXPECT_EQ(refused(100, 5000).rejected, 5000U) << "the list may have been cut";
  EXPECT_EQ(refused(100, 100).rejected, 100U);
  EXPECT_EQ(refused(7, 5).rejected, 5U);
  EXPECT_EQ(refused(0, 5).rejected, 1U);
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  const auto strange = classify_write({400, R"({"error":"e","data":[{"error_message":)" + deep + "}]}", {}, {}}, 5);
  EXPECT_EQ(strange.reason, "HTTP 400: e");
  EXPECT_EQ(classify_write({400, "incoming write was empty", {}, {}}, 10).rejected, 10U);
  EXPECT_EQ(
      classify_write({400, R"({"error":"parsing failed for write_lp endpoint","data":{"line_number":1}})", {}, {}}, 10)
          .rejected,
      10U);
  EXPECT_EQ(classify_write({400, R"({"error":"partial write","data":[5]})", {}, {}}, 10).rejected, 1U);
}

TEST(InfluxResponse, a_value_cannot_fake_parse_errors) {
  const std::string message = "partial write: unable to parse 'm t=\\\"unable to parse 'x\\\"': bad dropped=0";
  EXPECT_EQ(classify_write(json_error(400, message), 10).rejected, 1U);
}

TEST(InfluxResponse, configuration_errors_stop) {
  for (const auto& [status, message] :
       std::vector<std::pair<int, std::string>>{{401, "authorization failed"},
                                                {403, "not authorized"},
                                                {404, "database not found: \\\"x\\\""},
                                                {405, "Method Not Allowed"},
                                                {301, ""},
                                                {400, "database is required"},
                                                {500, "retention policy not found: nope"}}) {
    const auto verdict = classify_write(json_error(status, message), 10);
    EXPECT_EQ(verdict.action, InfluxAction::stop) << status;
    EXPECT_EQ(verdict.rejected, 0U);
    EXPECT_FALSE(verdict.reason.empty());
  }
}

TEST(InfluxResponse, overload_and_silence_are_tried_again) {
  for (const int status : {408, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(classify_write({status, "request throttled, queue full", {}, {}}, 10).action, InfluxAction::retry)
        << status;
  const auto silent = classify_write({0, "", {}, "Connection refused"}, 10);
  EXPECT_EQ(silent.action, InfluxAction::retry);
  EXPECT_EQ(silent.reason, "Connection refused");
}

TEST(InfluxResponse, honours_retry_after_within_bounds) {
  EXPECT_EQ(classify_write({503, "", 0s, {}}, 10).min_wait, 0ms);
  EXPECT_EQ(classify_write({503, "", 7s, {}}, 10).min_wait, 7s);
  EXPECT_EQ(classify_write({429, "", 3600s, {}}, 10).min_wait, max_retry_after);
  EXPECT_EQ(classify_write({429, "", std::chrono::seconds(INT64_MAX), {}}, 10).min_wait, max_retry_after);
  EXPECT_EQ(classify_write({503, "", std::chrono::seconds(-5), {}}, 10).min_wait, 0ms);
}

TEST(InfluxResponse, too_large_is_split_down_to_one) {
  EXPECT_EQ(classify_write({413, "Request Entity Too Large", {}, {}}, 2).action, InfluxAction::split);
  const auto single = classify_write({413, "Request Entity Too Large", {}, {}}, 1);
  EXPECT_EQ(single.action, InfluxAction::rejected);
  EXPECT_EQ(single.rejected, 1U);
}

TEST(InfluxResponse, reasons_are_one_short_line) {
  EXPECT_EQ(error_message({503, "request throttled\n", {}, {}}), "HTTP 503: request throttled");
  EXPECT_EQ(error_message({502, "", {}, {}}), "HTTP 502");
  EXPECT_EQ(error_message(json_error(400, "a\\nb\\u0007c")), "HTTP 400: a b c");
  EXPECT_EQ(error_message({0, "", {}, ""}), "no answer");
  EXPECT_LT(error_message({500, std::string(100'000, 'x'), {}, {}}).size(), 400U);
  EXPECT_EQ(error_message({500, "{\"error\":5}", {}, {}}), "HTTP 500: {\"error\":5}");
}

TEST(Backoff, doubles_up_to_its_cap) {
  Backoff backoff({.base = 250ms, .cap = 1500ms});
  const double almost_one = std::nextafter(1.0, 0.0);
  for (const auto expected : {250ms, 500ms, 1000ms, 1500ms, 1500ms}) EXPECT_EQ(backoff.next(almost_one), expected);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(backoff.next(0.0), 0ms);
  EXPECT_EQ(backoff.next(0.5), 750ms);
}

}  // namespace
}  // namespace exporters
