// Values travel as the client wrote them; only names are read.
#include "refserver/gateway/scenario_call.hpp"

#include <fmt/format.h>

#include "refserver/api/chat_prompt.hpp"
#include "refserver/api/json_reader.hpp"
#include "refserver/api/json_writer.hpp"
#include "refserver/api/read_request.hpp"
#include "refserver/chat/scenario.hpp"

namespace refserver {
namespace {

void append_member(std::string_view name, std::string_view raw, std::string& out) {
  if (!out.empty()) out += ',';
  append_json_string(name, out);
  out += ':';
  out += raw;
}

/// /v1/generate samples where the client does not say, and details tell how many tokens there were.
std::string rename_parameters(std::string_view body) {
  std::string out;
  bool has_sampling = false;
  JsonReader json(body);
  for (bool open = json.begin_object("struct GatewayRequest"); open && json.next_key();) {
    if (json.key() != "parameters") {
      json.skip_value();
      continue;
    }
    for (bool inner = json.begin_object("struct GenerateParameters"); inner && json.next_key();) {
      const std::string name(json.key() == "max_tokens" ? "max_new_tokens" : json.key());
      const std::string_view raw = json.read_raw();
      if (name == "details") continue;
      has_sampling = has_sampling || name == "do_sample";
      append_member(name, raw, out);
    }
  }
  if (!has_sampling) append_member("do_sample", "true", out);
  append_member("details", "true", out);
  return out;
}

}  // namespace

Result<ScenarioCall, Error> read_scenario_call(std::string_view body) {
  auto request = read_request(Route::gateway, body, Dialect::extended);
  if (!request) return request.error();
  ScenarioCall call;
  call.model = std::move(request->model);
  call.scenario = std::move(request->scenario);
  call.inputs = std::move(request->inputs);
  call.is_stream = request->stream;
  call.wants_details = request->parameters.details;
  call.parameters = rename_parameters(body);
  return call;
}

Result<std::string, Error> make_backend_body(const ScenarioCall& call, const Backend& backend) {
  std::string prompt = call.inputs;
  if (!call.scenario.empty()) {
    auto messages = make_scenario_messages(call.scenario, call.inputs);
    if (!messages) return messages.error();
    if (!prompt.empty()) {  // An empty text is the backend's to refuse.
      ModelInfo texts;
      texts.name = backend.address.name;
      texts.chat_template = backend.chat_template;
      auto rendered = render_chat(texts, *messages, {}, Dialect::extended);
      if (!rendered) return rendered.error();
      prompt = *std::move(rendered);
      // The backend's tokenizer puts it there, as in front of any prompt.
      if (!backend.begin_text.empty() && prompt.starts_with(backend.begin_text))
        prompt.erase(0, backend.begin_text.size());
    }
  }
  std::string out = R"({"inputs":)";
  append_json_string(prompt, out);
  out += R"(,"parameters":{)" + call.parameters + "}}";
  return out;
}

std::optional<std::string> make_scenario_answer(std::string_view body, std::string_view model, bool wants_details) {
  std::string text;
  std::string details;
  std::optional<std::uint64_t> tokens;
  JsonReader json(body);
  for (bool open = json.begin_object("an answer"); open && json.next_key();) {
    if (json.key() == "generated_text" && json.peek() == '"') {
      text = json.read_raw();
    } else if (json.key() == "details" && json.peek() == '{') {
      details = json.read_raw();
    } else {
      json.skip_value();
    }
  }
  JsonReader inside(details);
  for (bool open = !details.empty() && inside.begin_object("details"); open && inside.next_key();) {
    if (inside.key() == "generated_tokens") {
      tokens = inside.read_u64();
    } else {
      inside.skip_value();
    }
  }
  if (json.failed() || inside.failed() || text.empty() || !tokens) return std::nullopt;
  std::string out = R"({"generated_text":)" + text + R"(,"model":)";
  append_json_string(model, out);
  out += fmt::format(R"(,"tokens":{})", *tokens);
  if (wants_details) out += R"(,"details":)" + details;
  return out + '}';
}

}  // namespace refserver
