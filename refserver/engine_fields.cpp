// The fields of what generates behind the queue: scheduler, simulated engines, the engine that computes.
#include <limits>

#include "refserver/config_draft.hpp"
#include "refserver/fault_file.hpp"

namespace refserver {
namespace {

void set_engine(ConfigDraft& draft, const std::string& text) {
  enum class Choice : std::uint8_t { simulated, cost, cpu };
  const auto choice = parse_choice<Choice>(
      text, "an engine", {{"simulated", Choice::simulated}, {"cost", Choice::cost}, {"cpu", Choice::cpu}});
  draft.config.source = choice == Choice::cpu ? EngineSource::cpu : EngineSource::simulated;
  draft.engine.kind = choice == Choice::cost ? EngineKind::cost : EngineKind::scripted;
}

FaultPlan read_faults(const std::string& file) {
  try {
    return read_fault_file(file);
  } catch (const std::runtime_error& e) {
    throw BadValue(e.what());
  }
}

}  // namespace

std::vector<Field> scheduler_fields() {
  const auto tokens = [](const std::string& v) { return parse_number<std::uint32_t>(v, 1, 100'000'000); };
  return {
      {"max_batch_prefill_tokens", "N", "tokens computed in one step", kTgi, kValue,
       [tokens](Draft& d, const std::string& v) { d.config.scheduler.max_batch_prefill_tokens = tokens(v); }},
      {"max_batch_total_tokens", "N", "tokens held for all requests together", kTgi, kValue,
       [tokens](Draft& d, const std::string& v) { d.config.scheduler.max_batch_total_tokens = tokens(v); }},
      {"max_batch_size", "N", "requests that run together", kTgi, kValue,
       [tokens](Draft& d, const std::string& v) { d.config.scheduler.max_batch_size = tokens(v); }},
      {"waiting_served_ratio", "R", "share of newcomers that interrupts decoding, without chunking (default 0.3)", kTgi,
       kValue,
       [](Draft& d, const std::string& v) {
         d.config.scheduler.waiting_served_ratio = parse_number<double>(v, 0, 1e6);
       }},
      {"max_waiting_tokens", "N", "decode steps after which newcomers interrupt, without chunking (default 20)", kTgi,
       kValue,
       [](Draft& d, const std::string& v) {
         d.config.scheduler.max_waiting_tokens = parse_number<std::uint32_t>(v, 0, 1'000'000);
       }},
      {"prefill_chunking", "0|1", "prompts fill up decode steps piece by piece (default 1)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.config.scheduler.has_prefill_chunking = parse_bool(v); }},
      {"prefix_caching", "0|1", "prompts reuse what earlier ones computed (default 1)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.config.scheduler.has_prefix_caching = parse_bool(v); }},
      {"scheduler", "NAME", "how requests share steps: continuous (default), static batches, or serial", kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.scheduler.batch = parse_choice<BatchKind>(
             v, "a scheduler",
             {{"continuous", BatchKind::continuous}, {"static", BatchKind::fixed}, {"serial", BatchKind::serial}});
       }},
      {"admission", "NAME",
       "what must be free to let a request in: optimistic (default: its prompt), reserve (all it may need, as TGI) or "
       "adaptive",
       kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.scheduler.admission = parse_choice<AdmissionKind>(v, "a way of admission",
                                                                    {{"optimistic", AdmissionKind::optimistic},
                                                                     {"reserve", AdmissionKind::reserve},
                                                                     {"adaptive", AdmissionKind::adaptive}});
       }},
      {"policy", "NAME",
       "who is let in next: fcfs (default), priority (header x-plumbline-priority, 0 first), fair (between tenants, "
       "header "
       "x-plumbline-tenant) or shortest-first",
       kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.scheduler.policy = parse_choice<PolicyKind>(v, "a policy",
                                                              {{"fcfs", PolicyKind::fcfs},
                                                               {"priority", PolicyKind::priority},
                                                               {"fair", PolicyKind::fair},
                                                               {"shortest-first", PolicyKind::shortest_first}});
       }},
      {"block_size", "N", "tokens per block of KV cache (default 16)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.scheduler.block_size = parse_number<std::uint32_t>(v, 1, 4096); }},
      {"max_waiting_requests", "N", "requests per model that wait for the engine; more get 429 (default: no limit)",
       kOurs, kValue,
       [tokens](Draft& d, const std::string& v) { d.config.scheduler.max_waiting_requests = tokens(v); }},
      {"queue_timeout", "TIME", "a request that waits longer for the engine gets 503 (default: no limit)", kOurs,
       kValue, [](Draft& d, const std::string& v) { d.config.scheduler.queue_timeout = parse_time(v); }},
  };
}

std::vector<Field> engine_fields() {
  return {
      {"engine", "NAME",
       "what generates: simulated (default; token times from a script, whatever the load), cost (steps that take as "
       "long as a device's would) or cpu (the models' checkpoints, computed here)",
       kOurs, kValue, set_engine},
      {"sim_ttft", "TIME",
       "simulated engine: from the arrival of a request to its first token: a time or a distribution such as "
       "exp(100ms) (default 100ms)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.engine.ttft = must(parse_distribution(v)); }},
      {"sim_gap", "TIME", "simulated engine: from token to token, likewise (default 20ms)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.engine.gap = must(parse_distribution(v)); }},
      {"sim_seed", "N", "simulated engine: what all random times are drawn from (default 0)", kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.engine.seed = parse_number<std::uint64_t>(v, 0, std::numeric_limits<std::uint64_t>::max());
       }},
      {"sim_stall", "AT+FOR",
       "simulated engine: AT after the first request, release no token for FOR, e.g. 3s+2s; repeat for more", kOurs,
       kRepeated, [](Draft& d, const std::string& v) { d.config.stalls.push_back(must(parse_stall(v))); }},
      {"sim_preset", "NAME", "cost engine: what steps cost, a preset by name or file (default: by the model's name)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.preset = v; }},
      {"sim_noise", "TIME", "cost engine: a time or distribution added to every step (default 0s)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.engine.noise = must(parse_distribution(v)); }},
      {"sim_drafts", "N", "cost engine: tokens guessed ahead, speculation (default 0)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.engine.drafts = parse_number<std::uint32_t>(v, 0, 64); }},
      {"sim_draft_acceptance", "P", "cost engine: chance of a guess to be right (default 0.7)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.engine.draft_acceptance = parse_number<double>(v, 0, 1); }},
      {"truth_log", "FILE", "write what was really sent when, one JSON line per generation", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.truth_log = v; }},
      {"chunking", "HOW",
       "cut streams on purpose: any of tokens=N (per event), events=N (per write), pieces=N (per write), "
       "cut-characters, comments=TIME, with commas (default: every token an event and a write)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.http.chunking = must(parse_chunking(v)); }},
      {"faults", "FILE", "do what this YAML or JSON file says wrong on purpose (docs/truth-and-faults.md)", kOurs,
       kValue, [](Draft& d, const std::string& v) { d.config.faults = read_faults(v); }},
      {"json_output", "", "one JSON line per generation on stderr", kTgi, kToggle,
       [](Draft& d, const std::string& v) { d.config.http.has_json_logs = parse_bool(v); }},
  };
}

std::vector<Field> cpu_fields() {
  return {
      {"cpu_threads", "N", "cpu engine: threads that compute; 0: one per usable core (default 1)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.cpu.backend.threads = parse_number<std::uint32_t>(v, 0, 1024); }},
      {"cpu_precision", "NAME",
       "cpu engine: exact (default; activations stay float) or fast (rounded to 8 bits before quantised matrices)",
       kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.backend.precision = parse_choice<kernels::Precision>(
             v, "a precision", {{"exact", kernels::Precision::exact}, {"fast", kernels::Precision::fast}});
       }},
      {"cpu_backend", "NAME", "cpu engine: cpu-avx512, cpu-avx2, cpu-portable or reference (default: the fastest)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.cpu.backend.name = v; }},
      {"cpu_lm_head", "NAME", "cpu engine: a plain output layer is kept as stored (default) or rounded to int8 or int4",
       kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.head = parse_choice<HeadStorage>(
             v, "a form of the output layer",
             {{"stored", HeadStorage::as_stored}, {"int8", HeadStorage::int8}, {"int4", HeadStorage::int4}});
       }},
      {"cpu_kv", "NAME", "cpu engine: keys and values are kept as f32 (default) or bf16", kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.kv_type = parse_choice<kernels::KvType>(
             v, "a form of keys and values", {{"f32", kernels::KvType::f32}, {"bf16", kernels::KvType::bf16}});
       }},
      {"cpu_memory_mb", "N",
       "cpu engine: budget for weights, buffers, keys and values of all models, of 1000000 bytes; what does not fit is "
       "refused (default 0: none)",
       kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.cpu.memory_mb = parse_number<std::uint64_t>(v, 0, 1U << 30U); }},
  };
}

}  // namespace refserver
