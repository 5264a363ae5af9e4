// Line by line, after the run: nothing is being measured any more.
#include "loadgen/export/truth_file.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "loadgen/export/shallow_json.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::json;

std::optional<std::int64_t> stamp(const Json& value) {
  constexpr std::int64_t limit = INT64_MAX / 2;
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(limit)) return std::nullopt;
  const auto ns = value.get<std::int64_t>();
  return ns < 0 ? std::nullopt : std::optional(ns);
}

std::optional<std::uint64_t> index_in(const std::string& client_id, std::string_view run_id) {
  if (!client_id.starts_with(run_id) || client_id.size() <= run_id.size() + 1 || client_id[run_id.size()] != '-')
    return std::nullopt;
  std::uint64_t index = 0;
  const char* const end = client_id.data() + client_id.size();
  const auto parsed = std::from_chars(client_id.data() + run_id.size() + 1, end, index);
  return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(index) : std::nullopt;
}

std::optional<RequestTimes> times_in(const Json& json) {
  const auto received = json.contains("recv_ns") ? stamp(json["recv_ns"]) : std::nullopt;
  if (!received || !json.contains("achieved_ns")) return std::nullopt;
  const Json& achieved = json["achieved_ns"];
  if (!achieved.is_array() || achieved.empty()) return std::nullopt;
  const auto first = stamp(achieved.front());
  const auto last = stamp(achieved.back());
  if (!first || !last || *first < *received || *last < *first) return std::nullopt;
  RequestTimes times;
  times.e2e = *last - *received;
  times.ttft = *first - *received;
  const auto gaps = static_cast<std::int64_t>(achieved.size()) - 1;
  if (gaps > 0) times.tpot = (*last - *first) / gaps;
  return times;
}

}  // namespace

std::optional<TruthEntry> parse_truth_line(std::string_view line, std::string_view run_id, bool& is_damaged) {
  const Json json = parse_shallow_json(line);
  is_damaged = !json.is_object();
  if (is_damaged || !json.contains("client_id") || !json["client_id"].is_string()) return std::nullopt;
  const auto index = index_in(json["client_id"].get<std::string>(), run_id);
  if (!index || json.value("outcome", Json()) != "ok") return std::nullopt;
  const auto times = times_in(json);
  is_damaged = !times;
  return times ? std::optional(TruthEntry{*index, *times}) : std::nullopt;
}

void TruthFile::read_more(TruthMatcher& matcher) {
  file_.clear();
  for (std::string part; std::getline(file_, part);) {
    line_ += part;
    if (file_.eof()) return;  // no line feed yet: the rest comes later
    bool is_damaged = false;
    const auto entry = parse_truth_line(line_, run_id_, is_damaged);
    if (entry) matcher.add_true(entry->index, entry->times);
    damaged_ += is_damaged ? 1 : 0;
    line_.clear();
  }
}

}  // namespace loadgen
