// From a body to the generations it asks for: the model, templates and tools. What fails here fails before a stream
// begins, in the words of TGI 3.3.7 where TGI has such a failure.
#include <fmt/format.h>

#include <algorithm>

#include "refserver/api/chat_prompt.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/chat/scenario.hpp"

namespace refserver {
namespace {

Error tool_error(std::string_view text) {
  return {ErrorType::tool_error, fmt::format("Tool error: {}", text)};
}

/// TGI turns the tools to be used into a grammar; without grammars, validation then refuses the request in TGI's words.
std::optional<Error> settle_tools(GenerateRequest& request) {
  ToolUse& tools = request.tools;
  if (!tools.is_given) return std::nullopt;
  if (request.parameters.has_grammar) return tool_error("Grammar and tools are mutually exclusive");
  if (tools.choice == ToolUse::Choice::named &&
      std::find(tools.names.begin(), tools.names.end(), tools.chosen) == tools.names.end()) {
    return tool_error(fmt::format("Tool with name {} not found", tools.chosen));
  }
  const bool are_dropped =
      tools.choice == ToolUse::Choice::none || (tools.choice == ToolUse::Choice::required && tools.names.empty());
  if (are_dropped) {
    tools = {};
  } else {
    request.parameters.has_grammar = true;
  }
  return std::nullopt;
}

}  // namespace

std::size_t Validator::choose_model(const GenerateRequest& request) const {
  // In TGI `model` names an adapter, and an unknown adapter means the one model there is.
  if (is_strict() && request.route != Route::gateway) return 0;
  const std::size_t found = find_model(models_, request.model);
  return found < models_.size() ? found : 0;
}

std::optional<Error> Validator::refuse_body(const GenerateRequest& request) const {
  if (request.route == Route::gateway && find_model(models_, request.model) == models_.size()) {
    std::string names;
    for (const ModelInfo& model : models_) names += (names.empty() ? "" : ", ") + model.name;
    return Error{ErrorType::model_not_found,
                 fmt::format("unknown model_id `{}`, expected one of: {}", request.model, names)};
  }
  if (request.has_suffix) {
    return Error{ErrorType::suffix_not_supported,
                 "Suffix is not supported and can be achieved by preprocessing the prompt."};
  }
  if (request.prompts.size() > limits_.max_client_batch_size) {
    return Error{
        ErrorType::batch_size_exceeded,
        fmt::format("Number of prompts exceeds the maximum allowed batch size of {}", limits_.max_client_batch_size)};
  }
  if (request.route == Route::vertex && request.instances.empty()) {
    return Error{ErrorType::no_instances, "Input validation error"};
  }
  if (request.has_images && !is_strict()) {
    return Error{ErrorType::validation,
                 "Input validation error: `messages` with content other than text is not supported by this server"};
  }
  return std::nullopt;
}

std::optional<Error> Validator::render(GenerateRequest& request) const {
  const ModelInfo& model = models_[request.model_index];
  const bool is_chat_body = !request.adds_special_tokens;
  if (is_chat_body) {
    if (auto error = settle_tools(request)) return error;
    auto prompt = render_chat(model, request.messages, request.tools, limits_.dialect);
    if (!prompt) return prompt.error();
    request.inputs = std::move(*prompt);
    request.messages.clear();
  } else if (!request.scenario.empty()) {
    auto messages = make_scenario_messages(request.scenario, request.inputs);
    if (!messages) return messages.error();
    // An empty text stays empty, so that it is refused as such instead of hiding behind the scenario's words.
    if (request.inputs.empty()) return std::nullopt;
    auto prompt = render_chat(model, *messages, {}, Dialect::extended);
    if (!prompt) return prompt.error();
    request.inputs = std::move(*prompt);
    request.adds_special_tokens = false;
  }
  return std::nullopt;
}

Result<std::vector<GenerateRequest>, Error> Validator::prepare(GenerateRequest request,
                                                               std::optional<std::size_t> only_model) const {
  if (auto error = refuse_body(request)) return *error;
  request.model_index = only_model.value_or(choose_model(request));
  std::vector<GenerateRequest> out;
  if (request.route == Route::vertex) {
    for (GenerateRequest& instance : request.instances) {
      instance.model_index = request.model_index;
      out.push_back(std::move(instance));
    }
  } else if (request.route == Route::completions) {
    std::vector<std::string> prompts = std::move(request.prompts);
    // TGI asks for prompt details here, which keeps its prefix cache from being read; no one sees them.
    request.parameters.decoder_input_details = is_strict() && !request.stream;
    for (std::size_t i = 0; i + 1 < prompts.size(); ++i) {
      out.push_back(request);
      out.back().inputs = std::move(prompts[i]);
    }
    request.inputs = std::move(prompts.back());
    out.push_back(std::move(request));
  } else {
    out.push_back(std::move(request));
  }
  for (GenerateRequest& one : out) {
    if (auto error = render(one)) return *error;
  }
  return out;
}

}  // namespace refserver
