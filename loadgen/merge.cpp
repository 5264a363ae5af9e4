// Finds the shards, adds them up, writes what a single run would have left.
#include "loadgen/merge.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "loadgen/export/final_table.hpp"
#include "loadgen/export/grafana_links.hpp"
#include "loadgen/export/merged_logs.hpp"
#include "loadgen/export/observed_json.hpp"
#include "loadgen/export/report.hpp"
#include "loadgen/export/report_data.hpp"
#include "loadgen/export/run_directory.hpp"
#include "loadgen/export/shard_file.hpp"
#include "loadgen/export/summary_json.hpp"
#include "loadgen/summarize/merge.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;

ExitCode complain(ExitCode code, const std::string& message) {
  fmt::print(stderr, "loadgen merge: {}\n", message);
  return code;
}

bool holds_shard(const fs::path& dir) {
  std::error_code error;
  return fs::exists(dir / run_file::shard, error) || fs::exists(dir / run_file::shard_part, error);
}

/// Run directories among the arguments, and those in the folders among them, in the order of their names.
std::vector<fs::path> run_directories(const std::vector<std::string>& arguments) {
  std::vector<fs::path> found;
  for (const fs::path argument : arguments) {
    if (holds_shard(argument)) {
      found.push_back(argument);
      continue;
    }
    std::error_code error;
    std::vector<fs::path> inside;
    for (const auto& item : fs::directory_iterator(argument, error))
      if (holds_shard(item.path())) inside.push_back(item.path());
    std::sort(inside.begin(), inside.end());
    found.insert(found.end(), inside.begin(), inside.end());
  }
  return found;
}

/// Files of this name in the shards that are part of the result.
std::vector<RequestFile> files_of(const std::vector<ShardNote>& shards, std::string_view name) {
  std::vector<RequestFile> files;
  std::error_code error;
  for (const ShardNote& shard : shards) {
    const fs::path path = fs::path(shard.directory) / name;
    if (!shard.directory.empty() && fs::exists(path, error)) files.push_back({path, shard.index});
  }
  return files;
}

std::vector<fs::path> paths(const std::vector<RequestFile>& files) {
  std::vector<fs::path> all;
  for (const RequestFile& file : files) all.push_back(file.path);
  return all;
}

/// The per-second files. Sets the percentiles of the series on the way.
Result<std::vector<std::string>, std::string> write_series(const fs::path& out, MergedRun& merged) {
  std::vector<std::string> written;
  SeriesPercentiles percentiles(merged.totals);
  const auto ignore = [](std::int64_t, const std::string&, const exporters::HdrHistogram&) {};
  const auto keep = [&](std::int64_t start_ms, const std::string& tag, const exporters::HdrHistogram& values) {
    percentiles.add(start_ms, tag, values);
  };
  for (const std::string_view name : {run_file::run_hlog, run_file::mix_hlog}) {
    const MergedLine on_line = name == run_file::run_hlog ? MergedLine(keep) : MergedLine(ignore);
    auto done = merge_hdr_logs(paths(files_of(merged.notes, name)), out / name, merged.totals.facts, on_line);
    if (!done) return {boost::system::in_place_error, done.error()};
    written.emplace_back(name);
  }
  for (const std::string_view name : {run_file::requests, run_file::slowest}) {
    const auto files = files_of(merged.notes, name);
    if (files.empty()) continue;
    auto done = join_request_lines(files, out / name);
    if (!done) return {boost::system::in_place_error, done.error()};
    written.emplace_back(name);
  }
  return written;
}

Result<void, std::string> write_results(const fs::path& out, const ShardResult& first, const Scenario& scenario,
                                        const MergedRun& merged, const Summary& summary,
                                        std::vector<std::string> files) {
  files.insert(files.begin(), {std::string(run_file::summary), std::string(run_file::report)});
  auto document = summary_document(scenario, summary, files);
  document["scenario"] = nlohmann::ordered_json::parse(first.scenario_document);  // all of it, as the shards had it
  if (auto written = write_whole_file(out / run_file::summary, render_json(document)); !written) return written;
  auto data = report_document(document, scenario, merged.totals);
  data["observed"] = observed_timelines(summary.observed);
  return write_whole_file(out / run_file::report, render_report(data));
}

Result<std::vector<ShardResult>, std::string> read_shards(const std::vector<fs::path>& directories) {
  std::vector<ShardResult> shards;
  for (const fs::path& directory : directories) {
    auto shard = read_shard(directory);
    if (!shard) {
      // As if it were not there: what is missing then is said, and so is why.
      fmt::print(stderr, "loadgen merge: left out: {}\n", shard.error());
      continue;
    }
    shards.push_back(std::move(*shard));
  }
  if (shards.empty())
    return {boost::system::in_place_error,
            "no shard could be read; name run directories that hold a shard.json, or "
            "the folder they are in"};
  return shards;
}

}  // namespace

ExitCode run_merge(const MergeCommand& command) {
  for (const std::string& directory : command.directories)
    if (std::error_code ignored; !fs::exists(directory, ignored))
      fmt::print(stderr, "loadgen merge: left out: {} does not exist\n", directory);
  auto shards = read_shards(run_directories(command.directories));
  if (!shards) return complain(ExitCode::other_plans, shards.error());
  const ShardResult first = shards->front();
  const auto scenario = scenario_of_shard(first);
  if (!scenario) return complain(ExitCode::other_plans, scenario.error());
  auto merged = merge_shards(std::move(*shards));
  if (!merged) return complain(ExitCode::other_plans, merged.error());

  if (!run_file_in(command.out_dir).empty())
    return complain(ExitCode::exists,
                    fmt::format("{} already holds a run; give --out another directory", command.out_dir.string()));
  if (auto prepared = prepare_run_directory(command.out_dir); !prepared)
    return complain(ExitCode::error, prepared.error());
  auto files = write_series(command.out_dir, *merged);
  if (!files) return complain(ExitCode::error, files.error());
  const HostFacts several{"several machines, see shards", "", "", 0};
  Summary summary = summarize_merged(*scenario, *merged, several, command.degraded);
  if (command.grafana_url) summary.links = grafana_links(*command.grafana_url, merged->totals.facts);
  const auto written = write_results(command.out_dir, first, *scenario, *merged, summary, std::move(*files));
  const Colour colour = isatty(STDOUT_FILENO) != 0 ? Colour::ansi : Colour::none;
  fmt::print("{}\nresults: {}\n", render_final_table(*scenario, summary, colour), command.out_dir.string());
  std::fflush(stdout);
  if (!written) return complain(ExitCode::error, written.error());
  return exit_code(summary);
}

}  // namespace loadgen
