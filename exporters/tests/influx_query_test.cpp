// Questions that no name can break out of, and answers of every shape.
#include "exporters/influx_query.hpp"

#include <gtest/gtest.h>

#include "exporters/tests/must.hpp"

namespace exporters {
namespace {

InfluxTarget target_of(const std::string& policy = "") {
  InfluxTarget target;
  target.url = must(parse_influx_url("http://h:1/b%22%24%7Bx%7D"));
  target.retention_policy = policy;
  return target;
}

HttpAnswer ok(const std::string& body) {
  return {200, body, {}, {}};
}

TEST(InfluxQuestion, names_and_values_stay_what_they_are) {
  const TagValues tags = {{"run", "it's \\ \"r\""}, {"a\"b", "0"}};
  EXPECT_EQ(influxql_count(target_of("r\"p"), {"m\\", "f"}, tags),
            R"(SELECT count("f") FROM "r\"p"."m\\" WHERE "run" = 'it\'s \\ "r"' AND "a\"b" = '0')");
  EXPECT_EQ(influxql_count(target_of(), {"m", "f"}, {}), R"(SELECT count("f") FROM "m")");
  EXPECT_EQ(sql_count({"m\"", "f"}, tags),
            R"(SELECT count("f") AS n FROM "m""" WHERE "run" = 'it''s \ "r"' AND "a""b" = '0')");
  EXPECT_EQ(flux_count(target_of(), {{"m", "f"}, {"n", "g"}}, {{"run", "${r}\""}}),
            "from(bucket: \"b\\\"\\${x}\")\n  |> range(start: 0)\n"
            "  |> filter(fn: (r) => r[\"run\"] == \"\\${r}\\\"\")\n"
            "  |> filter(fn: (r) => (r._measurement == \"m\" and r._field == \"f\") or "
            "(r._measurement == \"n\" and r._field == \"g\"))\n"
            "  |> count()\n  |> group(columns: [\"_measurement\"])\n  |> sum()\n");
}

TEST(InfluxAnswer, field_types_of_each_generation) {
  const auto v1 = must(parse_influxql_fields(
      ok(R"({"results":[{"statement_id":0,"series":[{"name":"m","columns":["fieldKey","fieldType"],)"
         R"("values":[["a","float"],["b","integer"],["c","string"],["d","boolean"],["e","unsigned"]]}]}]})")));
  EXPECT_EQ(v1, (std::vector<FieldUse>{{"m", "a", FieldType::floating},
                                       {"m", "b", FieldType::integer},
                                       {"m", "c", FieldType::text},
                                       {"m", "d", FieldType::boolean},
                                       {"m", "e", FieldType::other}}));
  const auto v3 = must(parse_sql_fields(ok(R"json([{"table_name":"m","column_name":"a","data_type":"Float64"},
      {"table_name":"m","column_name":"b","data_type":"Int64"},
      {"table_name":"m","column_name":"t","data_type":"Dictionary(Int32, Utf8)"},
      {"table_name":"m","column_name":"c","data_type":"Utf8"}])json")));
  EXPECT_EQ(v3, (std::vector<FieldUse>{{"m", "a", FieldType::floating},
                                       {"m", "b", FieldType::integer},
                                       {"m", "t", FieldType::other},
                                       {"m", "c", FieldType::text}}));
  EXPECT_TRUE(must(parse_influxql_fields(ok(R"({"results":[{"statement_id":0}]})"))).empty());
  EXPECT_TRUE(must(parse_sql_fields(ok("[]"))).empty());
}

TEST(InfluxAnswer, counts_of_each_generation) {
  EXPECT_EQ(must(parse_influxql_count(ok(R"({"results":[{"series":[{"name":"m","columns":["time","count"],)"
                                         R"("values":[[0,12339]]}]}]})"))),
            12'339U);
  EXPECT_EQ(must(parse_influxql_count(ok(R"({"results":[{"statement_id":0}]})"))), 0U);
  EXPECT_EQ(must(parse_sql_count(ok(R"([{"n":7}])"))), 7U);
  const auto v2 =
      must(parse_flux_counts(ok(",result,table,_measurement,_value\r\n,_result,0,llm_request,480\r\n"
                                ",_result,1,llm_hdr,9000\r\n\r\n")));
  EXPECT_EQ(v2, (PointCounts{{"llm_hdr", 9000}, {"llm_request", 480}}));
  EXPECT_TRUE(must(parse_flux_counts(ok("\r\n"))).empty());
}

TEST(InfluxAnswer, errors_are_found_wherever_they_stand) {
  EXPECT_EQ(influxql_error(ok(R"({"results":[{"statement_id":0},{"error":"user already\nexists"}]})")),
            "user already exists");
  EXPECT_EQ(influxql_error({403, R"({"error":"no"})", {}, {}}), "HTTP 403: no");
  EXPECT_EQ(parse_influxql_count(ok(R"({"results":[{"error":"database not found: x"}]})")).error(),
            "database not found: x");
  EXPECT_EQ(parse_flux_counts({401, R"({"code":"unauthorized","message":"unauthorized access"})", {}, {}}).error(),
            "HTTP 401: unauthorized access");
  EXPECT_EQ(parse_sql_count({0, "", {}, "Connection refused"}).error(), "Connection refused");
}

TEST(InfluxAnswer, what_is_no_answer_is_refused) {
  const auto says = [](const auto& result) { return result ? std::string("accepted") : result.error(); };
  const std::string strange = "unexpected answer to a query";
  for (const char* body :
       {"", "null", "5", "[]", "{}", "not json", R"({"results":{}})", R"({"results":[]})", R"({"results":[5]})",
        R"({"results":[{"series":5}]})", R"({"results":[{"series":[{"values":[5]}]}]})", R"({"results":[{"error":5}]})",
        R"({"results":[{"series":[{"name":"databases","columns":["name"],"values":[["_internal"]]}]}]})"}) {
    const std::string fields = says(parse_influxql_fields(ok(body)));
    const std::string count = says(parse_influxql_count(ok(body)));
    const bool finds_nothing = std::string(body) == R"({"results":[5]})";  // a statement without series
    EXPECT_EQ(fields, finds_nothing ? "accepted" : strange) << body;
    EXPECT_EQ(count, finds_nothing ? "accepted" : strange) << body;
  }
  for (const char* body : {"", "{}", "[5]", R"([{"n":-1}])", R"([{"n":"7"}])", R"([{"n":1},{"n":2}])"})
    EXPECT_EQ(says(parse_sql_count(ok(body))), strange) << body;
  for (const char* body :
       {"x", "a,b\n1,2\n", "_measurement,_value\nm\n", "_measurement,_value\nm,-1\n", "_measurement,_value\nm,1x\n"})
    EXPECT_EQ(says(parse_flux_counts(ok(body))), strange) << body;
}

}  // namespace
}  // namespace exporters
