// CLI11 wiring: flags to typed commands. What values mean is judged by plan/, the same way as a file's.
#include "loadgen/cli.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "loadgen/cli_export_command.hpp"
#include "loadgen/cli_exports.hpp"
#include "loadgen/cli_help.hpp"
#include "loadgen/cli_network.hpp"
#include "loadgen/cli_observe.hpp"
#include "loadgen/local_server.hpp"
#include "loadgen/plan/scenario_file.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/plan/text.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using Text = std::optional<std::string>;

/// Everything argv can say, as text.
struct Arguments {
  Text file;
  ScenarioFlags flags;
  Text out, record;
  ExportCommandFlags export_command;
  ExportFlags exports;
  Text shard, start_at, start_file, truth, slowest;
  Text server, true_ttft, true_gap;
  std::vector<std::string> merged;
  Text grafana_url;  // of a merge; a run has it among its exports
  bool allow_degraded = false;
  bool quiet = false, dry_run = false;
  Text probe_target, probe_timeout;
  std::vector<std::string> probe_models, probe_scenarios;
};

Done bad_usage(const std::string& message) {
  fmt::print(stderr, "{}", message);
  return {ExitCode::bad_usage};
}
Done bad_flag(const char* flag, const std::string& message) {
  return bad_usage(fmt::format("{}: {}\n", flag, message));
}

/// Adds an option that takes one text. An empty text stays a text, so that validation can refuse it.
void add_text(CLI::App& app, const char* name, Text& value, const char* type, const char* help, const char* group) {
  app.add_option_function<std::string>(
         name, [&value](const std::string& text) { value = text; }, help)
      ->type_name(type)
      ->group(group);
}
/// An option that may be repeated, one text each time, so that it never swallows what follows.
void add_texts(CLI::App& app, const char* name, std::vector<std::string>& values, const char* type, const char* help,
               const char* group) {
  app.add_option(name, values, help)->type_name(type)->group(group)->allow_extra_args(false);
}

void add_load_flags(CLI::App& run, ScenarioFlags& flags) {
  const char* const much = "How much";
  add_text(run, "--concurrency", flags.concurrency, "N", "Closed loop: keep N requests in flight", much);
  add_text(run, "--rate", flags.rate, "R", "Open loop: send R requests per second, whatever comes back", much);
  add_text(run, "--arrivals", flags.arrivals, "poisson|constant|gamma",
           "Open loop: how arrivals are spaced (default poisson)", much);
  add_text(run, "--cv", flags.cv, "X",
           "Of gamma arrivals: deviation of the gaps over their mean; above 1 burstier than poisson", much);
  add_text(run, "--rate-stages", flags.rate_stages, "STAGES",
           "Open loop whose rate changes, as 'to 50 for 30s, at 50 for 2m'; without --duration as long as they take",
           much);
  add_text(run, "--concurrency-stages", flags.concurrency_stages, "STAGES",
           "Closed loop whose concurrency changes, written the same way", much);
  add_text(run, "--think-time", flags.think_time, "TIME",
           "Closed loop: pause of a user between answer and next request: 2s, uniform(1s, 3s), exp(2s), ...", much);
  const char* const length = "How long";
  add_text(run, "--duration", flags.duration, "TIME", "Length of the measured window alone", length);
  add_text(run, "--requests", flags.requests, "N", "Number of measured requests, instead of --duration", length);
  add_text(run, "--warmup", flags.warmup, "TIME",
           "Load before the window, not measured; 0s: none (default: until steady)", length);
  add_text(run, "--drain-max", flags.drain_max, "TIME", "Longest wait for open answers after the window (default 60s)",
           length);
  add_text(run, "--timeout", flags.timeout, "TIME", "Longest time a request may take from send to end (default 300s)",
           length);
}

void add_run(CLI::App& app, Arguments& arguments) {
  CLI::App& run = *app.add_subcommand("run", "Send the load of a scenario file, or of flags; measure, record, judge")
                       ->footer(run_footer);
  ScenarioFlags& flags = arguments.flags;
  add_text(run, "SCENARIO", arguments.file, "FILE", "Scenario file, YAML or JSON", "Scenario");
  const char* const what = "What to ask (without a file)";
  add_text(run, "--target", flags.target, "URL", "Server, http://HOST:PORT; with a file: of every entry", "Scenario");
  add_text(run, "--name", flags.name, "NAME", "Name of the run in reports and folders", "Scenario");
  add_text(run, "--seed", flags.seed, "S", "Seed of prompts, mix and arrivals (default 1)", "Scenario");
  add_text(
      run, "--max-new-tokens", flags.max_new_tokens, "N",
      "Tokens to generate per request (default 128), or drawn for each: uniform(16, 256), lognormal(200, 1.2), ...",
      "Scenario");
  add_text(run, "--route", flags.route, "ROUTE", "tgi-stream, tgi, openai-chat, openai-completions or gateway", what);
  add_text(run, "--endpoint", flags.endpoint, "NAME|FILE",
           "Instead of --route: a server described by a template, such as ollama-generate", what);
  add_text(run, "--model", flags.model, "M", "Model name sent with each request", what);
  add_text(run, "--scenario", flags.scenario, "WORD",
           "qa, summarize or rewrite: chooses default prompts; sent on the gateway", what);
  add_texts(run, "--prompt", flags.prompts, "TEXT", "Prompt; may be repeated (default: built-in ones)", what);
  add_text(run, "--prompt-tokens", flags.prompt_tokens, "N",
           "Make up a prompt of so many tokens for each request, or of a drawn number: uniform(16, 256), ...", what);
  add_text(run, "--tokenizer", flags.tokenizer, "DIR",
           "Count the tokens of made-up prompts as the tokenizer.json there does (default: words of one token)",
           "Scenario");
  run.add_flag_callback(
         "--stream", [&flags] { flags.stream = true; }, "Ask for server-sent events")
      ->group(what);
  run.add_flag_callback(
         "--no-stream", [&flags] { flags.stream = false; }, "Ask for the whole answer at once")
      ->group(what);
  add_load_flags(run, flags);
  add_network_flags(run, flags.network);
  add_observe_flags(run, flags.observe);
  add_texts(run, "--gate", flags.gates, "EXPR", "A condition that must hold, as 'p99(e2e) < 1500ms'; may be repeated",
            "Judging");
  const char* const keep = "What to keep";
  add_text(run, "--out", arguments.out, "DIR", "Run folder (default runs/<UTC time>-<name>)", keep);
  add_text(run, "--record", arguments.record, "all|summary",
           "summary: no requests.jsonl and no points.lp (default all)", keep);
  add_text(run, "--slowest", arguments.slowest, "N",
           "Keep the N slowest requests whole, token by token, in slowest.jsonl; 0: none (default 20)", keep);
  add_text(run, "--truth", arguments.truth, "FILE|stream",
           "Compare with the server's own record: refserver's --truth-log, or what its answers say when asked",
           "Judging");
  add_export_flags(run, arguments.exports);
  add_text(run, "--threads", flags.threads, "N", "I/O threads; 0: half of the cores (default)", "Generator");
  add_text(run, "--index-header", flags.index_header, "NAME",
           "Send each request's number in the plan in this header, such as x-sim-key", "Generator");
  run.add_flag("--quiet", arguments.quiet, "No progress display")->group("Generator");
  run.add_flag("--dry-run", arguments.dry_run, "Print the plan and send nothing")->group("Generator");
  const char* const several = "Several processes or machines";
  add_text(run, "--shard", arguments.shard, "K/N", "Send part K (from 0) of N of the plan; results go to DIR/shard-K",
           several);
  add_text(run, "--start-at", arguments.start_at, "UNIX-TIME",
           "Start all processes at this instant, seconds since 1970; needed with several", several);
  add_text(run, "--start-file", arguments.start_file, "FILE",
           "The same, once this file appears and holds the instant; needs --out", several);
}

void add_others(CLI::App& app, Arguments& arguments) {
  CLI::App& check =
      *app.add_subcommand("check", "Validate a scenario file without sending anything")->footer(check_footer);
  add_text(check, "SCENARIO", arguments.file, "FILE", "Scenario file, YAML or JSON", "Scenario");
  CLI::App& merge = *app.add_subcommand("merge", "Add up the results of several shards")->footer(merge_footer);
  merge.add_option("DIR", arguments.merged, "Run directories of the shards, or folders that hold them")->type_name("");
  add_text(merge, "--out", arguments.out, "DIR", "Run folder of the whole (needed)", "Merge");
  merge.add_flag("--allow-degraded", arguments.allow_degraded, "Judge gates even if part of the plan is missing")
      ->group("Merge");
  add_export_command(app, arguments.export_command);
  CLI::App& doctor = *app.add_subcommand("doctor", "Is this machine up to a load?")->footer(doctor_footer);
  add_text(doctor, "SCENARIO", arguments.file, "FILE", "Scenario file (default: 1,000 connections)", "Scenario");
  CLI::App& calibrate =
      *app.add_subcommand("calibrate", "The planned load against a server of known times")->footer(calibrate_footer);
  add_text(merge, "--grafana-url", arguments.grafana_url, "URL",
           "Put links to this run in Grafana into summary.json and report.html", "Merge");
  add_text(calibrate, "SCENARIO", arguments.file, "FILE", "Scenario file", "Scenario");
  add_load_flags(calibrate, arguments.flags);
  add_text(calibrate, "--server", arguments.server, "PROGRAM", "refserver to start (default: the one beside loadgen)",
           "Calibration");
  add_text(calibrate, "--true-ttft", arguments.true_ttft, "TIME", "Its time to first token (default 100ms)",
           "Calibration");
  add_text(calibrate, "--true-gap", arguments.true_gap, "TIME", "Its time per further token (default 20ms)",
           "Calibration");
  add_text(calibrate, "--out", arguments.out, "DIR", "Run folder (default runs/<UTC time>-<name>)", "Calibration");
  calibrate.add_flag("--quiet", arguments.quiet, "No progress display")->group("Calibration");
  CLI::App& probe = *app.add_subcommand("probe", "One request per route, model and scenario")->footer(probe_footer);
  const char* const group = "Probe";
  add_text(probe, "--target", arguments.probe_target, "URL", "Server, http://HOST:PORT", group);
  add_texts(probe, "--model", arguments.probe_models, "M", "Model; may be repeated (default qwen2 and llama3)", group);
  add_texts(probe, "--scenario", arguments.probe_scenarios, "WORD",
            "qa, summarize or rewrite; may be repeated (default all)", group);
  add_text(probe, "--timeout", arguments.probe_timeout, "TIME", "Longest time per request (default 30s)", group);
  add_network_flags(probe, arguments.flags.network);
}

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

Command make_doctor(const Arguments& arguments) {
  if (!arguments.file) return DoctorCommand{};
  auto scenario = read_scenario_file(*arguments.file);
  if (!scenario) return bad_usage(errors_text(scenario.error()));
  return DoctorCommand{std::move(*scenario)};
}

Command make_calibration(const Arguments& arguments) {
  if (!arguments.file)
    return bad_usage("loadgen calibrate: name a scenario file, as in 'loadgen calibrate scenarios/smoke.yaml'\n");
  Command command = make_run(arguments);
  if (!std::holds_alternative<RunCommand>(command)) return command;
  for (const auto& [flag, time] : {std::pair("--true-ttft", arguments.true_ttft), {"--true-gap", arguments.true_gap}})
    if (const auto parsed = parse_duration(time.value_or("1ms")); !parsed) return bad_flag(flag, parsed.error());
  return CalibrateCommand{std::move(std::get<RunCommand>(command)),
                          arguments.server ? std::filesystem::path(*arguments.server) : bundled_server(),
                          arguments.true_ttft.value_or("100ms"), arguments.true_gap.value_or("20ms")};
}

Command make_merge(const Arguments& arguments) {
  if (arguments.merged.empty())
    return bad_usage("loadgen merge: name run directories, as in 'loadgen merge runs/big --out runs/big/merged'\n");
  if (!arguments.out || arguments.out->empty())
    return bad_flag("--out", "is missing: the run folder of the whole, as in --out runs/big/merged");
  MergeCommand command{arguments.merged, *arguments.out,
                       arguments.allow_degraded ? Degraded::judge : Degraded::leave_open, std::nullopt};
  if (!arguments.grafana_url) return command;
  auto url = parse_grafana_url(*arguments.grafana_url);
  if (!url) return bad_flag("--grafana-url", url.error());
  command.grafana_url = std::move(*url);
  return command;
}

Command make_export(const Arguments& arguments) {
  auto command = read_export_command(arguments.export_command);
  if (!command) return bad_usage(command.error() + '\n');
  return std::move(*command);
}

Command make_check(const Arguments& arguments) {
  if (!arguments.file)
    return bad_usage("loadgen check: name a scenario file, as in 'loadgen check scenarios/smoke.yaml'\n");
  auto scenario = read_scenario_file(*arguments.file);
  if (!scenario) return bad_usage(errors_text(scenario.error()));
  return CheckCommand{std::move(*scenario)};
}

Command make_probe(const Arguments& arguments) {
  using namespace std::chrono_literals;
  if (!arguments.probe_target) return bad_flag("--target", "is missing, as in --target http://127.0.0.1:8080");
  ScenarioFlags flags = arguments.flags;
  flags.target = arguments.probe_target;
  flags.timeout = arguments.probe_timeout.value_or("30s");
  flags.route = label(Route::tgi);
  flags.concurrency = flags.requests = "1";
  auto scenario = scenario_from_flags(flags);
  if (!scenario) return bad_usage(errors_text(scenario.error()));
  ProbeCommand command{std::move(*scenario), arguments.probe_models, arguments.probe_scenarios};
  if (command.models.empty()) command.models = {"qwen2", "llama3"};
  if (command.scenarios.empty()) command.scenarios = {"qa", "summarize", "rewrite"};
  for (const std::string& model : command.models) {
    if (model.empty() || model.size() > 256 || !is_utf8(model) || has_control_character(model))
      return bad_flag("--model", "must be 1 to 256 printable characters");
  }
  for (const std::string& word : command.scenarios) {
    if (word != "qa" && word != "summarize" && word != "rewrite")
      return bad_flag("--scenario", "must be qa, summarize or rewrite");
  }
  Timeouts& timeouts = command.scenario.timeouts;
  timeouts.connect = std::min(timeouts.connect, timeouts.total);
  if (!flags.network.first_token_timeout) timeouts.first_token = timeouts.total;
  return command;
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app("loadgen: load testing for LLM endpoints, with numbers that can be trusted", "loadgen");
  app.footer(program_footer)->set_version_flag("--version", "loadgen " PLUMBLINE_VERSION);
  add_run(app, arguments);
  add_others(app, arguments);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return Done{};
  } catch (const CLI::CallForVersion& version) {
    fmt::print("{}\n", version.what());
    return Done{};
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "loadgen" : "loadgen " + chosen.front()->get_name();
    return bad_usage(fmt::format("{}: {}\n'{} --help' explains the flags.\n", command, error.what(), command));
  }
  if (app.got_subcommand("run")) return make_run(arguments);
  if (app.got_subcommand("doctor")) return make_doctor(arguments);
  if (app.got_subcommand("calibrate")) return make_calibration(arguments);
  if (app.got_subcommand("merge")) return make_merge(arguments);
  if (app.got_subcommand("export")) return make_export(arguments);
  if (app.got_subcommand("check")) return make_check(arguments);
  if (app.got_subcommand("probe")) return make_probe(arguments);
  return bad_usage(app.help());
}

}  // namespace loadgen
