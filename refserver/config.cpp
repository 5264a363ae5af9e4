// One table says what a field is called, what it means and how its text becomes a value; flags and file both go
// through it, the file first, so that flags win.
#include "refserver/config.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "refserver/duration.hpp"

namespace refserver {
namespace {

/// A bad value: says what would be right. The caller adds where it was found.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Settings while they are read: models are settled at the end, when defaults are known.
struct Draft {
  ServerConfig config;
  SimTiming timing;                    ///< for models that state none
  std::uint32_t max_input_tokens = 0;  ///< 0: one less than the total
  std::uint32_t max_total_tokens = 32768;
  std::string engine = "simulated";
  struct Model {
    std::string name{};
    std::string served_name{};
    std::optional<std::chrono::nanoseconds> ttft{};
    std::optional<std::chrono::nanoseconds> gap{};
    std::optional<std::uint32_t> max_input_tokens{};
    std::optional<std::uint32_t> max_total_tokens{};
  };
  std::vector<Model> models;
};

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

SimStall parse_stall(const std::string& text) {
  const std::size_t plus = text.find('+');
  if (plus == std::string::npos) throw BadValue(fmt::format("'{}' is not AT+FOR, such as 3s+2s", text));
  return {parse_time(text.substr(0, plus)), parse_time(text.substr(plus + 1))};
}

std::string parse_host(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1) return text;
  throw BadValue(fmt::format("'{}' is not an IP address such as 127.0.0.1, 0.0.0.0 or ::1", text));
}

std::string parse_engine(const std::string& text) {
  if (text != "simulated") throw BadValue(fmt::format("'{}' is not an engine; there is: simulated", text));
  return text;
}

struct Field {
  const char* name;  ///< in the file; the flag has '-' for '_'
  const char* type;
  const char* help;
  std::function<void(Draft&, const std::string&)> apply;
};

const std::vector<Field>& fields() {
  static const std::vector<Field> table = {
      {"host", "ADDRESS", "address to listen on, an IP literal (default 127.0.0.1)",
       [](Draft& d, const std::string& v) { d.config.http.host = parse_host(v); }},
      {"port", "P", "port to listen on; 0 lets the system pick one (default 3000)",
       [](Draft& d, const std::string& v) { d.config.http.port = parse_number<std::uint16_t>(v, 0, 65535); }},
      {"engine", "NAME", "what generates: simulated (default)",
       [](Draft& d, const std::string& v) { d.engine = parse_engine(v); }},
      {"sim_ttft", "TIME", "simulated engine: from the arrival of a request to its first token (default 100ms)",
       [](Draft& d, const std::string& v) { d.timing.ttft = parse_time(v); }},
      {"sim_gap", "TIME", "simulated engine: from token to token (default 20ms)",
       [](Draft& d, const std::string& v) { d.timing.gap = parse_time(v); }},
      {"sim_stall", "AT+FOR", "simulated engine: AT after the first request, release no token for FOR, e.g. 3s+2s",
       [](Draft& d, const std::string& v) { d.config.stall = parse_stall(v); }},
      {"max_concurrent_requests", "N", "requests answered at once; more get 429 (default 128)",
       [](Draft& d, const std::string& v) {
         d.config.http.max_concurrent_requests = parse_number<std::uint32_t>(v, 1, 1'000'000);
       }},
      {"max_input_tokens", "N", "longest prompt (default: max_total_tokens - 1)",
       [](Draft& d, const std::string& v) { d.max_input_tokens = parse_number<std::uint32_t>(v, 1, 10'000'000); }},
      {"max_total_tokens", "N", "prompt and answer together (default 32768)",
       [](Draft& d, const std::string& v) { d.max_total_tokens = parse_number<std::uint32_t>(v, 2, 10'000'000); }},
      {"payload_limit", "BYTES", "longest request body (default 2000000)",
       [](Draft& d, const std::string& v) {
         d.config.http.body_limit_bytes = parse_number<std::size_t>(v, 1, std::size_t{1} << 30U);
       }},
      {"truth_log", "FILE", "write what was really sent when, one JSON line per request",
       [](Draft& d, const std::string& v) { d.config.truth_log = v; }},
      {"graceful_termination_timeout", "TIME", "how long requests may finish after SIGTERM (default 90s)",
       [](Draft& d, const std::string& v) { d.config.http.graceful_termination_timeout = parse_milliseconds(v); }},
      {"idle_timeout", "TIME", "closes a connection that sends no request for this long (default 2m)",
       [](Draft& d, const std::string& v) { d.config.http.idle_timeout = parse_milliseconds(v); }},
      {"write_timeout", "TIME", "gives up on a client that reads nothing for this long (default 30s)",
       [](Draft& d, const std::string& v) { d.config.http.write_timeout = parse_milliseconds(v); }},
  };
  return table;
}

std::string flag_of(std::string_view field) {
  std::string flag = "--" + std::string(field);
  for (char& c : flag) c = c == '_' ? '-' : c;
  return flag;
}

[[noreturn]] void fail_at(const std::string& file, const YAML::Node& node, const std::string& field,
                          const std::string& why) {
  throw BadValue(fmt::format("{}:{}: {}: {}", file, node.Mark().line + 1, field, why));
}

std::string scalar(const std::string& file, const YAML::Node& node, const std::string& field) {
  if (!node.IsScalar()) fail_at(file, node, field, "expected a single value");
  return node.Scalar();
}

void read_model_field(Draft::Model& model, const std::string& key, const std::string& value) {
  if (key == "name") {
    model.name = value;
  } else if (key == "served_name") {
    model.served_name = value;
  } else if (key == "sim_ttft") {
    model.ttft = parse_time(value);
  } else if (key == "sim_gap") {
    model.gap = parse_time(value);
  } else if (key == "max_input_tokens") {
    model.max_input_tokens = parse_number<std::uint32_t>(value, 1, 10'000'000);
  } else if (key == "max_total_tokens") {
    model.max_total_tokens = parse_number<std::uint32_t>(value, 2, 10'000'000);
  } else {
    throw BadValue(
        "unknown field; a model has name, served_name, sim_ttft, sim_gap, max_input_tokens, "
        "max_total_tokens");
  }
}

/// A model is its short name, or a mapping with a name and what differs from the defaults.
Draft::Model read_model(const std::string& file, const YAML::Node& node) {
  Draft::Model model;
  if (node.IsScalar()) {
    model.name = node.Scalar();
    return model;
  }
  if (!node.IsMap()) fail_at(file, node, "models", "each entry is a name or a mapping with a name");
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    try {
      read_model_field(model, key, scalar(file, entry.second, "models." + key));
    } catch (const BadValue& e) {
      fail_at(file, entry.first, "models." + key, e.what());
    }
  }
  if (model.name.empty()) fail_at(file, node, "models", "an entry has no name");
  return model;
}

void read_field(const std::string& file, const YAML::Node& key, const YAML::Node& value, Draft& draft) {
  const std::string name = key.Scalar();
  if (name == "models") {
    if (!value.IsSequence()) fail_at(file, key, name, "expected a list");
    for (const auto& model : value) draft.models.push_back(read_model(file, model));
    return;
  }
  for (const Field& field : fields()) {
    if (name != field.name) continue;
    try {
      field.apply(draft, scalar(file, value, name));
    } catch (const BadValue& e) {
      fail_at(file, key, name, e.what());
    }
    return;
  }
  std::string known = "models";
  for (const Field& field : fields()) known += fmt::format(", {}", field.name);
  fail_at(file, key, name, "unknown field; there are " + known);
}

void read_file(const std::string& file, Draft& draft) {
  YAML::Node root;
  try {
    root = YAML::LoadFile(file);
  } catch (const YAML::BadFile&) {
    throw BadValue(fmt::format("{}: cannot be read", file));
  } catch (const YAML::Exception& e) {
    throw BadValue(fmt::format("{}:{}: {}", file, e.mark.line + 1, e.msg));
  }
  if (!root.IsMap()) throw BadValue(fmt::format("{}: expected a mapping of fields", file));
  for (const auto& entry : root) {
    if (!entry.first.IsScalar())
      throw BadValue(fmt::format("{}:{}: a field name is not text", file, entry.first.Mark().line + 1));
    read_field(file, entry.first, entry.second, draft);
  }
}

/// The checkpoint a short name stands for; other names stand for themselves.
std::string checkpoint_of(const std::string& name) {
  if (name == "qwen2") return "Qwen2-7B-Instruct-GPTQ-Int4";
  if (name == "llama3") return "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4";
  return name;
}

void settle_models(Draft& draft) {
  if (draft.models.empty()) draft.models = {{.name = "qwen2"}, {.name = "llama3"}};
  for (const Draft::Model& model : draft.models) {
    ModelInfo info;
    info.name = model.name;
    info.served_name = model.served_name.empty() ? checkpoint_of(model.name) : model.served_name;
    info.max_total_tokens = model.max_total_tokens.value_or(draft.max_total_tokens);
    const std::uint32_t longest = draft.max_input_tokens > 0 ? draft.max_input_tokens : info.max_total_tokens - 1;
    info.max_input_tokens = model.max_input_tokens.value_or(longest);
    if (info.name.empty()) throw BadValue("a model has an empty name");
    if (info.max_input_tokens >= info.max_total_tokens) {
      throw BadValue(fmt::format("model {}: max_input_tokens ({}) must be less than max_total_tokens ({})", info.name,
                                 info.max_input_tokens, info.max_total_tokens));
    }
    if (find_model(draft.config.models, info.name) < draft.config.models.size() ||
        find_model(draft.config.models, info.served_name) < draft.config.models.size()) {
      throw BadValue(fmt::format("model {}: named twice", info.name));
    }
    draft.config.models.push_back(std::move(info));
    draft.config.timings.push_back({model.ttft.value_or(draft.timing.ttft), model.gap.value_or(draft.timing.gap)});
  }
}

constexpr const char* kFooter = R"(
Routes: POST /generate /generate_stream / (TGI), /v1/chat/completions /v1/completions (OpenAI), /v1/generate (gateway);
GET /health /info /metrics /v1/models. Prints one line, "listening on http://HOST:PORT", on stdout when ready.

Example:
  refserver serve --port 3000 --model qwen2 --model llama3 --sim-ttft 100ms --sim-gap 20ms
  curl http://127.0.0.1:3000/generate_stream -H 'content-type: application/json' \
       -d '{"inputs":"What is HTTP?","parameters":{"max_new_tokens":5}}'

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 internal or I/O error, 64 bad usage or config, 69 address not available.)";

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app("A TGI-compatible reference server with known timing.", "refserver");
  app.require_subcommand(1);
  CLI::App* const serve = app.add_subcommand("serve", "answer requests until stopped");
  serve->footer(kFooter);
  std::string file;
  std::vector<std::string> models;
  std::vector<std::pair<const Field*, std::string>> flags;
  serve
      ->add_option("--config", file,
                   "YAML or JSON file with the fields below ('_' for '-') and a list of models; "
                   "flags win over it")
      ->type_name("FILE");
  serve->add_option("--model", models, "serve this model: qwen2, llama3 or any name; repeat for more (default both)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  for (const Field& field : fields()) {
    serve
        ->add_option_function<std::string>(
            flag_of(field.name), [&flags, &field](const std::string& v) { flags.emplace_back(&field, v); }, field.help)
        ->type_name(field.type);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return {std::nullopt, app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage};
  }

  Draft draft;
  try {
    if (!file.empty()) read_file(file, draft);
    for (const auto& [field, value] : flags) {
      try {
        field->apply(draft, value);
      } catch (const BadValue& e) {
        throw BadValue(fmt::format("{}: {}", flag_of(field->name), e.what()));
      }
    }
    if (!models.empty()) draft.models.clear();
    for (std::string& model : models) draft.models.push_back({.name = std::move(model)});
    settle_models(draft);
  } catch (const BadValue& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return {std::nullopt, ExitCode::bad_usage};
  }
  return {std::move(draft.config), ExitCode::ok};
}

}  // namespace refserver
