// The bodies of /v1/chat/completions and /v1/completions, in TGI's reading of them (TGI 3.3.7).
#include "refserver/api/field_reader.hpp"
#include "refserver/api/read_request.hpp"

namespace refserver {
namespace {

/// Members that both routes know, by the number SeenFields uses.
enum Field : std::uint8_t {
  kModel,
  kMaxTokens,
  kTemperature,
  kTopP,
  kFrequencyPenalty,
  kPresencePenalty,
  kRepetitionPenalty,
  kStop,
  kSeed,
  kStream,
  kStreamOptions,
  kLogprobs,
  kTopLogprobs,
  kTools,
  kToolChoice,
  kResponseFormat,
  kLogitBias,
  kMessages,
  kPrompt,
  kSuffix,
  kUnknown
};

Field common_field(std::string_view name) {
  if (name == "model") return kModel;
  if (name == "max_tokens") return kMaxTokens;
  if (name == "temperature") return kTemperature;
  if (name == "top_p") return kTopP;
  if (name == "frequency_penalty") return kFrequencyPenalty;
  if (name == "stop") return kStop;
  if (name == "seed") return kSeed;
  if (name == "stream") return kStream;
  return kUnknown;
}

Field chat_field(std::string_view name) {
  if (name == "messages") return kMessages;
  if (name == "max_completion_tokens") return kMaxTokens;
  if (name == "presence_penalty") return kPresencePenalty;
  if (name == "stream_options") return kStreamOptions;
  if (name == "logprobs") return kLogprobs;
  if (name == "top_logprobs") return kTopLogprobs;
  if (name == "tools") return kTools;
  if (name == "tool_choice") return kToolChoice;
  if (name == "response_format") return kResponseFormat;
  if (name == "logit_bias") return kLogitBias;
  return common_field(name);
}

Field completion_field(std::string_view name) {
  if (name == "prompt") return kPrompt;
  if (name == "repetition_penalty") return kRepetitionPenalty;
  if (name == "suffix") return kSuffix;
  return common_field(name);
}

/// Content given as a list of chunks: texts are joined, anything else is noted.
std::string read_chunks(JsonReader& json, GenerateRequest& request) {
  std::string content;
  for (bool open = json.begin_array(); open && json.next_element();) {
    std::string type;
    for (bool inside = json.begin_object("a message chunk"); inside && json.next_key();) {
      if (json.key() == "type" && json.peek() == '"') {
        type = json.read_string();
      } else if (json.key() == "text" && json.peek() == '"') {
        content += json.read_string();
      } else {
        json.skip_value();
      }
    }
    if (type != "text") request.has_images = true;
  }
  return content;
}

void read_message(JsonReader& json, GenerateRequest& request) {
  Message message;
  bool has_role = false;
  bool has_body = false;
  for (bool open = json.begin_object("struct Message"); open && json.next_key();) {
    const char next = json.peek();
    if (json.key() == "role") {
      message.role = json.read_string();
      has_role = true;
    } else if (json.key() == "content" && next == '"') {
      message.content = json.read_string();
      has_body = true;
    } else if (json.key() == "content" && next == '[') {
      message.content = read_chunks(json, request);
      has_body = true;
    } else {
      has_body = has_body || (json.key() == "tool_calls" && next == '[');
      json.skip_value();
    }
  }
  if (json.failed()) return;
  if (!has_role) return json.fail_missing("role");
  if (!has_body) return json.fail_shape("data did not match any variant of untagged enum MessageBody");
  request.messages.push_back(std::move(message));
}

void read_messages(JsonReader& json, GenerateRequest& request) {
  for (bool open = json.begin_array(); open && json.next_element();) read_message(json, request);
}

void read_stream_options(JsonReader& json, GenerateRequest& request) {
  bool seen = false;
  for (bool open = json.begin_object("struct StreamOptions"); open && json.next_key();) {
    if (json.key() == "include_usage") {
      request.include_usage = json.read_bool();
      seen = true;
    } else {
      json.skip_value();
    }
  }
  if (!json.failed() && !seen) json.fail_missing("include_usage");
}

/// True if the list holds at least one tool, each an object with a function that has parameters.
bool read_tools(JsonReader& json) {
  if (json.try_null() || json.failed()) return false;
  bool any = false;
  for (bool open = json.begin_array(); open && json.next_element();) {
    json.skip_value();
    any = true;
  }
  return any;
}

void read_response_format(JsonReader& json, GenerateRequest& request) {
  if (json.try_null() || json.failed()) return;
  bool has_value = false;
  for (bool open = json.begin_object("internally tagged enum GrammarType"); open && json.next_key();) {
    if (json.key() == "type") {
      const std::string type = json.read_string();
      if (!json.failed() && type != "json" && type != "json_object" && type != "regex" && type != "json_schema") {
        return json.fail_shape("unknown variant `" + type +
                               "`, expected one of `json`, `json_object`, `regex`, `json_schema`");
      }
    } else {
      has_value = has_value || json.key() == "value";
      json.skip_value();
    }
  }
  if (!json.failed() && !has_value) json.fail_missing("value");
  request.parameters.has_grammar = true;
}

void read_prompt(JsonReader& json, GenerateRequest& request) {
  if (json.peek() != '[') {
    request.inputs = json.read_string();
    return;
  }
  std::vector<std::string> prompts = read_strings(json);
  request.prompts = prompts.size();
  if (json.failed()) return;
  if (prompts.empty()) return json.fail_shape("Empty array detected. Do not use an empty array for the prompt.");
  request.inputs = std::move(prompts.front());
}

void read_floats(JsonReader& json) {
  if (json.try_null() || json.failed()) return;
  for (bool open = json.begin_array(); open && json.next_element();) json.read_f32();
}

void read_field(JsonReader& json, Field field, GenerateRequest& request) {
  GenerateParameters& p = request.parameters;
  switch (field) {
    case kModel:
      request.model = read_optional(json, [](JsonReader& j) { return j.read_string(); }).value_or("");
      return;
    case kMaxTokens:
      p.max_new_tokens = read_optional_u32(json);
      return;
    case kTemperature:
      p.temperature = read_optional_f32(json);
      return;
    case kTopP:
      p.top_p = read_optional_f32(json);
      return;
    case kFrequencyPenalty:
      p.frequency_penalty = read_optional_f32(json);
      return;
    case kPresencePenalty:
      // TGI's own translation; -2 becomes 0, which validation refuses.
      if (const auto penalty = read_optional_f32(json)) p.repetition_penalty = *penalty + 2.0F;
      return;
    case kRepetitionPenalty:
      p.repetition_penalty = read_optional_f32(json);
      return;
    case kStop:
      p.stop = read_optional(json, [](JsonReader& j) { return read_strings(j); }).value_or(p.stop);
      return;
    case kSeed:
      p.seed = read_optional_u64(json);
      return;
    case kStream:
      request.stream = json.read_bool();
      return;
    case kStreamOptions:
      read_stream_options(json, request);
      return;
    case kLogprobs:
      request.logprobs = read_optional_bool(json).value_or(false);
      return;
    case kTopLogprobs:
      p.top_n_tokens = read_optional_u32(json);
      return;
    case kTools:
      request.has_tools = read_tools(json);
      return;
    case kResponseFormat:
      read_response_format(json, request);
      return;
    case kLogitBias:
      read_floats(json);
      return;
    case kMessages:
      read_messages(json, request);
      return;
    case kPrompt:
      read_prompt(json, request);
      return;
    case kSuffix:
      request.has_suffix = read_optional(json, [](JsonReader& j) { return j.read_string(); }).has_value();
      return;
    case kToolChoice:
    case kUnknown:
      json.skip_value();
      return;
  }
}

/// TGI samples on these routes unless the temperature is exactly 0, which means greedy.
void settle_sampling(GenerateParameters& parameters) {
  parameters.do_sample = parameters.temperature != 0.0F;
  if (!parameters.do_sample) parameters.temperature.reset();
}

}  // namespace

void read_chat_body(JsonReader& json, GenerateRequest& request) {
  SeenFields seen;
  bool drops_tools = false;
  for (bool open = json.begin_object("struct ChatRequest"); open && json.next_key();) {
    const Field field = chat_field(json.key());
    if (field != kUnknown && !seen.first_time(json, field)) return;
    if (field == kToolChoice && json.peek() == '"') {
      drops_tools = json.read_string() == "none";
    } else {
      read_field(json, field, request);
    }
  }
  if (!json.failed() && !seen.has(kMessages)) json.fail_missing("messages");
  request.has_tools = request.has_tools && !drops_tools;
  settle_sampling(request.parameters);
}

void read_completion_body(JsonReader& json, GenerateRequest& request) {
  SeenFields seen;
  for (bool open = json.begin_object("struct CompletionRequest"); open && json.next_key();) {
    const Field field = completion_field(json.key());
    if (field != kUnknown && !seen.first_time(json, field)) return;
    read_field(json, field, request);
  }
  if (!json.failed() && !seen.has(kPrompt)) json.fail_missing("prompt");
  settle_sampling(request.parameters);
}

}  // namespace refserver
