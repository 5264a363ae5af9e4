// Flags to typed commands. What values mean is judged by plan/, the same way as a file's.
#include "loadgen/cli.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "loadgen/cli_arguments.hpp"
#include "loadgen/cli_help.hpp"
#include "loadgen/cli_refusal.hpp"
#include "loadgen/cli_run.hpp"
#include "loadgen/local_server.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/plan/text.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

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

/// "; did you mean '--target'?" of the first argument that nothing takes, or "".
std::string suggestion(const CLI::App& app, const CLI::App* command) {
  std::vector<std::string> names;
  if (command == nullptr) {
    for (const CLI::App* one : app.get_subcommands({})) names.push_back(one->get_name());
  } else {
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string& argument : app.remaining(true))
    if (const std::string hint = did_you_mean(argument.substr(0, argument.find('=')), known); !hint.empty())
      return hint;
  return "";
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app("loadgen: load testing for LLM endpoints, with numbers that can be trusted", "loadgen");
  app.footer(program_footer)->set_version_flag("--version", "loadgen " PLUMBLINE_VERSION);
  add_commands(app, arguments);
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
    return bad_usage(fmt::format("{}: {}{}\n'{} --help' explains the flags.\n", command, error.what(),
                                 suggestion(app, chosen.empty() ? nullptr : chosen.front()), command));
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
