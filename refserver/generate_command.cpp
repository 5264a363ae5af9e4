// Flags to requests; the scheduler and the engine are those of the server.
#include "refserver/generate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "refserver/chat/chat_template.hpp"
#include "refserver/engine_flags.hpp"
#include "refserver/transformer/local_run.hpp"

namespace refserver {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct GenerateFlags {
  EngineFlags engine;
  std::string prompt;
  std::string prompts;  ///< file of several
  std::uint32_t batch = 16;
  bool is_chat = false;
  bool shows_special = false;
  RequestSpec spec;  ///< without a prompt
  std::optional<float> temperature, top_p, typical_p;
  std::optional<std::uint32_t> top_k;
  std::optional<std::uint64_t> seed;
};

void add_sampling_flags(CLI::App& app, GenerateFlags& flags) {
  const CLI::Range above_zero(1e-6, 1e6);
  app.add_option("--temperature", flags.temperature, "above 0; with any of this and the next three, tokens are drawn")
      ->check(above_zero);
  app.add_option("--top-k", flags.top_k, "draw from the k likeliest")->check(CLI::Range(1, 1 << 30));
  app.add_option("--top-p", flags.top_p, "draw from the likeliest of this mass")->check(CLI::Range(1e-6, 1.0));
  app.add_option("--typical-p", flags.typical_p, "draw from the most typical of this mass")
      ->check(CLI::Range(1e-6, 1.0));
  app.add_option("--seed", flags.seed, "of the draws (default 0): same seed, same text");
  app.add_option("--repetition-penalty", flags.spec.sampling.repetition_penalty,
                 "divides logits of tokens seen (default 1)")
      ->check(above_zero);
  app.add_option("--frequency-penalty", flags.spec.sampling.frequency_penalty,
                 "less this times a token's share of all before (default 0)")
      ->check(CLI::Range(-2.0, 2.0));
}

void add_flags(CLI::App& app, GenerateFlags& flags) {
  add_engine_flags(app, flags.engine);
  CLI::Option* const prompt = app.add_option("prompt", flags.prompt, "to be continued; - reads it from stdin");
  app.add_option("--prompts", flags.prompts, "file with a prompt per line, each a JSON string or {\"prompt\": TEXT}")
      ->type_name("FILE")
      ->excludes(prompt);
  app.add_option("--batch", flags.batch, "of --prompts, how many run together (default 16)")->check(CLI::Range(1, 256));
  app.add_flag("--chat", flags.is_chat, "the prompt is a user's message: put it into the model's chat template");
  app.add_option("--max-new-tokens", flags.spec.max_new_tokens, "(default 128)")->check(CLI::Range(1, 1 << 24));
  app.add_option("--min-new-tokens", flags.spec.min_new_tokens, "no end of sequence before (default 0)")
      ->check(CLI::Range(0, 1 << 24));
  app.add_option("--stop", flags.spec.stop, "text that ends the answer; repeat for more")->allow_extra_args(false);
  app.add_flag("--ignore-eos", flags.spec.ignores_eos, "go on after an end-of-sequence token");
  app.add_flag("--special", flags.shows_special, "show special tokens too");
  add_sampling_flags(app, flags);
}

void settle_sampling(GenerateFlags& flags) {
  Sampling& sampling = flags.spec.sampling;
  sampling.is_greedy = !flags.temperature && !flags.top_k && !flags.top_p && !flags.typical_p;
  sampling.temperature = flags.temperature.value_or(1.0F);
  sampling.top_k = flags.top_k.value_or(0);
  sampling.top_p = flags.top_p.value_or(1.0F);
  sampling.typical_p = flags.typical_p.value_or(1.0F);
  if (!sampling.is_greedy) sampling.seed = flags.seed.value_or(0);
}

using Prompts = Result<std::vector<std::string>, std::string>;

Prompts read_prompts(const GenerateFlags& flags) {
  std::vector<std::string> prompts;
  if (flags.prompts.empty()) {
    prompts.push_back(flags.prompt == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : flags.prompt);
    return Prompts{boost::system::in_place_value, std::move(prompts)};
  }
  std::ifstream file(flags.prompts);
  if (!file) return fmt::format("{}: cannot be read", flags.prompts);
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const bool is_object = json.is_object() && json.contains("prompt") && json["prompt"].is_string();
    if (!json.is_string() && !is_object) {
      return fmt::format("{}:{}: expected a JSON string, or an object with a \"prompt\" that is one", flags.prompts,
                         number);
    }
    prompts.push_back(is_object ? json["prompt"].get<std::string>() : json.get<std::string>());
  }
  if (prompts.empty()) return fmt::format("{}: has no prompt", flags.prompts);
  return Prompts{boost::system::in_place_value, std::move(prompts)};
}

using Encoded = Result<std::vector<std::vector<TokenId>>, std::string>;

/// A template writes the special tokens itself; around a plain prompt the tokenizer puts its own.
Encoded encode(const std::vector<std::string>& prompts, const GenerateFlags& flags, const ModelFolder& folder) {
  std::vector<std::vector<TokenId>> ids;
  std::shared_ptr<const ChatTemplate> chat;
  if (flags.is_chat) {
    auto loaded = ChatTemplate::from_folder(flags.engine.model);
    if (loaded.has_error()) return "--chat: " + loaded.error().text;
    chat = *loaded;
  }
  for (const std::string& prompt : prompts) {
    if (!chat) {
      ids.push_back(folder.tokenizer->encode(prompt));
      continue;
    }
    const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", prompt}}});
    const auto text = chat->render({.messages = messages});
    if (text.has_error()) return "--chat: " + text.error().text;
    ids.push_back(folder.tokenizer->encode(*text, {.special_tokens = tokenizer::SpecialTokens::omit}));
  }
  return Encoded{boost::system::in_place_value, std::move(ids)};
}

struct Answer {
  std::size_t prompt_tokens = 0;
  std::vector<TokenId> ids;
  std::string text;
  const char* finish_reason = "failed";
};

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::eos_token:
      return "eos_token";
    case FinishReason::stop_sequence:
      break;
  }
  return "stop_sequence";
}

/// One prompt: text as it comes. Several: an object per line, in the order of the prompts, as soon as it can be.
class Printer {
 public:
  Printer(const GenerateFlags& flags, std::vector<std::string> prompts)
      : is_stream_(flags.prompts.empty()), shows_special_(flags.shows_special), prompts_(std::move(prompts)) {}

  void expect(RequestId id, std::size_t prompt_tokens) { answers_[id].prompt_tokens = prompt_tokens; }

  void on_token(const TokenEvent& event) {
    Answer& answer = answers_[event.request];
    if (tokens_++ == 0) first_ = Clock::now();
    answer.ids.push_back(event.token.id);
    if (!event.token.is_special || shows_special_) {
      answer.text += event.token.text;
      if (is_stream_) fmt::print("{}", event.token.text);
      if (is_stream_) std::fflush(stdout);
    }
    if (event.finish) answer.finish_reason = name_of(*event.finish);
  }

  void finish(TimePoint start) const {
    if (is_stream_) fmt::print("\n");
    std::size_t prompt_tokens = 0;
    for (const auto& [id, answer] : answers_) {
      prompt_tokens += answer.prompt_tokens;
      if (!is_stream_) print_line(id, answer);
    }
    const std::chrono::duration<double> all = Clock::now() - start;
    const std::chrono::duration<double, std::milli> first = first_ - start;
    fmt::print(stderr, "{} prompt tokens, {} tokens in {:.3f} s: {:.1f} tokens/s, the first after {:.1f} ms\n",
               prompt_tokens, tokens_, all.count(), static_cast<double>(tokens_) / all.count(), first.count());
  }

 private:
  void print_line(RequestId id, const Answer& answer) const {
    const OrderedJson line{{"prompt", prompts_[id - 1]},
                           {"text", answer.text},
                           {"token_ids", answer.ids},
                           {"prompt_tokens", answer.prompt_tokens},
                           {"finish_reason", answer.finish_reason}};
    fmt::print("{}\n", line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }

  bool is_stream_;
  bool shows_special_;
  std::vector<std::string> prompts_;
  std::map<RequestId, Answer> answers_;
  std::size_t tokens_ = 0;
  TimePoint first_{};
};

ExitCode generate(const GenerateFlags& flags, LocalModel& local, const std::vector<std::string>& prompts) {
  const auto ids = encode(prompts, flags, local.model.folder);
  if (ids.has_error()) {
    fmt::print(stderr, "refserver: {}\n", ids.error());
    return ExitCode::bad_data;
  }
  SchedulerConfig config = local.model.scheduler;
  config.max_batch_size = flags.batch;
  LocalRun run(config, *local.model.vocabulary, *local.model.engine);
  Printer printer(flags, prompts);
  const TimePoint start = Clock::now();
  for (std::size_t i = 0; i < ids->size(); ++i) {
    RequestSpec spec = flags.spec;
    spec.id = i + 1;
    spec.prompt = (*ids)[i];
    // The answer ends where the context does.
    const std::size_t room =
        config.max_total_tokens - std::min<std::size_t>(spec.prompt.size(), config.max_total_tokens - 1);
    spec.max_new_tokens = static_cast<std::uint32_t>(std::min<std::size_t>(spec.max_new_tokens, room));
    printer.expect(spec.id, spec.prompt.size());
    if (const auto refusal = run.add(std::move(spec))) {
      fmt::print(stderr, "refserver: prompt {} of {} tokens: {}\n", i + 1, (*ids)[i].size(), explain(*refusal));
      return ExitCode::bad_data;
    }
  }
  run.finish([&](const TokenEvent& event) { printer.on_token(event); });
  printer.finish(start);
  if (run.failed() == 0) return ExitCode::ok;
  fmt::print(stderr, "refserver: the model gave no numbers for {} of {} prompts\n", run.failed(), prompts.size());
  return ExitCode::error;
}

constexpr const char* kFooter = R"(
The answer goes to stdout as it is made; what loading took and how fast it was go to stderr. With --prompts, stdout has one
JSON object per prompt: prompt, text, token_ids, prompt_tokens, finish_reason. Answers do not depend on --batch.

Example:
  refserver generate --model models/Qwen2-0.5B-Instruct-GPTQ-Int4 --chat "What is a plumb line?" --max-new-tokens 64
  refserver generate --model models/tiny --prompts prompts.jsonl --temperature 0.7 --top-p 0.9 --seed 1

Exit codes: 0 done, 1 the model failed, 64 bad usage, 65 the folder or a prompt cannot be used.)";

}  // namespace

ExitCode run_generate(int argc, const char* const* argv) {
  CLI::App app("Generate text with a model folder, on this machine.", "refserver generate");
  app.footer(kFooter);
  GenerateFlags flags;
  flags.spec.max_new_tokens = 128;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
    if (flags.prompts.empty() && app.count("prompt") == 0) throw CLI::RequiredError("a prompt, or --prompts");
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  settle_sampling(flags);
  const auto prompts = read_prompts(flags);
  if (prompts.has_error()) {
    fmt::print(stderr, "refserver: {}\n", prompts.error());
    return ExitCode::bad_data;
  }
  auto local = load_local_model(flags.engine);
  if (local.has_error()) {
    fmt::print(stderr, "refserver: {}\n", local.error());
    return ExitCode::bad_data;
  }
  return generate(flags, *local, *prompts);
}

}  // namespace refserver
