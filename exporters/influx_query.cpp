// The asking. Wording and reading are in influx_question.cpp and influx_answer.cpp.
#include "exporters/influx_query.hpp"

#include "exporters/influx_response.hpp"

namespace exporters {
namespace {

constexpr std::string_view form = "application/x-www-form-urlencoded";

HttpClientOptions options_for(const InfluxTarget& target) {
  return {target.url.server(), credentials_for(target), target.request_timeout, {}};
}

HttpAnswer ask_influxql(HttpClient& client, const InfluxTarget& target, const std::string& question) {
  return client.post("/query?db=" + percent_encoded(target.url.database), form, "q=" + percent_encoded(question));
}

HttpAnswer ask_sql(HttpClient& client, const InfluxTarget& target, const std::string& question) {
  return client.get("/api/v3/query_sql?format=json&db=" + percent_encoded(target.url.database) +
                    "&q=" + percent_encoded(question));
}

/// SQL names tables that do not exist as errors; to us they are empty.
bool is_missing_table(const HttpAnswer& answer) {
  return answer.status == 404 || (answer.status >= 400 && answer.body.find("not found") != std::string::npos);
}

template <class Item, class Write>
std::string joined(const std::vector<Item>& items, std::string_view separator, Write write) {
  std::string out;
  for (const Item& item : items) {
    if (!out.empty()) out += separator;
    out += write(item);
  }
  return out;
}

Result<PointCounts, std::string> ask_counts_one_by_one(const InfluxTarget& target,
                                                       const std::vector<CountedField>& fields, const TagValues& tags) {
  HttpClient client(options_for(target));
  PointCounts counts;
  for (const CountedField& counted : fields) {
    const bool is_sql = target.api == InfluxApi::v3;
    const HttpAnswer answer = is_sql ? ask_sql(client, target, sql_count(counted, tags))
                                     : ask_influxql(client, target, influxql_count(target, counted, tags));
    if (is_sql && is_missing_table(answer)) {
      counts[counted.measurement] = 0;
      continue;
    }
    const auto count = is_sql ? parse_sql_count(answer) : parse_influxql_count(answer);
    if (!count) return {boost::system::in_place_error, count.error()};
    counts[counted.measurement] = *count;
  }
  return counts;
}

}  // namespace

Result<std::vector<FieldUse>, std::string> ask_field_types(const InfluxTarget& target,
                                                           const std::vector<std::string>& measurements) {
  HttpClient client(options_for(target));
  if (target.api == InfluxApi::v3) {
    const HttpAnswer answer = ask_sql(client, target,
                                      "SELECT table_name, column_name, data_type FROM information_schema.columns "
                                      "WHERE table_schema = 'iox'");
    if (answer.status == 404) return std::vector<FieldUse>();  // the first write will make the database
    return parse_sql_fields(answer);
  }
  const std::string from = joined(measurements, ", ", influxql_identifier);
  return parse_influxql_fields(ask_influxql(
      client, target,
      "SHOW FIELD KEYS ON " + influxql_identifier(target.url.database) + (from.empty() ? "" : " FROM " + from)));
}

Result<PointCounts, std::string> ask_counts(const InfluxTarget& target, const std::vector<CountedField>& fields,
                                            const TagValues& tags) {
  if (target.api != InfluxApi::v2) return ask_counts_one_by_one(target, fields, tags);
  HttpClient client(options_for(target));
  auto found = parse_flux_counts(client.post("/api/v2/query?org=" + percent_encoded(target.organisation),
                                             "application/vnd.flux", flux_count(target, fields, tags)));
  if (!found) return found;
  for (const CountedField& counted : fields) found->try_emplace(counted.measurement, 0);
  return found;
}

}  // namespace exporters
