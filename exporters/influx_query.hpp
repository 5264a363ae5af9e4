// What is asked of an InfluxDB besides writing: which types its fields have, how
// many points of a run it holds. The wording of questions and the reading of answers are pure; ask_ functions do the
// asking.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporters/http_answer.hpp"
#include "exporters/influx_target.hpp"
#include "exporters/result.hpp"

namespace exporters {

enum class FieldType : std::uint8_t { floating, integer, text, boolean, other };

/// "float", "integer", "string", "boolean", "something else".
std::string_view label(FieldType type) noexcept;

/// A field of a measurement, with one type it has; a database may know several entries for one field.
struct FieldUse {
  std::string measurement, field;
  FieldType type = FieldType::other;
  bool operator==(const FieldUse&) const = default;
};

/// A measurement and a field that each of its points has.
struct CountedField {
  std::string measurement, field;
};

using TagValues = std::vector<std::pair<std::string, std::string>>;
using PointCounts = std::map<std::string, std::uint64_t>;  ///< by measurement

/// The types of all fields of these measurements. The error says why they are not known: no permission to read, no such
/// interface.
Result<std::vector<FieldUse>, std::string> ask_field_types(const InfluxTarget& target,
                                                           const std::vector<std::string>& measurements);

/// How many points of each measurement carry all these tags; 0 for a measurement that does not exist. In the retention
/// policy of the target.
Result<PointCounts, std::string> ask_counts(const InfluxTarget& target, const std::vector<CountedField>& fields,
                                            const TagValues& tags);

// ---- wording

/// InfluxQL and SQL: "name", with what would end it escaped in each one's way.
std::string influxql_identifier(std::string_view name);
std::string sql_identifier(std::string_view name);

std::string influxql_count(const InfluxTarget& target, const CountedField& counted, const TagValues& tags);
std::string sql_count(const CountedField& counted, const TagValues& tags);
std::string flux_count(const InfluxTarget& target, const std::vector<CountedField>& fields, const TagValues& tags);

// ---- reading; whatever the answer holds, these return

/// Error of an InfluxQL answer: one of the status, or of the statements inside a 200; empty if there is none.
std::string influxql_error(const HttpAnswer& answer);

Result<std::vector<FieldUse>, std::string> parse_influxql_fields(const HttpAnswer& answer);
Result<std::vector<FieldUse>, std::string> parse_sql_fields(const HttpAnswer& answer);
Result<std::uint64_t, std::string> parse_influxql_count(const HttpAnswer& answer);
Result<std::uint64_t, std::string> parse_sql_count(const HttpAnswer& answer);
/// Measurements that the answer does not name are left out.
Result<PointCounts, std::string> parse_flux_counts(const HttpAnswer& answer);

}  // namespace exporters
