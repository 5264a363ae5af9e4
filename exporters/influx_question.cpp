// The wording of questions: whatever names and values hold, they stay names and values.
#include "exporters/influx_query.hpp"

namespace exporters {
namespace {

/// `text` between `quote`s, with `escape` in front of each character of `special`.
std::string quoted(std::string_view text, char quote, std::string_view special, char escape) {
  std::string out(1, quote);
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += escape;
    out += c;
  }
  return out + quote;
}

std::string influxql_text(std::string_view text) {
  return quoted(text, '\'', "'\\", '\\');
}
std::string sql_text(std::string_view text) {
  return quoted(text, '\'', "'", '\'');
}
/// "${" would begin an expression inside a Flux text.
std::string flux_text(std::string_view text) {
  return quoted(text, '"', "\"\\$", '\\');
}

template <class Identifier, class Text>
std::string conditions(const TagValues& tags, Identifier identifier, Text text) {
  std::string out;
  for (const auto& [key, value] : tags)
    out += (out.empty() ? " WHERE " : " AND ") + identifier(key) + " = " + text(value);
  return out;
}

}  // namespace

std::string influxql_identifier(std::string_view name) {
  return quoted(name, '"', "\"\\", '\\');
}

std::string sql_identifier(std::string_view name) {
  return quoted(name, '"', "\"", '"');
}

std::string influxql_count(const InfluxTarget& target, const CountedField& counted, const TagValues& tags) {
  const std::string policy = target.retention_policy.empty() ? "" : influxql_identifier(target.retention_policy) + ".";
  return "SELECT count(" + influxql_identifier(counted.field) + ") FROM " + policy +
         influxql_identifier(counted.measurement) + conditions(tags, influxql_identifier, influxql_text);
}

std::string sql_count(const CountedField& counted, const TagValues& tags) {
  return "SELECT count(" + sql_identifier(counted.field) + ") AS n FROM " + sql_identifier(counted.measurement) +
         conditions(tags, sql_identifier, sql_text);
}

/// Counted by series first: only then do fields of different types go into one table.
std::string flux_count(const InfluxTarget& target, const std::vector<CountedField>& fields, const TagValues& tags) {
  std::string which;
  for (const CountedField& counted : fields)
    which += std::string(which.empty() ? "" : " or ") + "(r._measurement == " + flux_text(counted.measurement) +
             " and r._field == " + flux_text(counted.field) + ")";
  std::string out = "from(bucket: " + flux_text(target.url.database) + ")\n  |> range(start: 0)\n";
  for (const auto& [key, value] : tags)
    out += "  |> filter(fn: (r) => r[" + flux_text(key) + "] == " + flux_text(value) + ")\n";
  return out + "  |> filter(fn: (r) => " + which +
         ")\n  |> count()\n  |> group(columns: [\"_measurement\"])\n  |> sum()\n";
}

}  // namespace exporters
