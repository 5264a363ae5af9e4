// The reading of answers to questions. They come from a server: any bytes may stand in them.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "exporters/influx_query.hpp"
#include "exporters/influx_response.hpp"

namespace exporters {
namespace {

using Json = nlohmann::json;

template <class T>
Result<T, std::string> failed(std::string cause) {
  return {boost::system::in_place_error, std::move(cause)};
}

constexpr auto unexpected = "unexpected answer to a query";

const Json* member(const Json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? &*found : nullptr;
}

std::string text_of(const Json* json) {
  return json != nullptr && json->is_string() ? json->get<std::string>() : std::string();
}

/// Where a column stands among the columns of an InfluxQL series.
std::optional<std::size_t> column(const Json& series, std::string_view name) {
  const Json* columns = member(series, "columns");
  if (columns == nullptr || !columns->is_array()) return std::nullopt;
  const auto found = std::find(columns->begin(), columns->end(), name);
  if (found == columns->end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns->begin());
}

/// Calls `visit(series, row)` for every row of the first statement. False if the answer is no InfluxQL answer.
template <class Visit>
bool for_each_row(const Json& json, Visit visit) {
  const Json* results = member(json, "results");
  if (results == nullptr || !results->is_array() || results->empty()) return false;
  const Json* all = member((*results)[0], "series");
  if (all == nullptr) return true;  // nothing found
  if (!all->is_array()) return false;
  for (const Json& series : *all) {
    const Json* rows = member(series, "values");
    if (rows == nullptr || !rows->is_array()) return false;
    for (const Json& row : *rows)
      if (!row.is_array()) return false;
    for (const Json& row : *rows) visit(series, row);
  }
  return true;
}

const Json* cell(const Json& row, const std::optional<std::size_t>& at) {
  return at && *at < row.size() ? &row[*at] : nullptr;
}

FieldType influxql_type(std::string_view word) {
  if (word == "float") return FieldType::floating;
  if (word == "integer") return FieldType::integer;
  if (word == "string") return FieldType::text;
  if (word == "boolean") return FieldType::boolean;
  return FieldType::other;
}

FieldType arrow_type(std::string_view word) {
  if (word == "Float64") return FieldType::floating;
  if (word == "Int64") return FieldType::integer;
  if (word == "Utf8" || word == "Utf8View" || word == "LargeUtf8") return FieldType::text;
  if (word == "Boolean") return FieldType::boolean;
  return FieldType::other;
}

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = line.find(separator);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view label(FieldType type) noexcept {
  switch (type) {
    case FieldType::floating:
      return "float";
    case FieldType::integer:
      return "integer";
    case FieldType::text:
      return "string";
    case FieldType::boolean:
      return "boolean";
    case FieldType::other:
      break;
  }
  return "something else";
}

std::string influxql_error(const HttpAnswer& answer) {
  if (answer.status != 200) return error_message(answer);
  const Json json = Json::parse(answer.body, nullptr, false);
  const Json* results = member(json, "results");
  if (results == nullptr || !results->is_array()) return unexpected;
  for (const Json& result : *results) {
    const Json* error = member(result, "error");
    if (error == nullptr) continue;
    const std::string text = one_line(text_of(error));
    return text.empty() ? unexpected : text;
  }
  return {};
}

Result<std::vector<FieldUse>, std::string> parse_influxql_fields(const HttpAnswer& answer) {
  using Fields = std::vector<FieldUse>;
  if (std::string error = influxql_error(answer); !error.empty()) return failed<Fields>(std::move(error));
  Fields fields;
  bool is_strange = false;
  const bool is_answer =
      for_each_row(Json::parse(answer.body, nullptr, false), [&](const Json& series, const Json& row) {
        const std::string name = text_of(cell(row, column(series, "fieldKey")));
        const std::string type = text_of(cell(row, column(series, "fieldType")));
        is_strange = is_strange || name.empty() || type.empty();
        fields.push_back({text_of(member(series, "name")), name, influxql_type(type)});
      });
  if (!is_answer || is_strange) return failed<Fields>(unexpected);
  return fields;
}

Result<std::vector<FieldUse>, std::string> parse_sql_fields(const HttpAnswer& answer) {
  using Fields = std::vector<FieldUse>;
  if (answer.status != 200) return failed<Fields>(error_message(answer));
  const Json json = Json::parse(answer.body, nullptr, false);
  if (!json.is_array()) return failed<Fields>(unexpected);
  Fields fields;
  for (const Json& row : json) {
    FieldUse field{text_of(member(row, "table_name")), text_of(member(row, "column_name")),
                   arrow_type(text_of(member(row, "data_type")))};
    if (field.measurement.empty() || field.field.empty()) return failed<Fields>(unexpected);
    fields.push_back(std::move(field));
  }
  return fields;
}

Result<std::uint64_t, std::string> parse_influxql_count(const HttpAnswer& answer) {
  using Count = std::uint64_t;
  if (std::string error = influxql_error(answer); !error.empty()) return failed<Count>(std::move(error));
  Count count = 0;
  bool is_strange = false;
  const bool is_answer =
      for_each_row(Json::parse(answer.body, nullptr, false), [&](const Json& series, const Json& row) {
        const Json* value = cell(row, column(series, "count"));
        is_strange = is_strange || value == nullptr || !value->is_number_unsigned();
        if (!is_strange) count += value->get<Count>();
      });
  if (!is_answer || is_strange) return failed<Count>(unexpected);
  return count;
}

Result<std::uint64_t, std::string> parse_sql_count(const HttpAnswer& answer) {
  using Count = std::uint64_t;
  if (answer.status != 200) return failed<Count>(error_message(answer));
  const Json json = Json::parse(answer.body, nullptr, false);
  const Json* n = json.is_array() && json.size() == 1 ? member(json[0], "n") : nullptr;
  if (n == nullptr || !n->is_number_unsigned()) return failed<Count>(unexpected);
  return n->get<Count>();
}

/// CSV with a header row; a table of another shape begins after an empty line. Names of measurements are ours and have
/// neither commas nor quotes.
Result<PointCounts, std::string> parse_flux_counts(const HttpAnswer& answer) {
  if (answer.status != 200) return failed<PointCounts>(error_message(answer));
  PointCounts counts;
  std::optional<std::size_t> name_at, value_at;
  bool expects_header = true;
  for (std::string_view line : split(answer.body, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    const auto cells = split(line, ',');
    if (line.empty()) {
      expects_header = true;
    } else if (expects_header) {
      const auto at = [&](std::string_view name) -> std::optional<std::size_t> {
        const auto found = std::find(cells.begin(), cells.end(), name);
        if (found == cells.end()) return std::nullopt;
        return static_cast<std::size_t>(found - cells.begin());
      };
      name_at = at("_measurement");
      value_at = at("_value");
      expects_header = false;
      if (!name_at || !value_at) return failed<PointCounts>(unexpected);
    } else {
      const auto value = cells.size() > std::max(*name_at, *value_at) ? number(cells[*value_at]) : std::nullopt;
      if (!value) return failed<PointCounts>(unexpected);
      counts[std::string(cells[*name_at])] += *value;
    }
  }
  return counts;
}

}  // namespace exporters
