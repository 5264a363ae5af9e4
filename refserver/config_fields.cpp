// The table: what a field is called, what it means and how its text becomes a value.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

#include "refserver/config_draft.hpp"
#include "refserver/duration.hpp"
#include "refserver/fault_file.hpp"

namespace refserver {
namespace {

template <class Number>
Number parse_number(const std::string& text, Number low, Number high) {
  Number value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw BadValue(fmt::format("'{}' is not a whole number from {} to {}", text, low, high));
  }
  return value;
}

std::chrono::nanoseconds parse_time(const std::string& text) {
  if (const auto time = parse_duration(text)) return *time;
  throw BadValue(fmt::format("'{}' is not a duration such as 100ms, 1.5s or 250us (at most 1h)", text));
}

std::chrono::milliseconds parse_milliseconds(const std::string& text) {
  return std::chrono::ceil<std::chrono::milliseconds>(parse_time(text));
}

/// TGI gives whole seconds without a unit.
std::chrono::milliseconds parse_grace(const std::string& text) {
  const bool is_bare = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return parse_milliseconds(is_bare ? text + "s" : text);
}

double parse_ratio(const std::string& text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1e6) return value;
  throw BadValue(fmt::format("'{}' is not a number from 0 to 1000000", text));
}

bool parse_bool(const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  throw BadValue(fmt::format("'{}' is neither true nor false", text));
}

/// What the engines' own readers say, as a bad value.
template <class Value>
Value must(Result<Value, std::string> read) {
  if (!read) throw BadValue(read.error());
  return std::move(*read);
}

std::string parse_host(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1) return text;
  throw BadValue(fmt::format("'{}' is not an IP address such as 127.0.0.1, 0.0.0.0 or ::1", text));
}

void set_engine(ConfigDraft& draft, const std::string& text) {
  if (text != "simulated" && text != "cost" && text != "cpu") {
    throw BadValue(fmt::format("'{}' is not an engine; there are: simulated, cost, cpu", text));
  }
  draft.config.source = text == "cpu" ? EngineSource::cpu : EngineSource::simulated;
  draft.engine.kind = text == "cost" ? EngineKind::cost : EngineKind::scripted;
}

BatchKind parse_batch(const std::string& text) {
  if (text == "continuous") return BatchKind::continuous;
  if (text == "static") return BatchKind::fixed;
  if (text == "serial") return BatchKind::serial;
  throw BadValue(fmt::format("'{}' is not a scheduler; there are: continuous, static, serial", text));
}

AdmissionKind parse_admission(const std::string& text) {
  if (text == "optimistic") return AdmissionKind::optimistic;
  if (text == "reserve") return AdmissionKind::reserve;
  if (text == "adaptive") return AdmissionKind::adaptive;
  throw BadValue(fmt::format("'{}' is not a way of admission; there are: optimistic, reserve, adaptive", text));
}

PolicyKind parse_policy(const std::string& text) {
  if (text == "fcfs") return PolicyKind::fcfs;
  if (text == "priority") return PolicyKind::priority;
  if (text == "fair") return PolicyKind::fair;
  if (text == "shortest-first") return PolicyKind::shortest_first;
  throw BadValue(fmt::format("'{}' is not a policy; there are: fcfs, priority, fair, shortest-first", text));
}

FaultPlan read_faults(const std::string& file) {
  try {
    return read_fault_file(file);
  } catch (const std::runtime_error& e) {
    throw BadValue(e.what());
  }
}

double parse_share(const std::string& text) {
  const double share = parse_ratio(text);
  if (share > 1) throw BadValue(fmt::format("'{}' is not a number from 0 to 1", text));
  return share;
}

double parse_weight(const std::string& text) {
  const double weight = parse_ratio(text);
  if (weight < 0.001 || weight > 1000) throw BadValue(fmt::format("'{}' is not a number from 0.001 to 1000", text));
  return weight;
}

std::string parse_header_value(const std::string& text) {
  for (const char c : text) {
    // Never quote the text: it may be a key.
    if (c < 0x21 || c > 0x7E) throw BadValue("has characters other than printable ASCII without spaces");
  }
  if (text.empty()) throw BadValue("is empty");
  return text;
}

std::string read_key_file(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  if (!file || !std::getline(file, key)) throw BadValue(fmt::format("'{}' cannot be read or is empty", path));
  if (!key.empty() && key.back() == '\r') key.pop_back();
  return parse_header_value(key);
}

std::pair<std::string, std::uint16_t> parse_model_port(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    throw BadValue(fmt::format("'{}' is not MODEL=PORT, such as qwen2=8081", text));
  }
  return {text.substr(0, equals), parse_number<std::uint16_t>(text.substr(equals + 1), 0, 65535)};
}

using Draft = ConfigDraft;
constexpr auto kTgi = Field::Origin::tgi;
constexpr auto kOurs = Field::Origin::ours;
constexpr auto kValue = Field::Kind::value;
constexpr auto kToggle = Field::Kind::toggle;
constexpr auto kRepeated = Field::Kind::repeated;

std::vector<Field> network_fields() {
  return {
      {"host", "ADDRESS", "address to listen on, an IP literal (default 127.0.0.1)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.http.host = parse_host(v); }},
      {"hostname", "ADDRESS", "the same by TGI's name", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.hostname = v; }},
      {"port", "P", "port to listen on; 0 lets the system pick one (default 3000)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.config.http.port = parse_number<std::uint16_t>(v, 0, 65535); }},
      {"model_port", "MODEL=P", "a further port on which that model looks like one whole TGI; repeat for more", kOurs,
       kRepeated, [](Draft& d, const std::string& v) { d.model_ports.push_back(parse_model_port(v)); }},
      {"api_key", "KEY", "generation routes ask for `Authorization: Bearer KEY` (better: api_key_file or API_KEY)",
       kTgi, kValue, [](Draft& d, const std::string& v) { d.config.http.api_key = parse_header_value(v); }},
      {"api_key_file", "FILE", "the same, from the first line of a file", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.http.api_key = read_key_file(v); }},
      {"cors_allow_origin", "ORIGIN", "an origin browsers may ask from; repeat for more (default any)", kTgi, kRepeated,
       [](Draft& d, const std::string& v) { d.config.http.cors_allowed_origins.push_back(parse_header_value(v)); }},
      {"payload_limit", "BYTES", "longest request body (default 2000000)", kTgi, kValue,
       [](Draft& d, const std::string& v) {
         d.config.http.body_limit_bytes = parse_number<std::size_t>(v, 1, std::size_t{1} << 30U);
       }},
      {"compute_type", "TEXT", "the x-compute-type header (default cpu+simulated)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.config.http.compute_type = parse_header_value(v); }},
      {"graceful_termination_timeout", "TIME", "how long requests may finish after SIGTERM (default 90s)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.config.http.graceful_termination_timeout = parse_grace(v); }},
      {"idle_timeout", "TIME", "closes a connection that sends no request for this long (default 2m)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.http.idle_timeout = parse_milliseconds(v); }},
      {"write_timeout", "TIME", "gives up on a client that reads nothing for this long (default 30s)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.http.write_timeout = parse_milliseconds(v); }},
      {"stuck_engine_timeout", "TIME", "an engine step longer than this makes /health say 503 (default 30s)", kOurs,
       kValue, [](Draft& d, const std::string& v) { d.config.http.stuck_engine_timeout = parse_milliseconds(v); }},
  };
}

std::vector<Field> statsd_fields() {
  const auto check = [](const Result<void, std::string>& read) {
    if (!read) throw BadValue(read.error());
  };
  return {
      {"statsd", "HOST:PORT", "tell a StatsD daemon about requests, by model, once a second", kOurs, kValue,
       [check](Draft& d, const std::string& v) { check(set_statsd_address(d.config.statsd, v)); }},
      {"statsd_format", "HOW", "plain, dogstatsd or influx: the model in the name or as a tag (default plain)", kOurs,
       kValue, [check](Draft& d, const std::string& v) { check(set_statsd_format(d.config.statsd, v)); }},
      {"statsd_prefix", "NAME", "in front of every name, such as gateway (default none)", kOurs, kValue,
       [check](Draft& d, const std::string& v) { check(set_statsd_prefix(d.config.statsd, v)); }},
  };
}

std::vector<Field> limit_fields() {
  const auto small = [](const std::string& v) { return parse_number<std::uint32_t>(v, 1, 1'000'000); };
  return {
      {"max_concurrent_requests", "N", "generations at once; more get 429 (default 128)", kTgi, kValue,
       [small](Draft& d, const std::string& v) { d.config.http.max_concurrent_requests = small(v); }},
      {"max_input_tokens", "N", "longest prompt (default: max_total_tokens - 1)", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.max_input_tokens = parse_number<std::uint32_t>(v, 1, 10'000'000); }},
      {"max_input_length", "N", "the same by its old name", kTgi, kValue,
       [](Draft& d, const std::string& v) { d.max_input_length = parse_number<std::uint32_t>(v, 1, 10'000'000); }},
      {"max_total_tokens", "N", "prompt and answer together (default 32768; cpu engine: the model's, at most 4096)",
       kTgi, kValue,
       [](Draft& d, const std::string& v) { d.max_total_tokens = parse_number<std::uint32_t>(v, 2, 10'000'000); }},
      {"default_max_new_tokens", "N", "answer length where the client names none (default 100)", kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.default_max_new_tokens = parse_number<std::uint32_t>(v, 1, 10'000'000);
       }},
      {"max_best_of", "N", "largest `best_of` (default 2)", kTgi, kValue,
       [small](Draft& d, const std::string& v) { d.config.limits.max_best_of = small(v); }},
      {"max_stop_sequences", "N", "most `stop` sequences (default 4)", kTgi, kValue,
       [](Draft& d, const std::string& v) {
         d.config.limits.max_stop_sequences = parse_number<std::uint32_t>(v, 0, 1'000'000);
       }},
      {"max_top_n_tokens", "N", "largest `top_n_tokens` (default 5)", kTgi, kValue,
       [](Draft& d, const std::string& v) {
         d.config.limits.max_top_n_tokens = parse_number<std::uint32_t>(v, 0, 1000);
       }},
      {"max_client_batch_size", "N", "most prompts in one completions request (default 4)", kTgi, kValue,
       [small](Draft& d, const std::string& v) { d.config.limits.max_client_batch_size = small(v); }},
      {"validation_workers", "N", "threads that tokenise long prompts (default 2)", kTgi, kValue,
       [](Draft& d, const std::string& v) {
         d.config.http.validation_workers = parse_number<std::uint32_t>(v, 1, 256);
       }},
      {"strict_tgi", "", "answers exactly as TGI 3.3.7: none of the differences in docs/tgi-differences.md", kOurs,
       kToggle,
       [](Draft& d, const std::string& v) {
         d.config.limits.dialect = parse_bool(v) ? Dialect::strict_tgi : Dialect::extended;
       }},
      {"disable_grammar_support", "", "always so: grammars and tools are refused as TGI then refuses them", kTgi,
       kToggle,
       [](Draft&, const std::string& v) {
         if (!parse_bool(v)) throw BadValue("grammars are not supported, so this cannot be false");
       }},
  };
}

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
       kValue, [](Draft& d, const std::string& v) { d.config.scheduler.waiting_served_ratio = parse_ratio(v); }},
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
       [](Draft& d, const std::string& v) { d.config.scheduler.batch = parse_batch(v); }},
      {"admission", "NAME",
       "what must be free to let a request in: optimistic (default: its prompt), reserve (all it may need, as TGI) or "
       "adaptive",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.scheduler.admission = parse_admission(v); }},
      {"policy", "NAME",
       "who is let in next: fcfs (default), priority (header x-plumbline-priority, 0 first), fair (between tenants, "
       "header "
       "x-plumbline-tenant) or shortest-first",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.scheduler.policy = parse_policy(v); }},
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
       [](Draft& d, const std::string& v) { d.engine.draft_acceptance = parse_share(v); }},
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

}  // namespace

const std::vector<Field>& config_fields() {
  static const std::vector<Field> table = [] {
    std::vector<Field> all;
    for (auto part :
         {network_fields(), limit_fields(), scheduler_fields(), engine_fields(), cpu_fields(), statsd_fields()}) {
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    return all;
  }();
  return table;
}

std::string flag_of(std::string_view field) {
  std::string flag = "--" + std::string(field);
  for (char& c : flag) c = c == '_' ? '-' : c;
  return flag;
}

std::string variable_of(std::string_view field) {
  std::string variable(field);
  for (char& c : variable) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

void set_model_field(ConfigDraft::Model& model, const std::string& key, const std::string& value) {
  if (key == "name") {
    model.name = value;
  } else if (key == "served_name") {
    model.served_name = value;
  } else if (key == "folder") {
    model.folder = value;
  } else if (key == "sim_ttft") {
    model.ttft = must(parse_distribution(value));
  } else if (key == "sim_gap") {
    model.gap = must(parse_distribution(value));
  } else if (key == "sim_preset") {
    model.preset = value;
  } else if (key == "weight") {
    model.weight = parse_weight(value);
  } else if (key == "max_input_tokens") {
    model.max_input_tokens = parse_number<std::uint32_t>(value, 1, 10'000'000);
  } else if (key == "max_total_tokens") {
    model.max_total_tokens = parse_number<std::uint32_t>(value, 2, 10'000'000);
  } else {
    throw BadValue(
        "unknown field; a model has name, served_name, folder, weight, sim_ttft, sim_gap, sim_preset, "
        "max_input_tokens, max_total_tokens");
  }
}

ConfigDraft::Model parse_model(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos) return {.name = text.substr(0, equals), .folder = text.substr(equals + 1)};
  // As TGI's --model-id takes it: a folder alone, here named by its last part.
  std::error_code ignored;
  std::filesystem::path path(text);
  if (text.find('/') != std::string::npos && std::filesystem::is_directory(path, ignored)) {
    if (!path.has_filename()) path = path.parent_path();
    return {.name = path.filename().string(), .folder = text};
  }
  return {.name = text};
}

}  // namespace refserver
