// Flags to loads, runs to medians, medians to a table and a JSON file.
#include "refserver/bench_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cpu/memory_read.hpp"
#include "refserver/engine_flags.hpp"
#include "refserver/transformer/measure.hpp"

namespace refserver {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct BenchFlags {
  EngineFlags engine;
  std::uint32_t prompt = 128;
  std::uint32_t decode = 64;
  std::vector<std::uint32_t> batches{1, 8};
  std::uint32_t runs = 5;
  std::vector<std::string> compare{"continuous"};
  bool measures_without_kv = false;
  bool measures_cold_start = false;
  bool measures_limits = false;
  std::string out;
};

void add_flags(CLI::App& app, BenchFlags& flags) {
  add_engine_flags(app, flags.engine);
  const CLI::Range count(1, 100'000);
  app.add_option("--prompt", flags.prompt, "tokens of each prompt (default 128)")->check(count);
  app.add_option("--decode", flags.decode, "tokens of each answer (default 64)")->check(count);
  app.add_option("--batch", flags.batches, "numbers of requests, queued at once (default 1,8)")
      ->delimiter(',')
      ->check(CLI::Range(1, 256));
  app.add_option("--runs", flags.runs, "of each load, after one that does not count; medians are reported (default 5)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--compare", flags.compare, "how requests run: serial, static, continuous (default continuous)")
      ->delimiter(',')
      ->check(CLI::IsMember({"serial", "static", "continuous"}));
  app.add_flag("--no-kv-cache", flags.measures_without_kv,
               "also one request with every token computed from the whole text");
  app.add_flag("--cold-start", flags.measures_cold_start,
               "also from opening the folder to the first token, in this process");
  app.add_flag(
      "--roofline", flags.measures_limits,
      "also how fast memory can be read, measured between the runs, and each load's rates beside it (holds 512 "
      "MiB meanwhile, which the peak of resident memory counts)");
  app.add_option("--out", flags.out, "also write everything to this file as JSON")->type_name("FILE");
}

BatchKind kind_of(const std::string& name) {
  if (name == "serial") return BatchKind::serial;
  return name == "static" ? BatchKind::fixed : BatchKind::continuous;
}

/// The loads of a run of the command, each with its name.
std::vector<std::pair<std::string, MeasuredLoad>> loads_of(const BenchFlags& flags) {
  std::vector<std::pair<std::string, MeasuredLoad>> loads;
  for (const std::uint32_t batch : flags.batches) {
    for (const std::string& name : flags.compare) {
      loads.push_back({name,
                       {.prompt_tokens = flags.prompt,
                        .new_tokens = flags.decode,
                        .requests = batch,
                        .batch = batch,
                        .kind = kind_of(name)}});
    }
  }
  if (flags.measures_without_kv) {
    loads.push_back({"no KV cache", {.prompt_tokens = flags.prompt, .new_tokens = flags.decode, .keeps_kv = false}});
  }
  return loads;
}

struct Column {
  const char* name;
  double Measurement::*value;
};
constexpr Column kColumns[] = {{"seconds", &Measurement::seconds},
                               {"first_token_ms", &Measurement::first_token_ms},
                               {"gap_ms", &Measurement::gap_ms},
                               {"prompt_tokens_per_s", &Measurement::prompt_tokens_per_s},
                               {"decode_tokens_per_s", &Measurement::decode_tokens_per_s},
                               {"tokens_per_s", &Measurement::tokens_per_s}};

/// What a load's medians mean for the machine: weights read and multiplications done per second, by the clock and with
/// all threads. Attention is in neither.
void add_rates(const HostMemoryPlan& plan, const MeasuredLoad& load, double memory_bytes_per_s, OrderedJson& json) {
  const double together = load.kind == BatchKind::serial ? 1 : load.requests;
  const double steps_per_s = json["decode_tokens_per_s"].get<double>() / together;
  const auto layers = static_cast<double>(plan.layer_macs), head = static_cast<double>(plan.head_macs);
  const double weight_bytes_per_s = steps_per_s * static_cast<double>(plan.read_bytes);
  json["memory_read_gb_per_s"] = memory_bytes_per_s / 1e9;
  json["decode_weight_gb_per_s"] = weight_bytes_per_s / 1e9;
  json["decode_share_of_memory"] = weight_bytes_per_s / memory_bytes_per_s;
  json["decode_gmac_per_s"] = json["decode_tokens_per_s"].get<double>() * (layers + head) / 1e9;
  json["prompt_gmac_per_s"] = json["prompt_tokens_per_s"].get<double>() * (layers + head / load.prompt_tokens) / 1e9;
}

/// `memory`: null where the machine's limit is not asked for. It is measured before each run, as what disturbs one
/// disturbs both.
OrderedJson measure_load(TransformerModel& model, const std::string& name, const MeasuredLoad& load, std::uint32_t runs,
                         kernels::MemoryRead* memory) {
  constexpr std::size_t kReads = 3;
  OrderedJson json{{"how", name}, {"requests", load.requests}};
  const Measurement warm_up = measure(model, load);
  std::vector<Measurement> measured;
  std::vector<double> limits;
  for (std::uint32_t i = 0; i < runs; ++i) {
    if (memory != nullptr) limits.push_back(memory->measure(kReads));
    measured.push_back(measure(model, load));
    if (measured.back().ids != warm_up.ids) throw std::runtime_error("two runs gave different tokens");
  }
  for (const Column& column : kColumns) {
    std::vector<double> values;
    values.reserve(measured.size());
    for (const Measurement& one : measured) values.push_back(one.*column.value);
    json[column.name] = median(values);
    json["runs"][column.name] = values;
  }
  if (memory != nullptr && load.keeps_kv) {
    json["runs"]["memory_read_bytes_per_s"] = limits;
    add_rates(model.memory, load, median(limits), json);
  }
  return json;
}

/// What running together brings: each load's tokens per second over those of the first with one request and a cache of
/// keys and values. Nothing if there is no such load.
void add_speed_up(OrderedJson& report) {
  OrderedJson& loads = report["loads"];
  const auto alone = std::ranges::find_if(loads, [](const OrderedJson& load) { return load["requests"] == 1; });
  if (alone == loads.end()) return;
  const auto of_one = (*alone)["tokens_per_s"].get<double>();
  for (OrderedJson& load : loads) load["speed_up"] = load["tokens_per_s"].get<double>() / of_one;
}

void print_rates(const OrderedJson& report) {
  const double threads = report["threads_used"].get<double>();
  fmt::print(
      "\n| how          | requests | memory GB/s | weights GB/s | of memory | decode GMAC/s | prompt GMAC/s | a core "
      "|\n");
  fmt::print("|---|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const OrderedJson& load : report["loads"]) {
    if (!load.contains("memory_read_gb_per_s")) continue;
    const auto number = [&](const char* name) { return load[name].get<double>(); };
    fmt::print("| {:12} | {:>8} | {:>11.1f} | {:>12.1f} | {:>7.0f} % | {:>13.1f} | {:>13.1f} | {:>6.1f} |\n",
               load["how"].get<std::string>(), load["requests"].get<int>(), number("memory_read_gb_per_s"),
               number("decode_weight_gb_per_s"), 100 * number("decode_share_of_memory"), number("decode_gmac_per_s"),
               number("prompt_gmac_per_s"), number("prompt_gmac_per_s") / threads);
  }
}

void print_table(const OrderedJson& report) {
  fmt::print("| {:12} | {:>8} | {:>8} | {:>14} | {:>8} | {:>10} | {:>10} | {:>10} | {:>8} |\n", "how", "requests",
             "seconds", "first token ms", "gap ms", "prompt t/s", "decode t/s", "total t/s", "over one");
  fmt::print("|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const OrderedJson& load : report["loads"]) {
    const auto number = [&](const char* name) { return load[name].get<double>(); };
    const std::string speed_up = load.contains("speed_up") ? fmt::format("{:.2f}", number("speed_up")) : "-";
    fmt::print("| {:12} | {:>8} | {:>8.3f} | {:>14.1f} | {:>8.2f} | {:>10.1f} | {:>10.1f} | {:>10.1f} | {:>8} |\n",
               load["how"].get<std::string>(), load["requests"].get<int>(), number("seconds"), number("first_token_ms"),
               number("gap_ms"), number("prompt_tokens_per_s"), number("decode_tokens_per_s"), number("tokens_per_s"),
               speed_up);
  }
  if (report.contains("weight_bytes_per_step")) print_rates(report);
  const auto mb = [&](const char* name) { return report["memory"][name].get<double>() / 1e6; };
  fmt::print(
      "\nmemory: weights {:.0f} MB ({:.0f} MB more mapped), keys and values {:.0f} MB, buffers {:.0f} MB; resident "
      "{:.0f} MB, at most {:.0f} MB\n",
      mb("weights"), mb("mapped"), mb("kv"), mb("buffers"), mb("resident"), mb("resident_peak"));
  if (report.contains("cold_start_s")) fmt::print("cold start: {:.3f} s\n", report["cold_start_s"].get<double>());
}

OrderedJson describe_run(const BenchFlags& flags, const LocalModel& local) {
  const ModelConfig& config = local.model.folder.checkpoint->config();
  return {{"model", flags.engine.model},
          {"architecture", name_of(config.architecture)},
          {"layers", config.layers},
          {"hidden_size", config.hidden_size},
          {"backend", local.backend->name()},
          {"precision", flags.engine.backend.precision == kernels::Precision::exact ? "exact" : "fast"},
          {"threads", flags.engine.backend.threads},
          {"threads_used", flags.engine.backend.threads == 0 ? kernels::usable_cores() : flags.engine.backend.threads},
          {"prompt_tokens", flags.prompt},
          {"new_tokens", flags.decode},
          {"runs", flags.runs}};
}

/// What a step reads and a token multiplies.
void add_work(const HostMemoryPlan& plan, OrderedJson& report) {
  const auto macs = static_cast<double>(plan.layer_macs + plan.head_macs);
  report["weight_bytes_per_step"] = plan.read_bytes;
  report["layer_macs_per_token"] = plan.layer_macs;
  report["head_macs_per_token"] = plan.head_macs;
  report["bits_per_weight"] = 8 * static_cast<double>(plan.read_bytes) / macs;
}

OrderedJson memory_json(const HostMemoryPlan& plan) {
  const ResidentMemory resident = resident_memory();
  return {{"weights", plan.weight_bytes},  {"mapped", plan.mapped_bytes}, {"kv", plan.kv_bytes()},
          {"buffers", plan.buffer_bytes},  {"resident", resident.total},  {"resident_anonymous", resident.anonymous},
          {"resident_peak", resident.peak}};
}

ExitCode write_report(const OrderedJson& report, const std::string& path) {
  std::ofstream file(path);
  file << report.dump(2, ' ', false, OrderedJson::error_handler_t::replace) << '\n';
  file.flush();
  if (file) return ExitCode::ok;
  fmt::print(stderr, "refserver: {}: cannot be written\n", path);
  return ExitCode::error;
}

ExitCode bench(const BenchFlags& flags) {
  const TimePoint start = Clock::now();
  auto local = load_local_model(flags.engine);
  if (local.has_error()) {
    fmt::print(stderr, "refserver: {}\n", local.error());
    return ExitCode::bad_data;
  }
  OrderedJson report = describe_run(flags, *local);
  if (flags.measures_cold_start) {
    measure(local->model, {.prompt_tokens = flags.prompt, .new_tokens = 1});
    report["cold_start_s"] = std::chrono::duration<double>(Clock::now() - start).count();
  }
  std::optional<kernels::MemoryRead> memory;
  if (flags.measures_limits) {
    memory.emplace(flags.engine.backend.threads);
    add_work(local->model.memory, report);
  }
  for (const auto& [name, load] : loads_of(flags)) {
    report["loads"].push_back(measure_load(local->model, name, load, flags.runs, memory ? &*memory : nullptr));
  }
  memory.reset();
  add_speed_up(report);
  report["memory"] = memory_json(local->model.memory);
  print_table(report);
  return flags.out.empty() ? ExitCode::ok : write_report(report, flags.out);
}

constexpr const char* kFooter = R"(
Requests are queued at once with made-up prompts that share nothing; a run ends with the last token. gap is the median from
token to token; prompt t/s counts until the last first token, decode t/s from then on, total t/s everything, and over one is
that over the total of the first load with one request. Every run of a load must give the same tokens, or the command fails.
--roofline adds what that is in bytes of weights read and in multiplications per second (the matrices' only), and the speed of
reading memory with as many threads in the same minute.

Example:
  refserver synth --size qwen2-0.5b --out models/half
  refserver bench --model models/half --prompt 128 --decode 64 --batch 1,8 --compare serial,continuous --precision fast

Exit codes: 0 measured, 1 the model failed or a file could not be written, 64 bad usage, 65 the folder cannot be used.)";

}  // namespace

ExitCode run_bench(int argc, const char* const* argv) {
  CLI::App app("Measure how fast a model folder generates on this machine.", "refserver bench");
  app.footer(kFooter);
  BenchFlags flags;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  const std::uint32_t needed = flags.prompt + flags.decode;
  if (flags.engine.setup.memory.context_tokens == 0) flags.engine.setup.memory.context_tokens = needed;
  if (flags.engine.setup.memory.context_tokens < needed) {
    fmt::print(stderr, "refserver: --context {} is less than --prompt and --decode together\n",
               flags.engine.setup.memory.context_tokens);
    return ExitCode::bad_usage;
  }
  std::uint64_t most = 1;
  for (const std::uint32_t batch : flags.batches) most = std::max<std::uint64_t>(most, batch);
  // Whole blocks for each, so that nobody is preempted.
  const std::uint64_t block = flags.engine.setup.memory.block_tokens;
  flags.engine.setup.memory.wanted_tokens = most * ((needed + block - 1) / block) * block;
  flags.engine.setup.max_batch_size = static_cast<std::uint32_t>(most);
  return bench(flags);
}

}  // namespace refserver
