// The table, and the fields of the server's outside: what a field is called, what it means, what its text is applied
// to.
#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "refserver/config_draft.hpp"

namespace refserver {
namespace {

/// TGI gives whole seconds without a unit.
std::chrono::milliseconds parse_grace(const std::string& text) {
  const bool is_bare = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return parse_milliseconds(is_bare ? text + "s" : text);
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
  return {
      {"statsd", "HOST:PORT", "tell a StatsD daemon about requests, by model, once a second", kOurs, kValue,
       [](Draft& d, const std::string& v) { must(set_statsd_address(d.config.statsd, v)); }},
      {"statsd_format", "HOW", "plain, dogstatsd or influx: the model in the name or as a tag (default plain)", kOurs,
       kValue, [](Draft& d, const std::string& v) { must(set_statsd_format(d.config.statsd, v)); }},
      {"statsd_prefix", "NAME", "in front of every name, such as gateway (default none)", kOurs, kValue,
       [](Draft& d, const std::string& v) { must(set_statsd_prefix(d.config.statsd, v)); }},
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

}  // namespace refserver
