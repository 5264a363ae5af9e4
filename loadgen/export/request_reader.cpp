#include "loadgen/export/request_reader.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "loadgen/export/shallow_json.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::json;

/// Columns of the table; a point leads into an object.
constexpr std::string_view columns[] = {"shard",
                                        "index",
                                        "phase",
                                        "outcome",
                                        "entry",
                                        "scenario",
                                        "route",
                                        "model",
                                        "target",
                                        "streamed",
                                        "new_connection",
                                        "http_status",
                                        "stamps.intended_ns",
                                        "stamps.dispatch_ns",
                                        "stamps.connected_ns",
                                        "stamps.send_ns",
                                        "stamps.sent_ns",
                                        "stamps.headers_ns",
                                        "stamps.first_token_ns",
                                        "stamps.first_output_ns",
                                        "stamps.last_token_ns",
                                        "stamps.end_ns",
                                        "stamp_source",
                                        "recv_delay_first_ms",
                                        "recv_delay_max_ms",
                                        "metrics.ttft",
                                        "metrics.ttft_sched",
                                        "metrics.ttfo",
                                        "metrics.tpot",
                                        "metrics.e2e",
                                        "metrics.e2e_sched",
                                        "metrics.lateness",
                                        "metrics.e2e_last_token",
                                        "metrics.ttst",
                                        "metrics.connect",
                                        "metrics.server_wait",
                                        "metrics.icl_mean",
                                        "metrics.icl_p99",
                                        "metrics.icl_max",
                                        "requested_tokens",
                                        "output_tokens",
                                        "input_tokens",
                                        "requested_input_tokens",
                                        "token_source",
                                        "chunks",
                                        "coalesced_events",
                                        "index_breaks",
                                        "unstreamed",
                                        "finish_reason",
                                        "error_type",
                                        "error"};

const Json* member(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

const Json* at(const Json& json, std::string_view path) {
  const std::size_t point = path.find('.');
  if (point == std::string_view::npos) return member(json, path);
  const Json* inner = member(json, path.substr(0, point));
  return inner == nullptr ? nullptr : member(*inner, path.substr(point + 1));
}

/// Reads members of one line and remembers the first that is not as it should be.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}
  const std::string& error() const { return error_; }

  std::string text(std::string_view path, bool is_needed = true) {
    const Json* found = at(json_, path);
    if (found == nullptr && !is_needed) return {};
    if (found == nullptr || !found->is_string()) return refuse(path, "is missing or no text"), std::string();
    return found->get<std::string>();
  }

  template <class T>
  std::optional<T> whole(std::string_view path) {
    const Json* found = at(json_, path);
    if (found == nullptr) return std::nullopt;
    if (!found->is_number_unsigned() ||
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<T>::max()))
      return refuse(path, "is no whole number, or too large"), std::nullopt;
    return static_cast<T>(found->get<std::uint64_t>());
  }

  /// Milliseconds in the file, nanoseconds in here.
  std::optional<std::int64_t> duration(std::string_view path) {
    const Json* found = at(json_, path);
    if (found == nullptr) return std::nullopt;
    if (!found->is_number() || !(std::abs(found->get<double>()) < 1e12))
      return refuse(path, "is no duration in milliseconds"), std::nullopt;
    return std::llround(found->get<double>() * 1e6);
  }

  /// One of the labels of `count` values.
  template <class T>
  T word(std::string_view path, std::size_t count) {
    const std::string text_here = text(path);
    for (std::size_t i = 0; i < count; ++i)
      if (text_here == label(static_cast<T>(i))) return static_cast<T>(i);
    refuse(path, "is none of the known words");
    return T{};
  }

 private:
  void refuse(std::string_view path, std::string_view why) {
    if (error_.empty()) error_ = fmt::format("{} {}", path, why);
  }

  const Json& json_;
  std::string error_;
};

void read_stamps(Reader& reader, Stamps& stamps) {
  const auto read = [&](std::string_view path, std::int64_t& stamp) {
    stamp = reader.whole<std::int64_t>(path).value_or(0);
  };
  read("stamps.intended_ns", stamps.intended);
  read("stamps.dispatch_ns", stamps.dispatch);
  read("stamps.send_ns", stamps.send);
  read("stamps.end_ns", stamps.end);
}

void read_metrics(Reader& reader, RequestMetrics& metrics) {
  for (std::size_t i = 0; i < metric_count; ++i)
    metrics.single[i] = reader.duration("metrics." + std::string(metric_labels[i]));
  metrics.icl_mean = reader.duration("metrics.icl_mean");
  metrics.icl_p99 = reader.duration("metrics.icl_p99");
  metrics.icl_max = reader.duration("metrics.icl_max");
  metrics.chunks = reader.whole<std::uint32_t>("chunks").value_or(0);
}

void read_facts(Reader& reader, RequestFacts& facts) {
  constexpr std::size_t phases = 3;
  facts.index = reader.whole<std::uint64_t>("index").value_or(0);
  facts.phase = reader.word<Phase>("phase", phases);
  facts.outcome = reader.word<Outcome>("outcome", outcome_count);
  facts.http_status = reader.whole<std::uint16_t>("http_status").value_or(0);
  facts.output_tokens = reader.whole<std::uint32_t>("output_tokens").value_or(0);
  facts.input_tokens = reader.whole<std::uint32_t>("input_tokens");
  facts.error = reader.text("error", false);
}

void append_cell(std::string& out, const Json* value) {
  if (value == nullptr || value->is_null()) return;
  const std::string text =
      value->is_string() ? value->get<std::string>() : value->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

Result<ReadRequest, std::string> parse_request_line(std::string_view line) {
  const Json json = parse_shallow_json(line);
  if (!json.is_object()) return {boost::system::in_place_error, "is no line of a requests.jsonl"};
  Reader reader(json);
  ReadRequest request;
  auto& words = request.words;
  for (const auto& [path, word] : {std::pair("entry", &words.entry),
                                   {"scenario", &words.scenario},
                                   {"route", &words.route},
                                   {"target", &words.target},
                                   {"model", &words.model}})
    *word = reader.text(path);
  read_facts(reader, request.row.record);
  read_stamps(reader, request.row.record.stamps);
  read_metrics(reader, request.row.metrics);
  if (!reader.error().empty()) return {boost::system::in_place_error, reader.error()};
  return request;
}

std::string csv_header() {
  std::string out;
  for (const std::string_view column : columns) {
    if (!out.empty()) out += ',';
    out += column.substr(column.find('.') == std::string_view::npos ? 0 : column.find('.') + 1);
  }
  return out + "\r\n";
}

Result<void, std::string> append_csv_row(std::string& out, std::string_view request_line) {
  const Json json = parse_shallow_json(request_line);
  if (!json.is_object()) return {boost::system::in_place_error, "is no line of a requests.jsonl"};
  for (const std::string_view& column : columns) {
    if (&column != columns) out += ',';
    append_cell(out, at(json, column));
  }
  out += "\r\n";
  return {};
}

}  // namespace loadgen
