// The InfluxDB writer against a real influxd: what is said to be stored is what a query finds, byte for byte.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "exporters/influx_line.hpp"
#include "exporters/metrics/hdr_histogram.hpp"
#include "exporters/tests/influxd_process.hpp"
#include "exporters/tests/must.hpp"

namespace exporters {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;

class Influxd : public testing::Test {
 protected:
  void SetUp() override {
    if (!InfluxdProcess::is_installed()) GTEST_SKIP() << "needs " << InfluxdProcess::binary << " (Debian: influxdb)";
  }
};

InfluxSinkOptions options_with_spill(const std::filesystem::path& spill) {
  InfluxSinkOptions options;
  options.backoff = {.base = 5ms, .cap = 50ms};
  options.drain_timeout = 30s;
  options.spill_file = spill;
  return options;
}

Batch requests(int count, UniqueClock& clock) {
  Batch batch;
  for (int i = 0; i < count; ++i) {
    InfluxPoint point(batch.bytes, "llm_request");
    point.tag("run", "r1").tag("entry", i % 2 == 0 ? "qa" : "rewrite zh");
    point.field("ttft", 0.001 * i).field("chunks", i).field("id", "request " + std::to_string(i));
    EXPECT_EQ(point.finish(clock.next(start_ns)), PointResult::appended);
    batch.end_record();
  }
  return batch;
}

TEST_F(Influxd, stores_every_point_that_was_offered) {
  const InfluxdProcess influxd;
  const ScratchDir dir;
  const InfluxTarget target = influxd.target("llm");
  const auto missing = preflight(target, DatabasePolicy::must_exist);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("the database does not exist"), std::string::npos) << missing.error();
  const auto created = preflight(target, DatabasePolicy::create_if_missing);
  ASSERT_TRUE(created) << created.error();
  EXPECT_TRUE(preflight(target, DatabasePolicy::must_exist));

  auto sink = make_influx_sink(target, options_with_spill(dir / "spill.lp"));
  UniqueClock clock;
  for (int i = 0; i < 9; ++i) sink->write(requests(1371, clock));  // all at one time, but for the clock
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 12'339U);
  EXPECT_EQ(account.stored, 12'339U) << account.first_error;
  EXPECT_EQ(influxd.count("llm", "llm_request", "chunks"), 12'339U);
  EXPECT_EQ(influxd.count("llm", "llm_request", "ttft"), 12'339U);
  EXPECT_FALSE(std::filesystem::exists(dir / "spill.lp"));
}

TEST_F(Influxd, gives_back_nasty_texts_unchanged) {
  const InfluxdProcess influxd;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  const std::vector<std::string> nasty = {"plain",      "with space",
                                          "a,b",        "a=b",
                                          "C:\\dir",    "a\\,b",
                                          "a\\ b",      "a\\=b",
                                          "\"quoted\"", "'",
                                          "x\\\\y",     "\xe4\xbd\xa0\xe5\xa5\xbd",
                                          "#hash",      "a\nevil,x=1 v=1",
                                          "\"",         "\\\"",
                                          "t\tab\r\n",  "evil v=1 ",
                                          "end=",       ",",
                                          "= =",        " lead"};
  auto sink = make_influx_sink(target, {});
  Batch batch;
  for (std::size_t i = 0; i < nasty.size(); ++i) {
    InfluxPoint point(batch.bytes, "nasty, measurement");
    point.tag("tag", nasty[i]).field("n", i).field("text, of=it", nasty[i] + "\\");
    ASSERT_EQ(point.finish(start_ns + static_cast<std::int64_t>(i)), PointResult::appended);
    batch.end_record();
  }
  sink->write(batch);
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.stored, nasty.size()) << account.first_error;
  const auto rows =
      influxd.query("llm", R"(SELECT "n","tag","text, of=it" FROM "nasty, measurement")")["series"][0]["values"];
  ASSERT_EQ(rows.size(), nasty.size());
  for (const auto& row : rows) {
    const std::string& text = nasty[row[1].get<std::size_t>()];
    std::string tag;
    for (const char c : text) tag += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : std::string(1, c);
    EXPECT_EQ(row[2], tag);
    EXPECT_EQ(row[3], text + "\\");
  }
  EXPECT_EQ(influxd.query("llm", "SHOW MEASUREMENTS")["series"][0]["values"].size(), 1U);
}

TEST_F(Influxd, values_of_64_kb_are_stored_or_refused_and_alter_nothing_else) {
  const InfluxdProcess influxd;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  const std::string evil = "\nevil,x=1 v=1 1\n\",evil=1 \\";
  const auto long_text = [&](std::size_t size) {
    std::string text;
    while (text.size() < size) text += evil;
    return text.substr(0, size);
  };
  Batch batch;
  std::int64_t at_ns = start_ns;
  const auto append = [&](const std::string& tag, const std::string& key, const std::string& text) {
    InfluxPoint point(batch.bytes, "m");
    point.tag("tag", tag).field(key, text);
    ASSERT_EQ(point.finish(++at_ns), PointResult::appended);
    batch.end_record();
  };
  append("a", "f", long_text(65'536));
  append("b", "f", long_text(1'000'000));
  append(long_text(20'000), "f", "a long tag");
  append(long_text(70'000), "f", "more than the server would take for a key");
  append("c", std::string(70'000, 'k'), "a field whose name is too long or not, as the server likes");
  append("d", "f", "the last");
  auto sink = make_influx_sink(target, {});
  sink->write(batch);
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 6U);
  EXPECT_TRUE(account.is_settled());
  EXPECT_GE(account.stored, 5U) << account.first_error;
  const auto rows = influxd.query("llm", R"(SELECT "f" FROM "m")")["series"][0]["values"];
  ASSERT_EQ(rows.size(), 5U) << "long tags are cut, so that their points are taken";
  EXPECT_EQ(rows[0][1], long_text(65'536));
  EXPECT_EQ(rows[1][1], long_text(1'000'000));
  EXPECT_EQ(rows[4][1], "the last");
  EXPECT_EQ(influxd.query("llm", "SHOW MEASUREMENTS")["series"][0]["values"], nlohmann::json::parse(R"([["m"]])"));
  EXPECT_EQ(influxd.query("llm", "SHOW TAG KEYS")["series"][0]["values"], nlohmann::json::parse(R"([["tag"]])"));
}

TEST_F(Influxd, counts_what_the_server_rejects) {
  const InfluxdProcess influxd;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  const auto account_of = [&](const std::vector<std::string>& lines) {
    auto sink = make_influx_sink(target, {});
    Batch batch;
    for (const std::string& line : lines) {
      batch.bytes += line + "\n";
      batch.end_record();
    }
    sink->write(batch);
    return sink->finish();
  };
  EXPECT_EQ(account_of({"m v=1i 1"}).stored, 1U);
  const SinkAccount conflict = account_of({"m v=2i 2", "m v=2.5 3", "m v=3i 4"});
  EXPECT_EQ(conflict.stored, 2U);
  EXPECT_EQ(conflict.rejected, 1U);
  EXPECT_NE(conflict.first_error.find("field type conflict"), std::string::npos);
  const SinkAccount malformed = account_of({"m v=2i 5", "m,t=a v= 2", "m v", "m v=9i 6"});
  EXPECT_EQ(malformed.stored, 2U);
  EXPECT_EQ(malformed.rejected, 2U);
  const SinkAccount nothing_right = account_of({"m v", "m w"});
  EXPECT_EQ(nothing_right.rejected, 2U);
  EXPECT_EQ(influxd.count("llm", "m", "v"), 5U);
}

TEST_F(Influxd, stores_what_comes_compressed_and_in_a_retention_policy) {
  const InfluxdProcess influxd;
  InfluxTarget target = influxd.target("odd \"name\" & co");
  target.compression = Compression::gzip;
  const auto created = preflight(target, DatabasePolicy::create_if_missing);
  ASSERT_TRUE(created) << created.error();
  target.retention_policy = "two weeks";
  const auto missing = preflight(target, DatabasePolicy::must_exist);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("there is no retention policy two weeks"), std::string::npos) << missing.error();
  influxd.query("any", R"(CREATE RETENTION POLICY "two weeks" ON "odd \"name\" & co" DURATION INF REPLICATION 1)");
  const auto ready = preflight(target, DatabasePolicy::must_exist);
  ASSERT_TRUE(ready) << ready.error();
  EXPECT_TRUE(ready->empty());
  auto sink = make_influx_sink(target, {});
  UniqueClock clock;
  sink->write(requests(12'000, clock));
  EXPECT_EQ(sink->finish().stored, 12'000U);
  const std::vector<CountedField> counted = {{"llm_request", "chunks"}, {"nothing", "x"}};
  const auto counts = ask_counts(target, counted, {{"run", "r1"}});
  ASSERT_TRUE(counts) << counts.error();
  EXPECT_EQ(*counts, (PointCounts{{"llm_request", 12'000}, {"nothing", 0}}));
  EXPECT_EQ(must(ask_counts(target, counted, {{"run", "r1"}, {"entry", "qa"}}))["llm_request"], 6000U);
  EXPECT_EQ(must(ask_counts(target, counted, {{"run", "r2"}}))["llm_request"], 0U);
  target.retention_policy.clear();
  EXPECT_EQ(must(ask_counts(target, counted, {{"run", "r1"}}))["llm_request"], 0U) << "the default policy is another";
}

TEST_F(Influxd, says_before_a_run_that_a_field_has_another_type) {
  const InfluxdProcess influxd;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  HttpClient client({target.url.server(), {}, 10s, {}});
  ASSERT_EQ(client.post("/write?db=llm", "text/plain", "llm_request chunks=1.5,id=7i 1").status, 204);
  const auto check = [&](const std::vector<FieldUse>& fields) {
    const auto result = preflight(target, DatabasePolicy::must_exist, fields);
    return result ? std::string() : result.error();
  };
  EXPECT_EQ(check({{"llm_request", "chunks", FieldType::floating}, {"llm_request", "new", FieldType::text}}), "");
  EXPECT_NE(check({{"llm_request", "chunks", FieldType::integer}}).find("field llm_request.chunks is float there"),
            std::string::npos);
  EXPECT_NE(check({{"llm_request", "id", FieldType::text}}).find("field llm_request.id is integer there and string"),
            std::string::npos);
}

TEST_F(Influxd, survives_a_restart_of_the_server) {
  InfluxdProcess influxd;
  const ScratchDir dir;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  auto options = options_with_spill(dir / "spill.lp");
  options.batch.max_records = 100;
  auto sink = make_influx_sink(target, options);
  UniqueClock clock;
  sink->write(requests(1000, clock));
  influxd.stop();
  sink->write(requests(1000, clock));
  influxd.start();
  sink->write(requests(1000, clock));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.stored, 3000U) << account.first_error;
  EXPECT_EQ(influxd.count("llm", "llm_request", "chunks"), 3000U);
}

TEST_F(Influxd, needs_the_right_user) {
  const InfluxdProcess influxd(InfluxdProcess::Auth::on);
  const ScratchDir dir;
  const HttpCredentials admin{"admin", "a'dmin pw", ""};
  influxd.query("llm", R"(CREATE USER admin WITH PASSWORD 'a\'dmin pw' WITH ALL PRIVILEGES)");
  influxd.query("llm", R"(CREATE DATABASE "llm")", admin);
  influxd.query("llm", "CREATE USER writer WITH PASSWORD 'w1'", admin);
  influxd.query("llm", "CREATE USER reader WITH PASSWORD 'r1'", admin);
  influxd.query("llm", R"(GRANT WRITE ON "llm" TO writer)", admin);
  influxd.query("llm", R"(GRANT READ ON "llm" TO reader)", admin);

  const auto error_for = [&](const HttpCredentials& credentials, const std::string& database = "llm") {
    const auto result = preflight(influxd.target(database, credentials), DatabasePolicy::create_if_missing);
    return result ? std::string() : result.error();
  };
  EXPECT_EQ(error_for({"writer", "w1", ""}), "");
  EXPECT_NE(error_for({}).find("missing or wrong"), std::string::npos) << error_for({});
  EXPECT_NE(error_for({"writer", "secret", ""}).find("missing or wrong"), std::string::npos);
  EXPECT_EQ(error_for({"writer", "secret", ""}).find("secret"), std::string::npos);
  EXPECT_NE(error_for({"reader", "r1", ""}).find("may not write"), std::string::npos)
      << error_for({"reader", "r1", ""});
  EXPECT_NE(error_for({"writer", "w1", ""}, "other").find("could not be created"), std::string::npos);
  EXPECT_EQ(error_for(admin, "other"), "");

  const auto blind = preflight(influxd.target("llm", {"writer", "w1", ""}), DatabasePolicy::must_exist,
                               {{"llm_request", "chunks", FieldType::integer}});
  ASSERT_TRUE(blind) << "who may only write is told less, and may write";
  ASSERT_EQ(blind->size(), 1U);
  EXPECT_NE(blind->front().find("the types of its fields could not be checked"), std::string::npos) << blind->front();

  UniqueClock clock;
  auto wrong = make_influx_sink(influxd.target("llm", {"reader", "r1", ""}), options_with_spill(dir / "spill.lp"));
  wrong->write(requests(300, clock));
  const SinkAccount account = wrong->finish();
  EXPECT_EQ(account.spilled, 300U);
  EXPECT_NE(account.first_error.find("403"), std::string::npos) << account.first_error;

  // What was spilled can be delivered later as it is.
  HttpClient client({influxd.target("llm").url.server(), {"writer", "w1", ""}, 10s, {}});
  EXPECT_EQ(client.post("/write?db=llm", "text/plain", read_file(dir / "spill.lp")).status, 204);
  const auto result = influxd.query("llm", "SELECT count(chunks) FROM llm_request", admin);
  EXPECT_EQ(result["series"][0]["values"][0][1], 300);
}

TEST_F(Influxd, percentiles_can_be_recomputed_from_stored_slots) {
  const InfluxdProcess influxd;
  const InfluxTarget target = influxd.target("llm");
  ASSERT_TRUE(preflight(target, DatabasePolicy::create_if_missing));
  HdrHistogram whole;
  Batch batch;
  for (int second = 0; second < 4; ++second) {
    HdrHistogram interval;
    for (int i = 0; i < 700; ++i) interval.record(80'000 + (i * i * (second + 1)) % 50'000);
    whole.add(interval);
    const std::int64_t begin_ns = start_ns + second * 1'000'000'000LL;
    interval.for_each_slot([&](std::size_t slot, std::int64_t, std::int64_t highest, std::uint64_t n) {
      InfluxPoint point(batch.bytes, "llm_hdr");
      point.tag("run", "r1").tag("entry", "qa").tag("metric", "e2e");
      point.field("slot", slot).field("value_us", highest).field("n", n);
      ASSERT_EQ(point.finish(begin_ns + static_cast<std::int64_t>(slot)), PointResult::appended);
      batch.end_record();
    });
  }
  auto sink = make_influx_sink(target, {});
  sink->write(batch);
  ASSERT_EQ(sink->finish().stored, batch.size());
  HdrHistogram recomputed;
  const auto result = influxd.query("llm", "SELECT slot, n FROM llm_hdr");
  for (const auto& row : result["series"][0]["values"])
    recomputed.record_slot(row[1].get<std::size_t>(), row[2].get<std::uint64_t>());
  EXPECT_EQ(recomputed.count(), 2800U);
  for (const double q : {0.0, 0.5, 0.9, 0.99, 0.999, 1.0})
    EXPECT_EQ(recomputed.value_at_quantile(q), whole.value_at_quantile(q)) << q;
}

}  // namespace
}  // namespace exporters
