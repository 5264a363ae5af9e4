// Finds a template, parses it once, and renders conversations with it.
#include "refserver/chat/chat_template.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/parser.hpp"
#include "refserver/chat/jinja/resolver.hpp"
#include "refserver/chat/jinja/text.hpp"
#include "refserver/chat/templates.hpp"

namespace refserver {
namespace {

using nlohmann::ordered_json;

constexpr jinja::Limits kLimits{};
/// tokenizer_config.json of a model with many added tokens has a few megabytes.
constexpr std::size_t kMaxFileBytes = 64U << 20U;

Error template_error(std::string text) {
  return {ErrorType::template_error, std::move(text)};
}

Error template_error(const jinja::Failure& failure) {
  return template_error(fmt::format("{} (in <string>:{})", failure.text(), std::max(failure.line(), 1)));
}

}  // namespace

class ChatTemplate::Impl {
 public:
  /// Throws jinja::Failure.
  Impl(std::string_view text, const ordered_json& special_tokens) {
    if (text.size() > kLimits.max_template_bytes) {
      jinja::fail(fmt::format("the template is longer than {} bytes", kLimits.max_template_bytes));
    }
    if (!jinja::is_utf8(text)) jinja::fail("the template is not UTF-8");
    parsed_ = jinja::parse(text, kLimits);
    jinja::resolve(parsed_, kLimits);
    jinja::Budget budget(kLimits);
    for (const auto& [name, value] : special_tokens.items())
      special_tokens_.emplace_back(name, jinja::from_json(budget, value));
  }

  std::string render(const ChatInput& input) const {
    jinja::Budget budget(kLimits);
    jinja::Interpreter interpreter(budget, make_variables(budget, input),
                                   input.now.value_or(std::chrono::system_clock::now()));
    return interpreter.run(parsed_);
  }

 private:
  /// The first of a name counts.
  jinja::Variables make_variables(jinja::Budget& budget, const ChatInput& input) const {
    jinja::Variables variables;
    variables.emplace_back("messages", jinja::from_json(budget, input.messages));
    variables.emplace_back("tools",
                           input.tools != nullptr ? jinja::from_json(budget, *input.tools) : jinja::Value::none());
    variables.emplace_back("add_generation_prompt", jinja::Value(input.add_generation_prompt));
    if (input.variables != nullptr) {
      for (const auto& [name, value] : input.variables->items()) {
        if (name == "messages" || name == "tools" || name == "add_generation_prompt") {
          jinja::fail(fmt::format("the template variable '{}' cannot be given twice", name));
        }
        variables.emplace_back(name, jinja::from_json(budget, value));
      }
    }
    variables.emplace_back("documents", jinja::Value::none());
    variables.insert(variables.end(), special_tokens_.begin(), special_tokens_.end());
    return variables;
  }

  jinja::Template parsed_;
  jinja::Variables special_tokens_;
};

namespace {

/// The bytes of a file, or an error that names it.
Result<std::string, Error> read_file(const std::filesystem::path& path) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (!ec && size > kMaxFileBytes) return template_error(fmt::format("{} is too large", path.string()));
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (ec || !file || !(text << file.rdbuf() || size == 0))
    return template_error(fmt::format("cannot read {}", path.string()));
  return std::move(text).str();
}

/// The special tokens of a tokenizer_config.json: "..._token" members as texts or as objects with a "content".
ordered_json read_special_tokens(const ordered_json& config) {
  ordered_json tokens = ordered_json::object();
  for (const auto& [name, value] : config.items()) {
    if (!name.ends_with("_token")) continue;
    if (value.is_string()) tokens[name] = value;
    if (value.is_object() && value.contains("content") && value["content"].is_string()) tokens[name] = value["content"];
  }
  return tokens;
}

/// The text of `chat_template`: a string, or the one named "default" of a list.
Result<std::string, Error> read_template_member(const ordered_json& config, const std::string& file) {
  const auto member = config.find("chat_template");
  if (member == config.end() || member->is_null()) {
    return template_error(
        fmt::format("the model has no chat template: no chat_template.jinja, and no chat_template in {}", file));
  }
  if (member->is_string()) return member->get<std::string>();
  if (member->is_array()) {
    for (const auto& named : *member) {
      const bool is_named = named.is_object() && named.contains("name") && named.contains("template");
      if (is_named && named["name"] == "default" && named["template"].is_string())
        return named["template"].get<std::string>();
    }
    return template_error(fmt::format("chat_template in {} has no template named \"default\"", file));
  }
  return template_error(fmt::format("chat_template in {} is neither a text nor a list of named templates", file));
}

}  // namespace

ChatTemplate::ChatTemplate(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;

Result<std::shared_ptr<const ChatTemplate>, Error> ChatTemplate::from_text(std::string_view text,
                                                                           const ordered_json& special_tokens) {
  try {
    return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::make_unique<const Impl>(text, special_tokens)));
  } catch (const jinja::Failure& failure) {
    return template_error(failure);
  }
}

Result<std::shared_ptr<const ChatTemplate>, Error> ChatTemplate::from_folder(const std::filesystem::path& folder) {
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  const std::filesystem::path template_path = folder / "chat_template.jinja";
  std::error_code ec;
  ordered_json config = ordered_json::object();
  if (std::filesystem::exists(config_path, ec)) {
    const auto text = read_file(config_path);
    if (!text) return text.error();
    config = ordered_json::parse(*text, nullptr, false);
    if (!config.is_object()) return template_error(fmt::format("{} is not a JSON object", config_path.string()));
  }
  const auto text = std::filesystem::exists(template_path, ec) ? read_file(template_path)
                                                               : read_template_member(config, config_path.string());
  if (!text) return text.error();
  return from_text(*text, read_special_tokens(config));
}

Result<std::shared_ptr<const ChatTemplate>, Error> ChatTemplate::built_in(std::string_view family) {
  if (family == "qwen2")
    return from_text(qwen2_template, {{"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}});
  if (family == "qwen2.5")
    return from_text(qwen2_5_template, {{"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}});
  if (family == "llama3") {
    return from_text(llama3_1_template, {{"bos_token", "<|begin_of_text|>"}, {"eos_token", "<|eot_id|>"}});
  }
  return template_error(
      fmt::format("no built-in chat template is called '{}': there are qwen2, qwen2.5 and llama3", family));
}

Result<std::string, Error> ChatTemplate::render(const ChatInput& input) const {
  try {
    return impl_->render(input);
  } catch (const jinja::Failure& failure) {
    return template_error(failure);
  }
}

std::string cut_after_content(std::string prompt, std::string_view content) {
  std::size_t at = prompt.rfind(content);
  if (at == std::string::npos) {  // some templates trim
    content = jinja::strip(content, jinja::Sides::both);
    at = prompt.rfind(content);
  }
  if (at == std::string::npos) return prompt;
  prompt.resize(at + content.size());
  prompt.resize(jinja::strip(prompt, jinja::Sides::right).size());
  return prompt;
}

}  // namespace refserver
