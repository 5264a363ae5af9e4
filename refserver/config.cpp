// Reads the three sources in order of rank, then settles what depends on several fields.
#include "refserver/config.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "refserver/commands.hpp"
#include "refserver/config_draft.hpp"
#include "refserver/engine/step_cost.hpp"
#include "refserver/launcher_flags.hpp"
#include "refserver/models.hpp"

namespace refserver {
namespace {

constexpr std::uint32_t kUsualTotalTokens = 32768;

/// The checkpoint a short name stands for; other names stand for themselves.
std::string checkpoint_of(const std::string& name) {
  if (name == "qwen2") return "Qwen2-7B-Instruct-GPTQ-Int4";
  if (name == "llama3") return "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4";
  return name;
}

ModelInfo make_model(const ConfigDraft::Model& model, const ConfigDraft& draft) {
  ModelInfo info;
  info.name = model.name;
  info.served_name = model.served_name.empty() ? checkpoint_of(model.name) : model.served_name;
  info.default_new_tokens = draft.default_max_new_tokens;
  const bool computes = draft.config.source == EngineSource::cpu;
  if (computes && model.folder.empty()) {
    throw BadValue(
        fmt::format("model {}: the cpu engine needs its checkpoint: --model {}=FOLDER", model.name, model.name));
  }
  const std::uint32_t context = computes ? usual_context(model.folder) : 0;
  info.max_total_tokens =
      model.max_total_tokens.value_or(draft.max_total_tokens.value_or(context > 1 ? context : kUsualTotalTokens));
  info.max_input_tokens = model.max_input_tokens.value_or(draft.max_input_tokens.value_or(info.max_total_tokens - 1));
  if (info.name.empty()) throw BadValue("a model has an empty name");
  if (info.max_input_tokens >= info.max_total_tokens) {
    throw BadValue(fmt::format("model {}: max_input_tokens ({}) must be less than max_total_tokens ({})", info.name,
                               info.max_input_tokens, info.max_total_tokens));
  }
  return info;
}

void settle_host(ConfigDraft& draft) {
  if (!draft.hostname) return;
  const Field& host = config_fields().front();
  try {
    host.apply(draft, *draft.hostname);
  } catch (const BadValue&) {
    // TGI listens everywhere when the name is no address, such as a container's HOSTNAME.
    if (draft.config.limits.dialect == Dialect::strict_tgi) {
      draft.config.http.host = "0.0.0.0";
    } else {
      draft.config.notes.push_back(fmt::format("hostname '{}' is no IP address and is ignored", *draft.hostname));
    }
  }
}

/// Costs of a simulated device: those the model names, those all are to have, or those of its family on a small card.
void settle_engine(const ConfigDraft::Model& model, ConfigDraft& draft) {
  EngineSettings engine = draft.engine;
  engine.model = model.name;
  engine.ttft = model.ttft.value_or(engine.ttft);
  engine.gap = model.gap.value_or(engine.gap);
  std::uint64_t token_bytes = 0;
  if (engine.kind == EngineKind::cost) {
    const bool is_llama = family_of(model.name) == "llama3";
    const std::string usual = is_llama ? "llama-3.1-8b-rtx4090" : "qwen2-7b-rtx4090";
    const std::string& named = model.preset.empty() ? draft.preset : model.preset;
    const auto preset = load_cost_preset(named.empty() ? usual : named);
    if (!preset) throw BadValue(fmt::format("sim_preset of model {}: {}", model.name, preset.error().message()));
    engine.cost = preset->cost;
    token_bytes = preset->kv_bytes_per_token;
  }
  draft.config.kv_token_bytes.push_back(token_bytes);
  draft.config.engines.push_back(std::move(engine));
}

void settle_models(ConfigDraft& draft) {
  std::vector<ModelInfo>& models = draft.config.models;
  if (draft.models.empty()) draft.models = {{.name = "qwen2"}, {.name = "llama3"}};
  for (const ConfigDraft::Model& model : draft.models) {
    ModelInfo info = make_model(model, draft);
    if (find_model(models, info.name) < models.size() || find_model(models, info.served_name) < models.size()) {
      throw BadValue(fmt::format("model {}: named twice", info.name));
    }
    models.push_back(std::move(info));
    draft.config.folders.push_back(model.folder);
    draft.config.weights.push_back(model.weight);
    settle_engine(model, draft);
  }
  for (const auto& [name, port] : draft.model_ports) {
    const std::size_t found = find_model(models, name);
    if (found == models.size()) throw BadValue(fmt::format("model_port: there is no model {}", name));
    draft.config.http.model_ports.push_back({found, port});
  }
}

constexpr const char* kFooter = R"(
Routes: POST /generate /generate_stream / /tokenize (TGI), /v1/chat/completions /v1/completions /chat_tokenize (OpenAI),
/invocations /vertex, /v1/generate (gateway); GET /health /info /metrics /v1/models /docs /debug/state. Prints one line,
"listening on http://HOST:PORT", on stdout when ready. Fields marked [env] are also read from the environment, in upper
case; flags win over the environment, which wins over the file.

Example:
  refserver serve --port 3000 --model qwen2 --model llama3 --sim-ttft 100ms --sim-gap 20ms
  curl http://127.0.0.1:3000/generate_stream -H 'content-type: application/json' \
       -d '{"inputs":"What is HTTP?","parameters":{"max_new_tokens":5}}'

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 internal or I/O error, 64 bad usage or config, 69 address not available.
)";

std::string footer() {
  std::string ignored = "\nOf TGI's launcher, accepted and without effect:\n";
  std::string refused = "\nOf TGI's launcher, refused:\n";
  for (const LauncherFlag& flag : launcher_flags()) {
    const bool is_variable = flag.kind == LauncherFlag::Kind::variable;
    const std::string name = is_variable ? variable_of(flag.name) : flag_of(flag.name);
    if (flag.answer == LauncherFlag::Answer::ignored) {
      ignored += fmt::format("  {}: {}\n", name, flag.reason);
    } else {
      const std::string but = flag.harmless.empty() ? "" : fmt::format(" (but {})", flag.harmless);
      refused += fmt::format("  {}{}: {}\n", name, but, flag.reason);
    }
  }
  return kFooter + ignored + refused;
}

/// A flag or variable of TGI's launcher that means nothing here.
void take_launcher_flag(const LauncherFlag& flag, const std::string& shown, const std::string& value,
                        ConfigDraft& draft) {
  if (const auto objection = find_objection(flag, value)) throw BadValue(*objection);
  draft.config.notes.push_back(fmt::format("{} has no effect: {}", shown, flag.reason));
}

/// Adds where a bad value was found.
template <class Apply>
void at(const std::string& place, Apply apply) {
  try {
    apply();
  } catch (const BadValue& e) {
    throw BadValue(fmt::format("{}: {}", place, e.what()));
  }
}

void read_environment(ConfigDraft& draft) {
  if (const char* const model = std::getenv("MODEL_ID"); model != nullptr && draft.models.empty()) {
    draft.models.push_back(parse_model(model));
  }
  for (const Field& field : config_fields()) {
    const std::string name = variable_of(field.name);
    const char* const value = field.origin == Field::Origin::tgi ? std::getenv(name.c_str()) : nullptr;
    if (value == nullptr || *value == '\0') continue;
    std::string rest = value;
    at(name, [&] {
      for (std::size_t comma = rest.find(','); field.kind == Field::Kind::repeated && comma != std::string::npos;
           comma = rest.find(',')) {
        field.apply(draft, rest.substr(0, comma));
        rest.erase(0, comma + 1);
      }
      field.apply(draft, rest);
    });
  }
  for (const LauncherFlag& flag : launcher_flags()) {
    const std::string name = variable_of(flag.name);
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') continue;
    at(name, [&] { take_launcher_flag(flag, name, value, draft); });
  }
}

/// What the command line holds, kept until the file and the environment were read.
struct Flags {
  std::string file;
  std::vector<std::string> models;
  std::vector<std::pair<const Field*, std::string>> fields;
  std::vector<std::pair<const LauncherFlag*, std::string>> launcher;
};

void add_options(CLI::App& serve, Flags& flags) {
  const std::string file_help = "YAML or JSON file with the fields below ('_' for '-') and a list of models";
  serve.add_option("--config", flags.file, file_help)->type_name("FILE");
  serve
      .add_option("--model,--model-id", flags.models,
                  "serve this model: qwen2, llama3 or any name, =FOLDER for its checkpoint, or a folder alone; "
                  "repeat for more (default both) [env MODEL_ID]")
      ->type_name("NAME[=FOLDER]")
      ->allow_extra_args(false);
  for (const Field& field : config_fields()) {
    const std::string help = field.origin == Field::Origin::tgi ? fmt::format("{} [env]", field.help) : field.help;
    const auto take = [&flags, &field](const std::string& v) {
      flags.fields.emplace_back(&field, v.empty() ? "true" : v);
    };
    CLI::Option* const option = serve.add_option_function<std::string>(flag_of(field.name), take, help);
    option->type_name(field.type)->trigger_on_parse();
    if (field.kind == Field::Kind::toggle) option->expected(0, 1);
    if (field.kind != Field::Kind::repeated) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  for (const LauncherFlag& flag : launcher_flags()) {
    if (flag.kind == LauncherFlag::Kind::variable) continue;
    const auto take = [&flags, &flag](const std::string& v) {
      flags.launcher.emplace_back(&flag, v.empty() ? "true" : v);
    };
    CLI::Option* const option = serve.add_option_function<std::string>(flag_of(flag.name), take, "");
    option->group("")->trigger_on_parse();  // listed below the examples instead
    if (flag.kind == LauncherFlag::Kind::toggle) option->expected(0, 1);
  }
}

void apply_flags(const Flags& flags, ConfigDraft& draft) {
  const auto is_given = [&](const char* name) {
    for (const auto& [field, value] : flags.fields) {
      if (field->name == std::string_view(name)) return true;
    }
    return false;
  };
  // A list on the command line replaces the one in the file; so does an address given by either of its names.
  if (is_given("cors_allow_origin")) draft.config.http.cors_allowed_origins.clear();
  if (is_given("model_port")) draft.model_ports.clear();
  if (is_given("sim_stall")) draft.config.stalls.clear();
  if (is_given("host")) draft.hostname.reset();
  for (const auto& [field, value] : flags.fields) {
    at(flag_of(field->name), [&field = field, &value = value, &draft] { field->apply(draft, value); });
  }
  for (const auto& [flag, value] : flags.launcher) {
    const std::string name = flag_of(flag->name);
    at(name, [&, &flag = flag, &value = value] { take_launcher_flag(*flag, name, value, draft); });
  }
  if (!flags.models.empty()) draft.models.clear();
  for (const std::string& model : flags.models) draft.models.push_back(parse_model(model));
}

}  // namespace

void settle_config(ConfigDraft& draft) {
  if (draft.max_input_tokens && draft.max_input_length) {
    throw BadValue("max_input_tokens and max_input_length are the same thing; give one of them");
  }
  if (draft.max_input_length) draft.max_input_tokens = draft.max_input_length;
  settle_host(draft);
  settle_models(draft);
  const ServerConfig& config = draft.config;
  // What a computing engine has room for is known when its model is loaded.
  for (std::size_t i = 0; config.source != EngineSource::cpu && i < config.models.size(); ++i) {
    const SchedulerConfig scheduler = make_scheduler_config(
        config.scheduler, config.models[i], pool_limits(config.engines[i], config.http.max_concurrent_requests));
    if (const auto problem = find_problem(scheduler)) {
      throw BadValue(fmt::format("model {}: {}", config.models[i].name, *problem));
    }
  }
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app("A TGI-compatible reference server with known timing.", "refserver");
  app.require_subcommand(1);
  CLI::App* const serve = app.add_subcommand("serve", "answer requests until stopped");
  for (const OtherCommand& other : other_commands()) app.add_subcommand(other.name, other.help);  // for the help
  serve->footer(footer());
  Flags flags;
  add_options(*serve, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return {std::nullopt, app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage};
  }
  ConfigDraft draft;
  try {
    if (!flags.file.empty()) read_config_file(flags.file, draft);
    read_environment(draft);
    apply_flags(flags, draft);
    settle_config(draft);
  } catch (const BadValue& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return {std::nullopt, ExitCode::bad_usage};
  }
  return {std::move(draft.config), ExitCode::ok};
}

}  // namespace refserver
