// CLI11 wiring: which commands there are and what their flags are called.
#include "loadgen/cli_arguments.hpp"

#include "loadgen/cli_help.hpp"
#include "loadgen/cli_network.hpp"
#include "loadgen/cli_observe.hpp"
#include "loadgen/cli_options.hpp"

namespace loadgen {
namespace {

void add_load_flags(CLI::App& run, ScenarioFlags& flags) {
  OptionGroup much(run, "How much");
  much.text("--concurrency", flags.concurrency, "N", "Closed loop: keep N requests in flight");
  much.text("--rate", flags.rate, "R", "Open loop: send R requests per second, whatever comes back");
  much.text("--arrivals", flags.arrivals, "poisson|constant|gamma",
            "Open loop: how arrivals are spaced (default poisson)");
  much.text("--cv", flags.cv, "X",
            "Of gamma arrivals: deviation of the gaps over their mean; above 1 burstier than poisson");
  much.text("--rate-stages", flags.rate_stages, "STAGES",
            "Open loop whose rate changes, as 'to 50 for 30s, at 50 for 2m'; without --duration as long as they take");
  much.text("--concurrency-stages", flags.concurrency_stages, "STAGES",
            "Closed loop whose concurrency changes, written the same way");
  much.text("--think-time", flags.think_time, "TIME",
            "Closed loop: pause of a user between answer and next request: 2s, uniform(1s, 3s), exp(2s), ...");
  OptionGroup length(run, "How long");
  length.text("--duration", flags.duration, "TIME", "Length of the measured window alone");
  length.text("--requests", flags.requests, "N", "Number of measured requests, instead of --duration");
  length.text("--warmup", flags.warmup, "TIME",
              "Load before the window, not measured; 0s: none (default: until steady)");
  length.text("--drain-max", flags.drain_max, "TIME", "Longest wait for open answers after the window (default 60s)");
  length.text("--timeout", flags.timeout, "TIME", "Longest time a request may take from send to end (default 300s)");
}

void add_run(CLI::App& app, Arguments& arguments) {
  CLI::App& run = *app.add_subcommand("run", "Send the load of a scenario file, or of flags; measure, record, judge")
                       ->footer(run_footer);
  ScenarioFlags& flags = arguments.flags;
  OptionGroup scenario(run, "Scenario");
  scenario.text("SCENARIO", arguments.file, "FILE", "Scenario file, YAML or JSON");
  OptionGroup what(run, "What to ask (without a file)");
  scenario.text("--target", flags.target, "URL", "Server, http://HOST:PORT; with a file: of every entry");
  scenario.text("--name", flags.name, "NAME", "Name of the run in reports and folders");
  scenario.text("--seed", flags.seed, "S", "Seed of prompts, mix and arrivals (default 1)");
  scenario.text(
      "--max-new-tokens", flags.max_new_tokens, "N",
      "Tokens to generate per request (default 128), or drawn for each: uniform(16, 256), lognormal(200, 1.2), ...");
  what.text("--route", flags.route, "ROUTE", "tgi-stream, tgi, openai-chat, openai-completions or gateway");
  what.text("--endpoint", flags.endpoint, "NAME|FILE",
            "Instead of --route: a server described by a template, such as ollama-generate");
  what.text("--model", flags.model, "M", "Model name sent with each request");
  what.text("--scenario", flags.scenario, "WORD",
            "qa, summarize or rewrite: chooses default prompts; sent on the gateway");
  what.texts("--prompt", flags.prompts, "TEXT", "Prompt; may be repeated (default: built-in ones)");
  what.text("--prompt-tokens", flags.prompt_tokens, "N",
            "Make up a prompt of so many tokens for each request, or of a drawn number: uniform(16, 256), ...");
  scenario.text(
      "--tokenizer", flags.tokenizer, "DIR",
      "The server's tokenizer.json: counts what --prompt-tokens makes, and answers whose server does not count");
  what.flag(
      "--stream", [&flags] { flags.stream = true; }, "Ask for server-sent events");
  what.flag(
      "--no-stream", [&flags] { flags.stream = false; }, "Ask for the whole answer at once");
  add_load_flags(run, flags);
  add_network_flags(run, flags.network);
  OptionGroup way(run, "How to get there");
  way.text("--idle-timeout", flags.idle_timeout, "TIME",
           "Use no connection again after so long without a request, where a server closes such ones; 0s: never");
  add_observe_flags(run, flags.observe);
  OptionGroup judging(run, "Judging");
  judging.texts("--gate", flags.gates, "EXPR", "A condition that must hold, as 'p99(e2e) < 1500ms'; may be repeated");
  OptionGroup keep(run, "What to keep");
  keep.text("--out", arguments.out, "DIR", "Run folder (default runs/<UTC time>-<name>)");
  keep.text("--record", arguments.record, "all|summary", "summary: no requests.jsonl and no points.lp (default all)");
  keep.text("--slowest", arguments.slowest, "N",
            "Keep the N slowest requests whole, token by token, in slowest.jsonl; 0: none (default 20)");
  judging.text("--truth", arguments.truth, "FILE|stream",
               "Compare with the server's own record: refserver's --truth-log, or what its answers say when asked");
  add_export_flags(run, arguments.exports);
  OptionGroup generator(run, "Generator");
  generator.text("--threads", flags.threads, "N", "I/O threads; 0: half of the cores (default)");
  generator.text("--index-header", flags.index_header, "NAME",
                 "Send each request's number in the plan in this header, such as x-sim-key");
  generator.flag("--quiet", arguments.quiet, "No progress display");
  generator.flag("--dry-run", arguments.dry_run, "Print the plan and send nothing");
  OptionGroup several(run, "Several processes or machines");
  several.text("--shard", arguments.shard, "K/N", "Send part K (from 0) of N of the plan; results go to DIR/shard-K");
  several.text("--start-at", arguments.start_at, "UNIX-TIME",
               "Start all processes at this instant, seconds since 1970; needed with several");
  several.text("--start-file", arguments.start_file, "FILE",
               "The same, once this file appears and holds the instant; needs --out");
}

void add_check(CLI::App& app, Arguments& arguments) {
  CLI::App& check =
      *app.add_subcommand("check", "Validate a scenario file without sending anything")->footer(check_footer);
  OptionGroup scenario(check, "Scenario");
  scenario.text("SCENARIO", arguments.file, "FILE", "Scenario file, YAML or JSON");
}

void add_merge(CLI::App& app, Arguments& arguments) {
  CLI::App& merge = *app.add_subcommand("merge", "Add up the results of several shards")->footer(merge_footer);
  merge.add_option("DIR", arguments.merged, "Run directories of the shards, or folders that hold them")->type_name("");
  OptionGroup options(merge, "Merge");
  options.text("--out", arguments.out, "DIR", "Run folder of the whole (needed)");
  options.flag("--allow-degraded", arguments.allow_degraded, "Judge gates even if part of the plan is missing");
  options.text("--grafana-url", arguments.grafana_url, "URL",
               "Put links to this run in Grafana into summary.json and report.html");
}

void add_doctor(CLI::App& app, Arguments& arguments) {
  CLI::App& doctor = *app.add_subcommand("doctor", "Is this machine up to a load?")->footer(doctor_footer);
  OptionGroup scenario(doctor, "Scenario");
  scenario.text("SCENARIO", arguments.file, "FILE", "Scenario file (default: 1,000 connections)");
}

void add_calibrate(CLI::App& app, Arguments& arguments) {
  CLI::App& calibrate =
      *app.add_subcommand("calibrate", "The planned load against a server of known times")->footer(calibrate_footer);
  OptionGroup scenario(calibrate, "Scenario");
  scenario.text("SCENARIO", arguments.file, "FILE", "Scenario file");
  add_load_flags(calibrate, arguments.flags);
  OptionGroup options(calibrate, "Calibration");
  options.text("--server", arguments.server, "PROGRAM", "refserver to start (default: the one beside loadgen)");
  options.text("--true-ttft", arguments.true_ttft, "TIME", "Its time to first token (default 100ms)");
  options.text("--true-gap", arguments.true_gap, "TIME", "Its time per further token (default 20ms)");
  options.text("--out", arguments.out, "DIR", "Run folder (default runs/<UTC time>-<name>)");
  options.flag("--quiet", arguments.quiet, "No progress display");
}

void add_probe(CLI::App& app, Arguments& arguments) {
  CLI::App& probe = *app.add_subcommand("probe", "One request per route, model and scenario")->footer(probe_footer);
  OptionGroup options(probe, "Probe");
  options.text("--target", arguments.probe_target, "URL", "Server, http://HOST:PORT");
  options.texts("--model", arguments.probe_models, "M", "Model; may be repeated (default qwen2 and llama3)");
  options.texts("--scenario", arguments.probe_scenarios, "WORD",
                "qa, summarize or rewrite; may be repeated (default all)");
  options.text("--timeout", arguments.probe_timeout, "TIME", "Longest time per request (default 30s)");
  add_network_flags(probe, arguments.flags.network);
}

}  // namespace

void add_commands(CLI::App& app, Arguments& arguments) {
  add_run(app, arguments);
  add_check(app, arguments);
  add_merge(app, arguments);
  add_export_command(app, arguments.export_command);
  add_doctor(app, arguments);
  add_calibrate(app, arguments);
  add_probe(app, arguments);
}

}  // namespace loadgen
