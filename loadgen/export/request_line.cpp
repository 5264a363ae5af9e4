#include "loadgen/export/request_line.hpp"

#include "loadgen/export/json_text.hpp"

namespace loadgen {
namespace {

void fill_stamps(JsonObjectText& object, const Stamps& stamps) {
  const auto add = [&object](std::string_view key, std::int64_t ns) {
    if (ns != 0) object.number(key, ns);
  };
  add("intended_ns", stamps.intended);
  add("dispatch_ns", stamps.dispatch);
  add("connected_ns", stamps.connected);
  add("send_ns", stamps.send);
  add("sent_ns", stamps.sent);
  add("headers_ns", stamps.headers);
  add("first_token_ns", stamps.first_token);
  add("first_output_ns", stamps.first_output);
  add("last_token_ns", stamps.last_token);
  add("end_ns", stamps.end);
}

void fill_metrics(JsonObjectText& object, const RequestMetrics& metrics) {
  const auto add = [&object](std::string_view key, const std::optional<std::int64_t>& ns) {
    if (ns) object.number(key, static_cast<double>(*ns) / 1e6);
  };
  for (std::size_t i = 0; i < metric_count; ++i) add(metric_labels[i], metrics.single[i]);
  add("icl_mean", metrics.icl_mean);
  add("icl_p99", metrics.icl_p99);
  add("icl_max", metrics.icl_max);
}

}  // namespace

void append_request_line(std::string& out, const Scenario& scenario, const RequestRow& row) {
  const RequestFacts& record = row.record;
  const MixEntry& entry = scenario.mix.at(record.entry);
  JsonObjectText line(out);
  line.number("index", record.index).text("phase", label(record.phase)).text("outcome", label(record.outcome));
  line.text("entry", entry.name).text("scenario", entry.scenario).text("route", label(entry.route));
  line.text("model", entry.model).text("target", entry.target.url).boolean("streamed", record.streamed);
  line.boolean("new_connection", record.new_connection);
  if (record.connection != 0) line.number("connection", record.connection);
  line.number("request_bytes", record.request_bytes).number("response_bytes", record.response_bytes);
  if (record.http_status != 0) line.number("http_status", record.http_status);
  line.object("stamps", [&](JsonObjectText& stamps) { fill_stamps(stamps, record.stamps); });
  if (record.stamps.headers != 0) {
    line.text("stamp_source", label(record.stamp_source));
    if (record.stamps.first_token != 0)
      line.number("recv_delay_first_ms", static_cast<double>(record.recv_delay_first_ns) / 1e6);
    line.number("recv_delay_max_ms", static_cast<double>(record.recv_delay_max_ns) / 1e6);
  }
  line.object("metrics", [&](JsonObjectText& metrics) { fill_metrics(metrics, row.metrics); });
  line.number("requested_tokens", record.requested_tokens).number("output_tokens", record.output_tokens);
  if (record.input_tokens) line.number("input_tokens", *record.input_tokens);
  if (record.requested_input_tokens > 0) line.number("requested_input_tokens", record.requested_input_tokens);
  line.text("token_source", label(record.token_source)).number("chunks", row.metrics.chunks);
  line.number("coalesced_events", record.coalesced_events);
  if (record.index_breaks > 0) line.number("index_breaks", record.index_breaks);
  if (row.metrics.unstreamed) line.boolean("unstreamed", true);
  if (!record.finish_reason.empty()) line.text("finish_reason", record.finish_reason);
  if (!record.error_type.empty()) line.text("error_type", record.error_type);
  if (!record.error.empty()) line.text("error", record.error);
  line.end();
  out += '\n';
}

}  // namespace loadgen
