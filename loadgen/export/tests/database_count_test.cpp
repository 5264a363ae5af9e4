// The schema says what the renderer writes, and the comparison with the database finds what is missing.
#include "loadgen/export/database_count.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loadgen/export/observed_points.hpp"
#include "loadgen/export/point_schema.hpp"
#include "loadgen/export/points.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using exporters::FieldType;
using exporters::SinkAccount;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Measurement, field and type of every field of rendered points whose texts hold no spaces, commas or quotes.
std::set<std::tuple<std::string, std::string, FieldType>> fields_in(const exporters::Batch& batch) {
  std::set<std::tuple<std::string, std::string, FieldType>> fields;
  std::size_t begin = 0;
  for (const std::size_t end : batch.ends) {
    const std::string line = batch.bytes.substr(begin, end - begin - 1);
    begin = end;
    const std::string measurement = line.substr(0, line.find_first_of(", "));
    std::string rest = line.substr(line.find(' ') + 1);
    rest.resize(rest.rfind(' '));
    rest += ',';
    for (std::size_t at = 0; at < rest.size();) {
      const std::size_t equals = rest.find('=', at), comma = rest.find(',', equals);
      const std::string value = rest.substr(equals + 1, comma - equals - 1);
      const FieldType type = value[0] == '"'       ? FieldType::text
                             : value.back() == 'i' ? FieldType::integer
                                                   : FieldType::floating;
      fields.insert({measurement, rest.substr(at, equals - at), type});
      at = comma + 1;
    }
  }
  return fields;
}

TEST(PointSchema, IsWhatTheRendererWrites) {
  auto run = sample::simulate({.measure_s = 3, .requests_per_s = 300, .failure_share = 0.1, .open = true});
  PointRenderer renderer(run.scenario);
  exporters::Batch batch;
  for (Interval& interval : run.intervals) {
    interval.health.wall_ns = sample::second;
    for (RequestRow& row : interval.rows) {
      row.record.error = row.record.error.empty() ? "" : "x";
      row.metrics[Metric::connect] = 5;
    }
    renderer.append_interval(batch, run.facts, interval);
  }
  renderer.append_event(batch, run.facts, run.facts.mono_end_ns, "start", "x", "y");
  renderer.append_account(batch, run.facts, run.facts.mono_end_ns, "influx", {});
  const auto written = fields_in(batch);
  std::set<std::tuple<std::string, std::string, FieldType>> listed;
  for (const auto& use : point_fields()) listed.insert({use.measurement, use.field, use.type});
  EXPECT_GT(written.size(), 50U);
  for (const auto& field : written)
    EXPECT_TRUE(listed.contains(field)) << std::get<0>(field) << "." << std::get<1>(field);

  PointTally tally;
  tally.add(batch);
  std::map<std::string, std::uint64_t> with_counted;
  for (const auto& counted : counted_fields()) {
    std::size_t begin = 0;
    for (const std::size_t end : batch.ends) {
      const std::string line = batch.bytes.substr(begin, end - begin);
      begin = end;
      const bool is_there = line.find(" " + counted.field + "=") != std::string::npos ||
                            line.find("," + counted.field + "=") != std::string::npos;
      if (line.starts_with(counted.measurement + ",") && is_there) ++with_counted[counted.measurement];
    }
  }
  EXPECT_EQ(with_counted, tally.counts()) << "each point of a measurement has its counted field";
}

TEST(PointSchema, HasTheFieldsOfWhatIsObserved) {
  Reading reading;
  reading.at_ns = 5;
  reading.knows_throttle = true;
  for (std::size_t i = 0; i < read_metric_count; ++i) reading.values.set(static_cast<ObservedMetric>(i), 1.5);
  Subject gpu, server;
  gpu.kind = Subject::Kind::gpu;
  server.kind = Subject::Kind::server;
  exporters::Batch batch;
  append_observed(batch, sample::empty_run().facts, {{gpu, reading}, {server, reading}});
  std::set<std::tuple<std::string, std::string, FieldType>> listed;
  for (const auto& use : point_fields()) listed.insert({use.measurement, use.field, use.type});
  std::size_t known = 0;
  for (const auto& [measurement, field, type] : fields_in(batch)) {
    // Each subject was given the metrics of both: those that are not its own are in the other's list.
    const bool is_own = listed.contains({measurement, field, type});
    const bool is_others = listed.contains({measurement == "gpu" ? "llm_server" : "gpu", field, type});
    EXPECT_TRUE(is_own || is_others) << measurement << "." << field;
    known += is_own ? 1 : 0;
  }
  EXPECT_EQ(known, read_metric_count + 1) << "throttle besides";
}

DatabaseCount count_of(std::map<std::string, DatabaseCount::Row> rows) {
  return {std::move(rows), 0, ""};
}

TEST(DatabaseCount, NamesWhatIsMissingOrTooMuch) {
  const SinkAccount all{30, 30, 0, 0, 0, ""};
  EXPECT_THAT(count_mismatches(count_of({{"a", {10, 10}}, {"b", {20, 20}}}), all), IsEmpty());
  EXPECT_THAT(count_mismatches(count_of({{"a", {10, 9}}, {"b", {20, 20}}}), all),
              ElementsAre("a: the database holds 9 of 10 points offered"));
  EXPECT_THAT(
      count_mismatches(count_of({{"a", {10, 9}}, {"b", {20, 21}}}), all),
      ElementsAre("a: the database holds 9 of 10 points offered", "b: the database holds 21 of 20 points offered"));
}

TEST(DatabaseCount, KnowsOnlyTheSumWhenPointsWereRefused) {
  const SinkAccount refused{30, 27, 3, 0, 0, "HTTP 400"};
  EXPECT_THAT(count_mismatches(count_of({{"a", {10, 8}}, {"b", {20, 19}}}), refused), IsEmpty());
  EXPECT_THAT(count_mismatches(count_of({{"a", {10, 8}}, {"b", {20, 18}}}), refused),
              ElementsAre(HasSubstr("a: the database holds 8 of 10 points offered; 26 in all, where 27 were stored"),
                          HasSubstr("b: the database holds 18 of 20")));
  EXPECT_EQ(count_mismatches(count_of({{"a", {10, 9}}, {"b", {20, 19}}}), refused).size(), 2U) << "one too many";
}

TEST(DatabaseCount, LetsASpilledPointBeThereToo) {
  const SinkAccount spilled{30, 25, 0, 5, 0, "no answer"};
  for (const std::uint64_t found : {15U, 18U, 20U})
    EXPECT_THAT(count_mismatches(count_of({{"a", {10, 10}}, {"b", {20, found}}}), spilled), IsEmpty()) << found;
  EXPECT_EQ(count_mismatches(count_of({{"a", {10, 10}}, {"b", {20, 14}}}), spilled).size(), 1U);
}

TEST(DatabaseCount, LeavesOutWhatCannotBeCounted) {
  const SinkAccount all{30, 30, 0, 0, 0, ""};
  const DatabaseCount without_seven{{{"a", {10, 10}}, {"b", {13, 13}}}, 7, ""};
  EXPECT_THAT(count_mismatches(without_seven, all), IsEmpty());
  const SinkAccount refused{30, 29, 1, 0, 0, "HTTP 400"};
  EXPECT_THAT(count_mismatches(without_seven, refused), IsEmpty());
  const DatabaseCount too_few{{{"a", {10, 10}}, {"b", {13, 10}}}, 7, ""};
  EXPECT_THAT(count_mismatches(too_few, refused), ElementsAre(HasSubstr("b: the database holds 10 of 13")));
}

TEST(DatabaseCount, SaysNothingWhereNothingWasCounted) {
  const SinkAccount all{30, 30, 0, 0, 0, ""};
  EXPECT_THAT(count_mismatches({{}, 0, "no permission"}, all), IsEmpty());
}

}  // namespace
}  // namespace loadgen
