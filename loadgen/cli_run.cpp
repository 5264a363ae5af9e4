// What goes together and what does not: scenario, place in a run of several processes, what is kept.
#include "loadgen/cli_run.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "loadgen/cli_refusal.hpp"

namespace loadgen {
namespace {

/// The default folder of a run: runs/20260131T235959Z-name, with the time of the common start where there is one.
std::filesystem::path default_out(const RunCommand& command) {
  const std::time_t when =
      command.start_at_ns ? static_cast<std::time_t>(*command.start_at_ns / 1'000'000'000) : std::time(nullptr);
  return fmt::format("runs/{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(when), command.scenario.name);
}

std::optional<std::uint64_t> parse_count(const std::string& text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

const char* environment(const char* name) {
  return std::getenv(name);
}

/// When to start, or the file that will say so; what is wrong with them, or empty.
std::string read_start(const Arguments& arguments, RunCommand& command) {
  const auto start_at = read_start_at(arguments.start_at, environment);
  if (!start_at) return "--start-at: " + start_at.error();
  command.start_at_ns = *start_at;
  const char* const variable = environment("LOADGEN_START_FILE");
  if (arguments.start_file) command.start_file = *arguments.start_file;
  if (!arguments.start_file && variable != nullptr) command.start_file = variable;
  if (!command.start_file) return {};
  if (command.start_file->empty()) return "--start-file: (or LOADGEN_START_FILE) must not be empty";
  if (command.start_at_ns) return "--start-file: (or LOADGEN_START_FILE) excludes --start-at and LOADGEN_START_AT";
  if (!arguments.out) return "--out: is missing: with --start-file no folder can be named by the start";
  return {};
}

/// Fills in which part of the plan this process sends; false, with the message printed, if that makes no sense.
bool read_sharding(const Arguments& arguments, RunCommand& command) {
  const auto refuse = [](const char* flag, const std::string& message) {
    bad_flag(flag, message);
    return false;
  };
  auto shard = identify_shard(arguments.shard, environment);
  if (!shard) return refuse("--shard", shard.error());
  command.shard = std::move(*shard);
  if (const std::string wrong = read_start(arguments, command); !wrong.empty()) {
    bad_usage(wrong + '\n');
    return false;
  }
  if (command.shard.is_alone()) return true;
  const std::string who =
      fmt::format("this is shard {}/{} (from {})", command.shard.index, command.shard.count, command.shard.source);
  if (!command.start_at_ns && !command.start_file)
    return refuse("--start-at", fmt::format("is missing: {}, and all of them must start at one instant; give all "
                                            "--start-at $(( $(date +%s) + 15 )) or LOADGEN_START_AT, or --start-file",
                                            who));
  if (!command.scenario.warmup)
    return refuse("--warmup", fmt::format("is missing: {}, and no shard knows when the whole load is steady", who));
  const auto* closed = std::get_if<ClosedLoop>(&command.scenario.load);
  if (closed != nullptr && closed->concurrency < command.shard.count)
    return refuse("--shard",
                  fmt::format("{} users cannot be dealt to {} shards", closed->concurrency, command.shard.count));
  return true;
}

/// Where the server's own record comes from: a file, or its answers, which are asked for it.
void read_truth(const Arguments& arguments, RunCommand& command) {
  command.truth_in_answers = arguments.truth == "stream";
  if (arguments.truth && !command.truth_in_answers) command.truth_file = *arguments.truth;
  if (!command.truth_in_answers) return;
  for (MixEntry& entry : command.scenario.mix) entry.headers.emplace_back("x-plumbline-truth", "1");
}

}  // namespace

Command make_run(const Arguments& arguments) {
  auto scenario =
      arguments.file ? read_scenario_file(*arguments.file, arguments.flags) : scenario_from_flags(arguments.flags);
  if (!scenario) {
    const char* const hint =
        arguments.file ? "" : "Give a scenario file, or these flags; 'loadgen run --help' explains them.\n";
    return bad_usage(errors_text(scenario.error()) + hint);
  }
  RunCommand command;
  command.scenario = std::move(*scenario);
  if (arguments.out && arguments.out->empty()) return bad_flag("--out", "must not be empty");
  if (!read_sharding(arguments, command)) return Done{ExitCode::bad_usage};
  command.exports.out_dir = arguments.out ? std::filesystem::path(*arguments.out) : default_out(command);
  if (!command.shard.is_alone()) command.exports.out_dir /= fmt::format("shard-{}", command.shard.index);
  const std::string record = arguments.record.value_or("all");
  if (record != "all" && record != "summary")
    return bad_flag("--record", "must be all or summary, is '" + record + "'");
  command.exports.record = record == "all" ? RecordLevel::all : RecordLevel::summary;
  if (auto read = read_export_flags(arguments.exports, command.exports); !read) return bad_usage(read.error() + '\n');
  command.progress = arguments.quiet ? ProgressKind::quiet : ProgressKind::automatic;
  command.only_show = arguments.dry_run;
  const auto slowest = parse_count(arguments.slowest.value_or("20"), 10'000);
  if (!slowest) return bad_flag("--slowest", "must be a whole number from 0 to 10000");
  command.slowest = static_cast<std::uint32_t>(*slowest);
  read_truth(arguments, command);
  if (arguments.truth && command.exports.record == RecordLevel::summary)
    return bad_flag("--truth", "needs every request, so it does not go with --record summary");
  return command;
}

}  // namespace loadgen
