// A row per reading: its stamp, its throttle bits (null: not known), then one value per metric that the series ever
// has.
#include "loadgen/export/shard_observations.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "loadgen/export/checked_json.hpp"
#include "loadgen/summarize/observed_window.hpp"

namespace loadgen {
namespace {

using namespace checked_json;

constexpr std::size_t most_readings = 500'000;  ///< some 50 MB
constexpr std::size_t most_sources = 1000;
constexpr std::size_t most_series = SampleStore::most_subjects;

constexpr std::pair<const char*, std::string Subject::*> subject_texts[] = {
    {"source", &Subject::source}, {"gpu", &Subject::gpu},       {"uuid", &Subject::uuid},  {"name", &Subject::name},
    {"host", &Subject::host},     {"target", &Subject::target}, {"model", &Subject::model}};

const char* word_of(Subject::Kind kind) {
  return kind == Subject::Kind::gpu ? "gpu" : "server";
}
Subject::Kind kind_in(const Json& json) {
  const std::string word = text_in(json, "kind");
  if (word != "gpu" && word != "server") throw Wrong("'kind' must be gpu or server");
  return word == "gpu" ? Subject::Kind::gpu : Subject::Kind::server;
}

std::vector<ObservedMetric> metrics_of(const SampleSeries& series) {
  std::vector<ObservedMetric> metrics;
  for (std::size_t i = 0; i < read_metric_count; ++i) {
    const auto metric = static_cast<ObservedMetric>(i);
    if (ever_has(series, metric)) metrics.push_back(metric);
  }
  return metrics;
}

Json series_json(const SampleSeries& series) {
  Json json = {{"kind", word_of(series.subject.kind)}};
  for (const auto& [name, text] : subject_texts) json[name] = series.subject.*text;
  const std::vector<ObservedMetric> metrics = metrics_of(series);
  Json names = Json::array(), rows = Json::array();
  for (const ObservedMetric metric : metrics) names.push_back(info(metric).name);
  for (const Reading& reading : series.readings) {
    Json row = {reading.at_ns, reading.knows_throttle ? Json(reading.throttle) : Json(nullptr)};
    for (const ObservedMetric metric : metrics)
      row.push_back(std::isfinite(reading.values[metric]) ? Json(reading.values[metric]) : Json(nullptr));
    rows.push_back(std::move(row));
  }
  json["metrics"] = std::move(names);
  json["readings"] = std::move(rows);
  return json;
}

Json source_json(const SourceLog& log) {
  return {{"name", log.name},
          {"kind", word_of(log.kind)},
          {"open", log.is_open},
          {"page", log.is_page},
          {"targets", log.is_targets},
          {"failed_at_ns", log.failed_at_ns},
          {"first_error", log.first_error},
          {"notes", log.notes}};
}

SourceLog source_from(const Json& json) {
  SourceLog log;
  log.name = text_in(json, "name");
  log.kind = kind_in(json);
  log.is_open = flag_in(json, "open");
  log.is_page = flag_in(json, "page");
  log.is_targets = flag_in(json, "targets");
  for (const Json& at : list_in(json, "failed_at_ns", SampleStore::most_failures))
    log.failed_at_ns.push_back(stamp_from(at, "failed_at_ns"));
  log.first_error = text_in(json, "first_error");
  log.notes = texts_in(json, "notes");
  return log;
}

std::vector<ObservedMetric> metrics_from(const Json& json) {
  std::vector<ObservedMetric> metrics;
  for (const std::string& name : texts_in(json, "metrics")) {
    const auto metric = observed_metric_from(name);
    if (!metric || info(*metric).kind == ObservedKind::derived) throw Wrong("'metrics' names an unknown metric");
    metrics.push_back(*metric);
  }
  return metrics;
}

Reading reading_from(const Json& row, const std::vector<ObservedMetric>& metrics) {
  if (!row.is_array() || row.size() != metrics.size() + 2)
    throw Wrong("'readings' must hold rows of a stamp, throttle bits and a value per metric");
  Reading reading;
  reading.at_ns = stamp_from(row[0], "readings");
  reading.knows_throttle = !row[1].is_null();
  if (reading.knows_throttle) {
    if (!row[1].is_number_unsigned() || row[1].get<std::uint64_t>() > Throttle::any)
      throw Wrong("'readings' must hold bits of throttle reasons");
    reading.throttle = row[1].get<std::uint32_t>();
  }
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (row[i + 2].is_null()) continue;
    if (!row[i + 2].is_number()) throw Wrong("'readings' must hold numbers");
    reading.values.set(metrics[i], row[i + 2].get<double>());
  }
  return reading;
}

SampleSeries series_from(const Json& json) {
  SampleSeries series;
  series.subject.kind = kind_in(json);
  for (const auto& [name, text] : subject_texts) series.subject.*text = text_in(json, name);
  const std::vector<ObservedMetric> metrics = metrics_from(json);
  for (const Json& row : list_in(json, "readings", most_readings)) {
    series.readings.push_back(reading_from(row, metrics));
    if (series.readings.size() > 1 && series.readings.back().at_ns < (series.readings.end() - 2)->at_ns)
      throw Wrong("'readings' must be in the order of time");
  }
  return series;
}

}  // namespace

nlohmann::ordered_json shard_observations_json(const Observations& observations) {
  if (observations.sources.empty()) return nullptr;
  std::size_t readings = 0;
  for (const SampleSeries& series : observations.series) readings += series.readings.size();
  const bool is_too_much = readings > most_readings;
  Json sources = Json::array(), all = Json::array();
  for (SourceLog log : observations.sources) {
    if (is_too_much) {
      log.is_open = false;
      log.first_error = fmt::format("{} readings are more than a shard keeps", readings);
    }
    sources.push_back(source_json(log));
  }
  if (!is_too_much)
    for (const SampleSeries& series : observations.series) all.push_back(series_json(series));
  return {{"sources", std::move(sources)}, {"series", std::move(all)}};
}

Observations shard_observations_from(const nlohmann::ordered_json& json) {
  Observations observations;
  if (json.is_null()) return observations;
  for (const Json& source : list_in(json, "sources", most_sources)) observations.sources.push_back(source_from(source));
  for (const Json& series : list_in(json, "series", most_series)) observations.series.push_back(series_from(series));
  return observations;
}

}  // namespace loadgen
