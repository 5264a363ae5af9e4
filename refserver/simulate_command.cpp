// Flags to settings; the work is in simulate/.
#include "refserver/simulate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "refserver/choice_flag.hpp"
#include "refserver/simulate/report.hpp"
#include "refserver/simulate/trace.hpp"

namespace refserver {
namespace {

struct SimulateFlags {
  std::vector<std::string> scenarios;
  bool lists = false;
  bool compares = false;
  bool as_json = false;
  std::optional<std::uint64_t> requests;
  std::optional<std::uint64_t> seed;
  std::string trace;
  double speed = 1;
  std::string preset = "qwen2-7b-rtx4090";
  std::uint32_t kv_tokens = 16'384;
  std::uint32_t max_batch_size = 32;
  std::uint32_t max_total_tokens = 4096;
  // A run of one's own.
  std::optional<double> rate;
  std::optional<std::uint32_t> clients;
  ArrivalProcess process = ArrivalProcess::poisson;
  double shape = 1;
  std::string think = "0s";
  std::uint32_t prompt = 256;
  std::uint32_t answer = 128;
  BatchKind batch = BatchKind::continuous;
  std::string noise = "0s";
  std::uint32_t drafts = 0;
  double acceptance = 0.7;
};

void add_mode_flags(CLI::App& app, SimulateFlags& flags) {
  app.add_option("scenarios", flags.scenarios, "scenarios to run, by name or file")->type_name("NAME|FILE");
  app.add_flag("--list", flags.lists, "name the scenarios that come with the program, and say what each is");
  app.add_flag("--compare", flags.compares, "run one trace under several ways of scheduling, side by side");
  app.add_flag("--json", flags.as_json, "JSON lines instead of tables; times in nanoseconds");
  app.add_option("--requests", flags.requests, "how many, instead of the scenario's number; 10000 without a scenario")
      ->check(CLI::Range(std::uint64_t{100}, std::uint64_t{20'000'000}));
  app.add_option("--seed", flags.seed, "instead of the scenario's; 1 without a scenario");
}

void add_server_flags(CLI::App& app, SimulateFlags& flags) {
  app.add_option("--preset", flags.preset,
                 "what steps cost: one of " + CLI::detail::join(known_cost_presets(), ", ") +
                     ", or a file like theirs (default qwen2-7b-rtx4090)")
      ->type_name("NAME|FILE");
  app.add_option("--kv-tokens", flags.kv_tokens, "token slots of KV memory (default 16384)")
      ->check(CLI::Range(std::uint32_t{32}, std::uint32_t{1} << 26U));
  app.add_option("--max-batch-size", flags.max_batch_size, "requests running at once (default 32)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{100'000}));
  app.add_option("--trace", flags.trace, "--compare: a file of requests instead of the one that comes with the program")
      ->type_name("FILE");
  app.add_option("--speed", flags.speed, "--compare: arrivals this many times as fast (default 1)")
      ->check(CLI::Range(1e-6, 1e12));
  app.add_option("--max-total-tokens", flags.max_total_tokens,
                 "--compare: prompt and answer of the longest request (default 4096)")
      ->check(CLI::Range(std::uint32_t{2}, std::uint32_t{1} << 26U));
}

void add_load_flags(CLI::App& app, SimulateFlags& flags) {
  app.add_option("--rate", flags.rate, "requests per second")->check(CLI::Range(1e-3, 1e9));
  add_choice<ArrivalProcess>(
      app, "--process", flags.process,
      {{"poisson", ArrivalProcess::poisson}, {"constant", ArrivalProcess::constant}, {"gamma", ArrivalProcess::gamma}},
      "how they arrive: poisson (default), constant, gamma");
  app.add_option("--shape", flags.shape, "gamma: below 1 is burstier than poisson (default 1)")
      ->check(CLI::Range(0.05, 1000.0));
  app.add_option("--clients", flags.clients, "instead of --rate: so many clients, each waiting for its answer")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{1'000'000}));
  app.add_option("--think", flags.think, "--clients: from an answer to the next request, a distribution (default 0s)")
      ->type_name("DIST");
  app.add_option("--prompt", flags.prompt, "tokens of a prompt (default 256)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{1'000'000}));
  app.add_option("--answer", flags.answer, "tokens of an answer (default 128)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{1'000'000}));
  add_choice<BatchKind>(
      app, "--batch", flags.batch,
      {{"continuous", BatchKind::continuous}, {"static", BatchKind::fixed}, {"serial", BatchKind::serial}},
      "continuous (default), static, serial");
  app.add_option("--noise", flags.noise, "added to each step, a distribution (default 0s)")->type_name("DIST");
  app.add_option("--drafts", flags.drafts, "speculated tokens per step (default 0)")
      ->check(CLI::Range(std::uint32_t{0}, std::uint32_t{64}));
  app.add_option("--acceptance", flags.acceptance, "chance that a speculated token is right (default 0.7)")
      ->check(CLI::Range(0.0, 1.0));
}

constexpr const char* kFooter = R"text(
Virtual time: nothing waits, the machine does not matter, the same flags give the same figures. The scheduler is the
server's own; the engine is a formula, and presets are estimates.

Check the scheduler and the load generator's arithmetic against queueing theory:
  refserver simulate --list
  refserver simulate md1-80 mm1-80 stall
Ask what a rate would do, or how many clients saturate a device:
  refserver simulate --preset qwen2-7b-rtx4090 --rate 6 --prompt 512 --answer 128
  refserver simulate --clients 16 --think "exp(2s)" --kv-tokens 32768
See what continuous batching and paged KV are worth:
  refserver simulate --compare --speed 1000000

Distributions (DIST): 20ms, uniform(10ms,30ms), exp(20ms), normal(20ms,5ms), lognormal(20ms,0.5), gamma(20ms,0.5),
pareto(5ms,1.5,2s), bimodal(10ms,200ms,0.05), list(10ms,12ms), file(gaps.txt), 5ms+exp(20ms). See docs/simulation.md.

Exit codes: 0 done, 1 figures differ from theory, 64 bad usage, 65 a scenario, preset or trace that cannot be used.)text";

/// A problem and the code to leave with.
struct Stop {
  ExitCode code = ExitCode::error;
  std::string text;
};

Distribution distribution_of(const std::string& flag, const std::string& text) {
  const auto parsed = parse_distribution(text);
  if (parsed.has_error()) throw Stop{ExitCode::bad_usage, flag + ": " + parsed.error()};
  return *parsed;
}

CostPreset preset_of(const SimulateFlags& flags) {
  auto preset = load_cost_preset(flags.preset);
  if (preset.has_error()) throw Stop{ExitCode::bad_data, preset.error().message()};
  return *preset;
}

void list_scenarios() {
  for (const std::string& name : known_scenarios()) {
    const auto scenario = load_scenario(name);
    if (scenario.has_error()) throw Stop{ExitCode::error, scenario.error().message()};
    fmt::print("{:<14} {:<7} {}\n", name, theory_name(scenario->theory), scenario->what);
  }
}

SimulationScenario own_scenario(const SimulateFlags& flags) {
  SimulationScenario scenario;
  const CostPreset preset = preset_of(flags);
  scenario.name = preset.name;
  SimulationSettings& settings = scenario.settings;
  settings.scheduler = simulated_scheduler(flags.kv_tokens);
  settings.scheduler.max_batch_prefill_tokens = std::min(settings.scheduler.max_batch_prefill_tokens, flags.kv_tokens);
  settings.scheduler.max_batch_size = flags.max_batch_size;
  settings.scheduler.batch = flags.batch;
  settings.scheduler.max_drafts = flags.drafts;
  settings.engine.kind = EngineKind::cost;
  settings.engine.cost = preset.cost;
  settings.engine.noise = distribution_of("--noise", flags.noise);
  settings.engine.drafts = flags.drafts;
  settings.engine.draft_acceptance = flags.acceptance;
  settings.size = {flags.prompt, flags.answer, 0};
  settings.requests = 10'000;
  settings.arrivals.process = flags.clients ? ArrivalProcess::closed : flags.process;
  settings.arrivals.rate_per_s = flags.rate.value_or(1);
  settings.arrivals.gamma_shape = flags.shape;
  settings.arrivals.clients = flags.clients.value_or(1);
  settings.arrivals.think = distribution_of("--think", flags.think);
  settings.arrivals.seed = settings.engine.seed = 1;
  if (flags.prompt + flags.answer > flags.kv_tokens) {
    throw Stop{ExitCode::bad_usage, fmt::format("--prompt and --answer together ({}) exceed --kv-tokens ({})",
                                                flags.prompt + flags.answer, flags.kv_tokens)};
  }
  return scenario;
}

ExitCode run_scenario(SimulationScenario scenario, const SimulateFlags& flags) {
  SimulationSettings& settings = scenario.settings;
  if (flags.requests) {
    scenario.warmup = std::min(scenario.warmup, *flags.requests / 100);
    settings.requests = *flags.requests;
  }
  if (flags.seed) settings.arrivals.seed = settings.engine.seed = *flags.seed;
  if (const auto problem = find_problem(scenario)) {
    throw Stop{ExitCode::bad_usage, fmt::format("{} with these flags: {}", scenario.name, *problem)};
  }
  ScenarioRun run{std::move(scenario), {}, {}};
  run.result = simulate(run.scenario.settings);
  run.findings = compare_with_theory(run.scenario, run.result);
  fmt::print("{}", flags.as_json ? scenario_json(run) + "\n" : scenario_text(run));
  if (run.agrees()) return ExitCode::ok;
  fmt::print(stderr, "refserver: {}: the simulation and {} differ\n", run.scenario.name,
             theory_name(run.scenario.theory));
  return ExitCode::error;
}

ExitCode run_comparison(const SimulateFlags& flags) {
  ComparisonSettings settings;
  auto trace = load_trace(flags.trace);
  if (trace.has_error()) throw Stop{ExitCode::bad_data, trace.error().message()};
  settings.trace = std::move(*trace);
  for (auto& time : settings.trace.times) {
    time = std::chrono::nanoseconds(std::llround(static_cast<double>(time.count()) / flags.speed));
  }
  settings.preset = preset_of(flags);
  settings.kv_tokens = flags.kv_tokens;
  settings.max_batch_size = flags.max_batch_size;
  settings.max_total_tokens = flags.max_total_tokens;
  const std::vector<ComparedRun> runs = compare_scheduling(settings);
  fmt::print("{}", flags.as_json ? comparison_json(settings, runs) + "\n" : comparison_text(settings, runs));
  return ExitCode::ok;
}

ExitCode run_modes(const SimulateFlags& flags) {
  const int modes = static_cast<int>(flags.lists) + static_cast<int>(flags.compares) +
                    static_cast<int>(!flags.scenarios.empty()) +
                    static_cast<int>(flags.rate.has_value() || flags.clients.has_value());
  if (modes != 1) {
    throw Stop{ExitCode::bad_usage, "simulate wants exactly one of: scenarios, --list, --compare, --rate, --clients"};
  }
  if (flags.rate && flags.clients) throw Stop{ExitCode::bad_usage, "--rate and --clients exclude each other"};
  if (flags.lists) {
    list_scenarios();
    return ExitCode::ok;
  }
  if (flags.compares) return run_comparison(flags);
  if (flags.scenarios.empty()) return run_scenario(own_scenario(flags), flags);
  ExitCode code = ExitCode::ok;
  for (const std::string& name : flags.scenarios) {
    auto scenario = load_scenario(name);
    if (scenario.has_error()) throw Stop{ExitCode::bad_data, scenario.error().message()};
    if (run_scenario(std::move(*scenario), flags) != ExitCode::ok) code = ExitCode::error;
  }
  return code;
}

}  // namespace

ExitCode run_simulate(int argc, const char* const* argv) {
  CLI::App app("Run requests through the real scheduler and a simulated engine in virtual time.", "refserver simulate");
  app.footer(kFooter);
  SimulateFlags flags;
  add_mode_flags(app, flags);
  add_load_flags(app, flags);
  add_server_flags(app, flags);
  try {
    app.parse(argc, argv);
    return run_modes(flags);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  } catch (const Stop& stop) {
    fmt::print(stderr, "refserver: {}\n", stop.text);
    return stop.code;
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return ExitCode::bad_usage;
  }
}

}  // namespace refserver
