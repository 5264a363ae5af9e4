// Lines for programs, a table for people.
#include "loadgen/export/slowest_lines.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loadgen/export/json_text.hpp"
#include "loadgen/export/request_line.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

double ms(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-6;
}

Json between(std::int64_t from, std::int64_t to) {
  return from != 0 && to != 0 ? Json(ms(to - from)) : Json(nullptr);
}

void append_events(std::string& out, const std::vector<TokenEvent>& events) {
  out += '[';
  for (const TokenEvent& event : events) {
    if (out.back() != '[') out += ',';
    out += '[';
    append_json_number(out, event.at_ns);
    out += ',';
    append_json_number(out, static_cast<std::uint64_t>(event.tokens));
    out += ']';
  }
  out += ']';
}

/// The longest pause between two events: its length, and after how many events it came.
Json longest_gap(const std::vector<TokenEvent>& events) {
  std::int64_t longest = -1;
  std::size_t after = 0;
  for (std::size_t i = 1; i < events.size(); ++i) {
    const std::int64_t gap = events[i].at_ns - events[i - 1].at_ns;
    if (gap <= longest) continue;
    longest = gap;
    after = i;
  }
  return longest < 0 ? Json(nullptr) : Json{{"ms", ms(longest)}, {"after_event", after}};
}

}  // namespace

std::string slowest_lines(const Scenario& scenario, const SlowestRequests& slowest) {
  std::string out;
  std::uint64_t rank = 0;
  for (const SlowRequest* request : slowest.ranked()) {
    std::string line;
    append_request_line(line, scenario, {request->record, request->metrics});
    out += "{\"rank\":";
    append_json_number(out, ++rank);
    out += ",\"took_ms\":";
    append_json_number(out, ms(request->took_ns));
    out += ',';
    out.append(line, 1, line.size() - 3);  // without the brace it begins with and the one it ends in
    out += ",\"events\":";
    append_events(out, request->record.events);
    out += "}\n";
  }
  return out;
}

Json slowest_document(const Scenario& scenario, const SlowestRequests& slowest) {
  Json list = Json::array();
  for (const SlowRequest* request : slowest.ranked()) {
    const RequestRecord& record = request->record;
    const Stamps& t = record.stamps;
    list.push_back({{"index", record.index},
                    {"entry", scenario.mix.at(record.entry).name},
                    {"outcome", label(record.outcome)},
                    {"took_ms", ms(request->took_ns)},
                    {"late_ms", between(t.intended, t.send)},
                    {"connect_ms", record.new_connection ? between(t.dispatch, t.connected) : Json(nullptr)},
                    {"first_token_ms", between(t.send, t.first_token)},
                    {"last_token_ms", between(t.first_token, t.last_token)},
                    {"tokens", record.output_tokens},
                    {"longest_gap", longest_gap(record.events)},
                    {"recv_delay_max_ms", ms(record.recv_delay_max_ns)}});
  }
  return list;
}

}  // namespace loadgen
