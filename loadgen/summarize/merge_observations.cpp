#include "loadgen/summarize/merge_observations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace loadgen {
namespace {

/// Whether the name means another thing on another machine.
bool is_local(std::string_view name) {
  if (name == "nvml") return true;
  const std::size_t scheme = name.find("://");
  const std::string_view host = scheme == std::string_view::npos ? name : name.substr(scheme + 3);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

std::string name_among(const std::string& name, const std::string& host, bool one_host) {
  return one_host || !is_local(name) ? name : fmt::format("{} on {}", name, host);
}

std::size_t readings_of(const Observations& observations, const std::string& source) {
  std::size_t readings = 0;
  for (const SampleSeries& series : observations.series)
    if (series.subject.source == source) readings += series.readings.size();
  return readings;
}

/// Where a source is taken from.
struct Watcher {
  const ShardResult* shard = nullptr;
  const SourceLog* log = nullptr;
  std::size_t readings = 0;
};

void add_source(Observations& all, const std::string& name, const Watcher& watcher) {
  SourceLog log = *watcher.log;
  log.name = name;
  all.sources.push_back(std::move(log));
  for (SampleSeries series : watcher.shard->observations.series) {
    if (series.subject.source != watcher.log->name || series.subject.kind != watcher.log->kind) continue;
    series.subject.source = name;
    all.series.push_back(std::move(series));
  }
}

}  // namespace

Observations merge_observations(const std::vector<ShardResult>& shards) {
  const bool one_host = std::all_of(shards.begin(), shards.end(),
                                    [&](const ShardResult& shard) { return shard.host == shards.front().host; });
  std::map<std::pair<Subject::Kind, std::string>, Watcher> watchers;  // one page may be looked at for both kinds
  for (const ShardResult& shard : shards) {
    for (const SourceLog& log : shard.observations.sources) {
      Watcher& watcher = watchers[{log.kind, name_among(log.name, shard.host, one_host)}];
      const std::size_t readings = readings_of(shard.observations, log.name);
      if (watcher.shard == nullptr || readings > watcher.readings) watcher = {&shard, &log, readings};
    }
  }
  Observations all;
  for (const auto& [key, watcher] : watchers) add_source(all, key.second, watcher);
  return all;
}

}  // namespace loadgen
