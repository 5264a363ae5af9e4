#include "loadgen/export/observed_json.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "loadgen/export/json_numbers.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

/// gpu.memory_used_mib as memory_used_mib: which kind it is of says the list it stands in.
std::string short_name(ObservedMetric metric) {
  const std::string_view name = info(metric).name;
  return std::string(name.substr(name.find('.') + 1));
}

Json statistics_json(const std::vector<ObservedStatistic>& metrics) {
  Json all = Json::object();
  for (const ObservedStatistic& metric : metrics) {
    const bool is_total = info(metric.metric).kind == ObservedKind::total;
    Json& json = all[short_name(metric.metric)];
    json = {{"count", metric.count}};
    if (is_total) {
      json["increase"] = number(metric.increase);
    } else {
      json.update({{"mean", number(metric.mean)}, {"min", number(metric.min)}, {"max", number(metric.max)}});
    }
    json["first"] = number(metric.first);
    json["last"] = number(metric.last);
  }
  return all;
}

Json gpu_json(const ObservedSubject& gpu) {
  const Json energy_from = gpu.energy_from_power ? "power" : "counter";
  return {{"gpu", gpu.subject.gpu},
          {"uuid", gpu.subject.uuid},
          {"name", gpu.subject.name},
          {"host", gpu.subject.host},
          {"source", gpu.subject.source},
          {"serves_target", gpu.is_targets},
          {"readings", gpu.readings},
          {"metrics", statistics_json(gpu.metrics)},
          {"baseline_memory_mib", number(gpu.baseline_memory_mib)},
          {"energy_j", number(gpu.energy_j)},
          {"energy_from", gpu.energy_j ? energy_from : Json(nullptr)},
          {"throttled", {{"known", gpu.throttle_known}, {"readings", gpu.throttled}, {"reasons", gpu.throttle}}}};
}

/// Mean seconds in the queue over the window, and the share of looked-up prompt tokens found in the prefix cache.
std::optional<double> ratio(const ObservedSubject& server, ObservedMetric part, ObservedMetric whole) {
  std::optional<double> above, below;
  for (const ObservedStatistic& metric : server.metrics) {
    if (metric.metric == part) above = metric.increase;
    if (metric.metric == whole) below = metric.increase;
  }
  return above && below && *below > 0 ? std::optional(*above / *below) : std::nullopt;
}

Json server_json(const ObservedSubject& server) {
  const auto queue_s = ratio(server, ObservedMetric::server_queue_time_s, ObservedMetric::server_queue_time_count);
  return {{"target", server.subject.target},
          {"model", server.subject.model},
          {"source", server.subject.source},
          {"readings", server.readings},
          {"metrics", statistics_json(server.metrics)},
          {"queue_time_mean_ms", queue_s ? number(*queue_s * 1000) : Json(nullptr)},
          {"prefix_hit_share", number(ratio(server, ObservedMetric::server_prefix_hit_tokens,
                                            ObservedMetric::server_prefix_queried_tokens))}};
}

std::string name_of(const Subject& subject) {
  if (subject.kind == Subject::Kind::server) return subject.model.empty() ? subject.target : subject.model;
  return "GPU " + subject.gpu + (subject.host.empty() ? "" : " of " + subject.host);
}

}  // namespace

Json observed_document(const ObservedSummary& observed) {
  if (observed.is_empty()) return nullptr;
  Json sources = Json::array(), gpus = Json::array(), servers = Json::array();
  for (const ObservedSource& source : observed.sources)
    sources.push_back({{"name", source.name},
                       {"open", source.is_open},
                       {"failed", source.failed},
                       {"first_error", source.first_error},
                       {"notes", source.notes},
                       {"unchanged_s", source.unchanged ? number(source.unchanged->longest_s) : Json(nullptr)},
                       {"last_change_age_s", source.unchanged ? number(source.unchanged->age_s) : Json(nullptr)},
                       {"stale", source.unchanged && source.unchanged->is_stale}});
  for (const ObservedSubject& subject : observed.subjects) {
    if (subject.subject.kind == Subject::Kind::gpu) {
      gpus.push_back(gpu_json(subject));
    } else {
      servers.push_back(server_json(subject));
    }
  }
  return {
      {"window_s", number(observed.window_s)}, {"every_s", 1},
      {"sources", std::move(sources)},         {"gpus", std::move(gpus)},
      {"servers", std::move(servers)},         {"output_tokens", observed.output_tokens},
      {"energy_j", number(observed.energy_j)}, {"joules_per_output_token", number(observed.joules_per_output_token)}};
}

Json observed_timelines(const ObservedSummary& observed) {
  Json lines = Json::array();
  for (const ObservedSubject& subject : observed.subjects) {
    for (const ObservedTimeline& line : subject.timelines)
      lines.push_back({{"subject", name_of(subject.subject)},
                       {"kind", subject.subject.kind == Subject::Kind::gpu ? "gpu" : "server"},
                       {"metric", short_name(line.metric)},
                       {"unit", label(info(line.metric).unit)},
                       {"at", line.at_s},
                       {"values", line.values}});
  }
  return lines;
}

}  // namespace loadgen
