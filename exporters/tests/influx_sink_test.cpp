// The InfluxDB writer against scripted answers: every point must turn up in exactly one column of the account.
#include "exporters/influx_sink.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <tuple>

#include "exporters/tests/gunzip.hpp"
#include "exporters/tests/must.hpp"
#include "exporters/tests/scratch_dir.hpp"
#include "exporters/tests/stub_server.hpp"

namespace exporters {
namespace {

using namespace std::chrono_literals;
using Kind = StubServer::Kind;

InfluxTarget target_at(std::uint16_t port) {
  return {must(parse_influx_url("http://127.0.0.1:" + std::to_string(port) + "/llm")), {}, 5s};
}

InfluxSinkOptions quick(const std::filesystem::path& spill = {}) {
  InfluxSinkOptions options;
  options.batch = {.max_records = 10, .max_bytes = 10'000, .max_age = 5ms};
  options.backoff = {.base = 1ms, .cap = 4ms};
  options.drain_timeout = 20s;
  options.spill_file = spill;
  return options;
}

Batch points(int first, int count) {
  Batch batch;
  for (int i = first; i < first + count; ++i) {
    batch.bytes += "m v=" + std::to_string(i) + "i " + std::to_string(i) + "\n";
    batch.end_record();
  }
  return batch;
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

std::string bodies_of(const StubServer& server) {
  std::string all;
  for (const StubRequest& request : server.requests()) all += request.body;
  return all;
}

TEST(InfluxSink, stores_all_points_in_batches) {
  StubServer server({});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  EXPECT_EQ(sink->describe(), "InfluxDB http://127.0.0.1:" + std::to_string(server.port()) + "/llm");
  for (int i = 0; i < 5; ++i) sink->write(points(i * 7, 7));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 35U);
  EXPECT_EQ(account.stored, 35U);
  EXPECT_TRUE(account.first_error.empty()) << account.first_error;
  EXPECT_EQ(bodies_of(server), points(0, 35).bytes);
  for (const StubRequest& request : server.requests()) {
    EXPECT_TRUE(request.head.starts_with("POST /write?db=llm&precision=ns HTTP/1.1\r\n")) << request.head;
    EXPECT_LE(lines_of(request.body).size(), 10U);
  }
}

TEST(InfluxSink, sends_a_lone_point_when_it_is_old_enough) {
  StubServer server({});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  sink->write(points(0, 1));
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (sink->account().stored == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_EQ(sink->account().stored, 1U);
}

TEST(InfluxSink, tries_again_after_overload_resets_and_half_answers) {
  StubServer server({StubServer::status(503, "request throttled, queue full\n"),
                     {Kind::reset, ""},
                     {Kind::reset, "HTTP/1.1 204 No Co"},
                     {Kind::reset, "HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\nhalf"},
                     StubServer::status(429),
                     StubServer::status(500, "{\"error\":\"timeout\"}")});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  sink->write(points(0, 10));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.stored, 10U);
  EXPECT_TRUE(account.first_error.empty()) << account.first_error;
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 7U);
  for (const StubRequest& request : requests) EXPECT_EQ(request.body, points(0, 10).bytes);
}

TEST(InfluxSink, waits_as_long_as_the_server_asks) {
  StubServer server({StubServer::status(503, "", "Retry-After: 1\r\n")});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  const auto begin = std::chrono::steady_clock::now();
  sink->write(points(0, 10));
  while (sink->account().stored == 0 && std::chrono::steady_clock::now() < begin + 20s)
    std::this_thread::sleep_for(10ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_EQ(sink->finish().stored, 10U);
}

TEST(InfluxSink, does_not_wait_that_long_when_the_run_is_over) {
  StubServer server({StubServer::status(503, "", "Retry-After: 100\r\n")});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  sink->write(points(0, 10));
  while (server.requests().empty()) std::this_thread::yield();
  EXPECT_EQ(sink->finish().stored, 10U);  // the test's own time limit is shorter than 100 s
}

TEST(InfluxSink, counts_rejected_points_and_goes_on) {
  StubServer server(
      {StubServer::status(400, R"({"error":"partial write: unable to parse 'm v=': missing field value dropped=0"})"),
       StubServer::status(400, R"({"error":"partial write: field type conflict: x dropped=3"})"),
       StubServer::status(400, R"({"error":"unable to parse 'm': missing fields"})")});
  const ScratchDir dir;
  auto sink = make_influx_sink(target_at(server.port()), quick(dir / "spill.lp"));
  sink->write(points(0, 40));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.rejected, 1U + 3U + 10U);
  EXPECT_EQ(account.stored, 26U);
  EXPECT_NE(account.first_error.find("missing field value"), std::string::npos) << account.first_error;
  EXPECT_EQ(server.requests().size(), 4U);
  EXPECT_FALSE(std::filesystem::exists(dir / "spill.lp"));
}

TEST(InfluxSink, splits_what_is_too_large) {
  // 10 points: refused, 5: refused, 2: stored, 3: refused, 1: stored, 2: stored, 5: stored.
  const StubServer::Step too_large = StubServer::status(413, "Request Entity Too Large");
  StubServer server({too_large, too_large, StubServer::status(204), too_large});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  sink->write(points(0, 10));
  EXPECT_EQ(sink->finish().stored, 10U);
  std::vector<std::size_t> sizes;
  for (const StubRequest& request : server.requests()) sizes.push_back(lines_of(request.body).size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{10, 5, 2, 3, 1, 2, 5}));
}

TEST(InfluxSink, a_single_point_that_is_too_large_is_rejected) {
  StubServer server({StubServer::status(413), StubServer::status(413)});
  auto sink = make_influx_sink(target_at(server.port()), quick());
  sink->write(points(0, 2));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.rejected, 1U);
  EXPECT_EQ(account.stored, 1U);
}

TEST(InfluxSink, an_early_413_splits_although_the_server_reads_no_body) {
  const auto answer = StubServer::status(413, "Request Entity Too Large\n", "Connection: close\r\n");
  StubServer server({{Kind::refuse, answer.text}});
  auto options = quick();
  options.batch = {.max_records = 100'000, .max_bytes = std::size_t{16} << 20, .max_age = 5ms};
  auto sink = make_influx_sink(target_at(server.port()), options);
  Batch batch;
  for (int i = 0; i < 4; ++i) {
    batch.bytes += "m t=\"" + std::string(2'000'000, 'x') + "\" " + std::to_string(i) + "\n";
    batch.end_record();
  }
  sink->write(batch);
  EXPECT_EQ(sink->finish().stored, 4U);
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(InfluxSink, stops_and_spills_when_the_configuration_is_wrong) {
  StubServer server({StubServer::status(204), StubServer::status(401, R"({"error":"authorization failed"})")});
  const ScratchDir dir;
  auto sink = make_influx_sink(target_at(server.port()), quick(dir / "spill.lp"));
  sink->write(points(0, 50));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.stored, 10U);
  EXPECT_EQ(account.spilled, 40U);
  EXPECT_EQ(account.first_error, "HTTP 401: authorization failed");
  EXPECT_EQ(server.requests().size(), 2U);  // nothing was asked of it again
  EXPECT_EQ(read_file(dir / "spill.lp"), points(10, 40).bytes);
}

TEST(InfluxSink, spills_what_nobody_takes_before_the_deadline) {
  const ScratchDir dir;
  std::uint16_t port = 0;
  { port = StubServer({}).port(); }  // nobody listens there any more
  auto options = quick(dir / "spill.lp");
  options.drain_timeout = 50ms;
  auto sink = make_influx_sink(target_at(port), options);
  sink->write(points(0, 25));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.spilled, 25U);
  EXPECT_TRUE(account.is_settled());
  EXPECT_FALSE(account.first_error.empty());
  EXPECT_EQ(read_file(dir / "spill.lp"), points(0, 25).bytes);
  EXPECT_EQ(sink->finish().spilled, 25U);
}

TEST(InfluxSink, drops_visibly_where_there_is_no_spill_file) {
  auto options = quick("/nonexistent/dir/spill.lp");
  options.drain_timeout = 0ms;
  auto sink = make_influx_sink(target_at(1), options);
  sink->write(points(0, 25));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.dropped, 25U);
  EXPECT_TRUE(account.is_settled());
}

TEST(InfluxSink, a_silent_server_does_not_hold_up_the_end) {
  StubServer server({{Kind::silence, ""}});
  const ScratchDir dir;
  auto options = quick(dir / "spill.lp");
  options.drain_timeout = 50ms;
  InfluxTarget target = target_at(server.port());
  target.request_timeout = 1h;
  auto sink = make_influx_sink(target, options);
  sink->write(points(0, 10));
  while (server.requests().empty()) std::this_thread::yield();
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.spilled, 10U);
}

TEST(InfluxSink, a_slow_server_costs_one_timeout_per_try) {
  StubServer server({{Kind::silence, ""}});
  InfluxTarget target = target_at(server.port());
  target.request_timeout = 50ms;
  auto sink = make_influx_sink(target, quick());
  sink->write(points(0, 10));
  EXPECT_EQ(sink->finish().stored, 10U);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(InfluxSink, a_full_queue_spills_the_oldest) {
  StubServer server({{Kind::silence, ""}});
  const ScratchDir dir;
  auto options = quick(dir / "spill.lp");
  options.batch.max_age = 1h;
  options.max_queue_bytes = 3 * points(100, 10).bytes.size();
  options.drain_timeout = 20s;
  InfluxTarget target = target_at(server.port());
  target.request_timeout = 2s;
  auto sink = make_influx_sink(target, options);
  sink->write(points(100, 10));
  while (server.requests().empty()) std::this_thread::yield();  // that batch is under way now
  for (int i = 0; i < 5; ++i) sink->write(points(110 + 10 * i, 10));
  EXPECT_EQ(sink->account().spilled, 20U);
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 60U);
  EXPECT_EQ(account.stored, 40U);
  EXPECT_EQ(account.spilled, 20U);
  EXPECT_NE(account.first_error.find("queue"), std::string::npos);
  EXPECT_EQ(read_file(dir / "spill.lp"), points(110, 20).bytes);
}

TEST(InfluxSink, credentials_travel_in_headers_only) {
  for (const auto& [credentials, header] :
       {std::pair(HttpCredentials{"writer", "w:1 \"&", ""}, "Authorization: Basic d3JpdGVyOnc6MSAiJg==\r\n"),
        std::pair(HttpCredentials{"", "", "t0ken=="}, "Authorization: Token t0ken==\r\n")}) {
    StubServer server({});
    InfluxTarget target = target_at(server.port());
    target.credentials = credentials;
    auto sink = make_influx_sink(target, quick());
    sink->write(points(0, 1));
    EXPECT_EQ(sink->finish().stored, 1U);
    const StubRequest request = server.requests().at(0);
    EXPECT_NE(request.head.find(header), std::string::npos) << request.head;
    EXPECT_EQ(sink->describe().find("t0ken"), std::string::npos);
    EXPECT_EQ(request.head.substr(0, request.head.find('\r')), "POST /write?db=llm&precision=ns HTTP/1.1");
  }
}

TEST(InfluxSink, compresses_once_and_says_so) {
  StubServer server({StubServer::status(503)});
  InfluxTarget target = target_at(server.port());
  target.compression = Compression::gzip;
  auto sink = make_influx_sink(target, quick());
  sink->write(points(0, 10));
  EXPECT_EQ(sink->finish().stored, 10U);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2U);
  for (const StubRequest& request : requests) {
    EXPECT_NE(request.head.find("Content-Encoding: gzip\r\n"), std::string::npos) << request.head;
    EXPECT_EQ(gunzipped(request.body), points(0, 10).bytes);
  }
}

TEST(InfluxSink, splits_what_is_too_large_compressed_too) {
  StubServer server({StubServer::status(413)});
  InfluxTarget target = target_at(server.port());
  target.compression = Compression::gzip;
  auto sink = make_influx_sink(target, quick());
  sink->write(points(0, 10));
  EXPECT_EQ(sink->finish().stored, 10U);
  std::string stored;
  for (const StubRequest& request : server.requests()) stored += gunzipped(request.body);
  EXPECT_EQ(stored, points(0, 10).bytes + points(0, 10).bytes);
}

TEST(InfluxSink, speaks_to_the_later_generations) {
  for (const auto& [api, head, token] :
       {std::tuple(InfluxApi::v2, "POST /api/v2/write?org=acme&bucket=llm&precision=ns HTTP/1.1\r\n",
                   "Authorization: Token t0ken\r\n"),
        std::tuple(InfluxApi::v3, "POST /api/v3/write_lp?db=llm&precision=nanosecond HTTP/1.1\r\n",
                   "Authorization: Bearer t0ken\r\n")}) {
    StubServer server({StubServer::status(429, "", "Retry-After: 1\r\n"),
                       StubServer::status(400, R"({"error":"partial write of line protocol occurred","data":[)"
                                               R"({"original_line":"m","line_number":3,"error_message":"no"}]})")});
    InfluxTarget target = target_at(server.port());
    target.api = api;
    target.organisation = "acme";
    target.credentials.token = "t0ken";
    auto sink = make_influx_sink(target, quick());
    sink->write(points(0, 10));
    const SinkAccount account = sink->finish();
    EXPECT_EQ(account.stored, 9U);
    EXPECT_EQ(account.rejected, 1U);
    for (const StubRequest& request : server.requests()) {
      EXPECT_TRUE(request.head.starts_with(head)) << request.head;
      EXPECT_NE(request.head.find(token), std::string::npos) << request.head;
    }
  }
}

TEST(InfluxPreflight, knows_how_each_generation_answers_an_empty_write) {
  const auto error_with = [](InfluxApi api, StubServer::Step ping, StubServer::Step write) {
    StubServer server({std::move(ping), std::move(write)});
    InfluxTarget target = target_at(server.port());
    target.api = api;
    const auto result = preflight(target, DatabasePolicy::create_if_missing);
    return result ? std::string() : result.error();
  };
  const auto pong = StubServer::status(204);
  const auto empty_v2 = StubServer::status(400, R"({"code":"invalid","message":"writing requires points"})");
  EXPECT_EQ(error_with(InfluxApi::v2, pong, empty_v2), "");
  EXPECT_NE(error_with(InfluxApi::v1, pong, empty_v2), "");
  EXPECT_EQ(error_with(InfluxApi::v3, pong, StubServer::status(400, "incoming write was empty")), "");
  EXPECT_NE(error_with(InfluxApi::v3, pong, StubServer::status(400, "invalid database name")).find("invalid database"),
            std::string::npos);
  EXPECT_NE(error_with(InfluxApi::v2, pong,
                       StubServer::status(404, R"({"code":"not found","message":"bucket \"llm\" not found"})"))
                .find("the bucket does not exist"),
            std::string::npos);
  EXPECT_NE(error_with(InfluxApi::v2, pong, StubServer::status(401)).find("the token is missing or wrong"),
            std::string::npos);
  EXPECT_NE(error_with(InfluxApi::v3, StubServer::status(401), StubServer::status(401)).find("the token is missing"),
            std::string::npos);
  EXPECT_NE(error_with(InfluxApi::v2, pong, StubServer::status(404, "404 page not found"))
                .find("there is no /api/v2/write (HTTP 404: 404 page not found): another generation"),
            std::string::npos);
}

TEST(InfluxPreflight, names_a_field_of_another_type) {
  const std::vector<FieldUse> ours = {{"llm_request", "ttft", FieldType::floating},
                                      {"llm_request", "chunks", FieldType::integer}};
  const auto error_with = [&](InfluxApi api, const std::string& answer) {
    StubServer server({StubServer::status(204), StubServer::status(204), StubServer::status(200, answer)});
    InfluxTarget target = target_at(server.port());
    target.api = api;
    const auto result = preflight(target, DatabasePolicy::must_exist, ours);
    return result ? "notes: " + std::to_string(result->size()) : result.error();
  };
  const auto v1 = [](const std::string& rows) {
    return R"({"results":[{"series":[{"name":"llm_request","columns":["fieldKey","fieldType"],"values":[)" + rows +
           "]}]}]}";
  };
  EXPECT_EQ(error_with(InfluxApi::v1, v1(R"(["ttft","float"],["chunks","integer"],["other","string"])")), "notes: 0");
  EXPECT_NE(error_with(InfluxApi::v1, v1(R"(["ttft","float"],["chunks","float"])"))
                .find("field llm_request.chunks is float there and integer here, so its points would be refused"),
            std::string::npos);
  EXPECT_EQ(error_with(InfluxApi::v1, R"({"results":[{"error":"not authorized"}]})"), "notes: 1");
  EXPECT_NE(error_with(InfluxApi::v3, R"([{"table_name":"llm_request","column_name":"ttft","data_type":"Int64"}])")
                .find("field llm_request.ttft is integer there and float here"),
            std::string::npos);
}

TEST(InfluxPreflight, says_what_is_wrong) {
  const auto error_with = [](std::deque<StubServer::Step> script, HttpCredentials credentials = {}) {
    StubServer server(std::move(script));
    InfluxTarget target = target_at(server.port());
    target.credentials = std::move(credentials);
    const auto result = preflight(target, DatabasePolicy::must_exist);
    return result ? std::string("no error") : result.error();
  };
  const auto pong = StubServer::status(204);
  EXPECT_EQ(error_with({}), "no error");
  EXPECT_NE(error_with({StubServer::status(404, "page not found")}).find("does not answer /ping"), std::string::npos);
  EXPECT_NE(error_with({pong, StubServer::status(401)}).find("missing or wrong"), std::string::npos);
  EXPECT_NE(error_with({pong, StubServer::status(403)}).find("grant WRITE"), std::string::npos);
  EXPECT_NE(
      error_with({pong, StubServer::status(404, R"({"error":"database not found: \"llm\""})")}).find("does not exist"),
      std::string::npos);
  EXPECT_NE(error_with({pong, StubServer::status(500, "broken")}).find("HTTP 500: broken"), std::string::npos);
  EXPECT_NE(error_with({}, {"", "", "token\n"}).find("control character"), std::string::npos);
  const auto nobody = preflight(target_at(1), DatabasePolicy::must_exist);
  ASSERT_FALSE(nobody);
  EXPECT_NE(nobody.error().find("http://127.0.0.1:1/llm: cannot be reached"), std::string::npos) << nobody.error();
}

TEST(InfluxPreflight, reports_a_database_that_cannot_be_created) {
  StubServer server({StubServer::status(204), StubServer::status(404),
                     StubServer::status(200, R"({"results":[{"statement_id":0,"error":"not allowed"}]})")});
  const auto result = preflight(target_at(server.port()), DatabasePolicy::create_if_missing);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("could not be created (not allowed)"), std::string::npos) << result.error();
}

}  // namespace
}  // namespace exporters
