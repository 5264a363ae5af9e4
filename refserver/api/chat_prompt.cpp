// Builds what the template sees, and cuts what it made where the answer is to go on.
#include "refserver/api/chat_prompt.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "refserver/chat/chat_template.hpp"

namespace refserver {
namespace {

using nlohmann::ordered_json;

/// The reader checked the syntax, so a failure here is a number too large for the library or the like.
std::optional<Error> parse(const std::string& text, ordered_json& out) {
  out = ordered_json::parse(text, nullptr, false);
  if (!out.is_discarded()) return std::nullopt;
  return Error{ErrorType::template_error, "Template error: tools or tool calls are unreadable"};
}

/// TGI shows tool calls as the message's content: their JSON, with the arguments as a text.
std::string calls_as_content(const ordered_json& calls) {
  ordered_json out = ordered_json::array();
  for (const ordered_json& call : calls) {
    const ordered_json& function = call.at("function");
    const auto arguments = function.contains("arguments") ? function.at("arguments") : function.at("parameters");
    const ordered_json description = function.contains("description") ? function.at("description") : ordered_json();
    out.push_back(
        {{"id", call.at("id")},
         {"type", call.at("type")},
         {"function", {{"description", description}, {"name", function.at("name")}, {"arguments", arguments.dump()}}}});
  }
  return out.dump();
}

std::optional<Error> append_message(const Message& message, Dialect dialect, ordered_json& list) {
  ordered_json& out = list.emplace_back();
  out = {{"role", message.role}, {"content", message.content}};
  const bool is_strict = dialect == Dialect::strict_tgi;
  if (!is_strict && !message.name.empty()) out["name"] = message.name;
  if (!is_strict && !message.tool_call_id.empty()) out["tool_call_id"] = message.tool_call_id;
  if (message.tool_calls.empty() || (is_strict && message.has_content)) return std::nullopt;
  ordered_json calls;
  if (auto error = parse(message.tool_calls, calls)) return error;
  if (is_strict) {
    out["content"] = calls_as_content(calls);
  } else {
    out["tool_calls"] = std::move(calls);
  }
  return std::nullopt;
}

}  // namespace

Result<std::string, Error> render_chat(const ModelInfo& model, std::span<const Message> messages, const ToolUse& tools,
                                       Dialect dialect) {
  if (!model.chat_template) return Error{ErrorType::template_error, "Template error: template not found"};
  ordered_json list = ordered_json::array();
  for (const Message& message : messages) {
    if (auto error = append_message(message, dialect, list)) return *error;
  }
  ordered_json definitions;
  if (tools.is_given) {
    if (auto error = parse(tools.definitions, definitions)) return *error;
  }
  auto prompt = model.chat_template->render({list, tools.is_given ? &definitions : nullptr});
  if (!prompt) {
    return Error{ErrorType::template_error, fmt::format("Template error: syntax error: {}", prompt.error().text)};
  }
  if (messages.empty() || messages.back().role != "assistant") return prompt;
  return cut_after_content(std::move(*prompt), list.back().at("content").get<std::string>());
}

}  // namespace refserver
