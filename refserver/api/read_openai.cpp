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
  kToolPrompt,
  kResponseFormat,
  kCount,
  kIgnoreEos,
  kMinTokens,
  kLogitBias,
  kMessages,
  kPrompt,
  kSuffix,
  kUnknown
};

Field common_field(std::string_view name, Dialect dialect) {
  if (dialect == Dialect::extended && name == "ignore_eos") return kIgnoreEos;
  if (dialect == Dialect::extended && name == "min_tokens") return kMinTokens;
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

Field chat_field(std::string_view name, Dialect dialect) {
  if (name == "messages") return kMessages;
  if (name == "max_completion_tokens") return kMaxTokens;
  if (name == "presence_penalty") return kPresencePenalty;
  if (name == "stream_options") return kStreamOptions;
  if (name == "logprobs") return kLogprobs;
  if (name == "top_logprobs") return kTopLogprobs;
  if (name == "tools") return kTools;
  if (name == "tool_choice") return kToolChoice;
  if (name == "tool_prompt") return kToolPrompt;
  if (name == "n") return kCount;
  if (name == "response_format") return kResponseFormat;
  if (name == "logit_bias") return kLogitBias;
  return common_field(name, dialect);
}

Field completion_field(std::string_view name, Dialect dialect) {
  if (name == "prompt") return kPrompt;
  if (name == "repetition_penalty") return kRepetitionPenalty;
  if (name == "suffix") return kSuffix;
  return common_field(name, dialect);
}

void read_stream_options(JsonReader& json, GenerateRequest& request) {
  static constexpr std::string_view kFields[] = {"include_usage"};
  for (bool open = json.begin_struct("StreamOptions", kFields, 0); open && json.next_key();) {
    if (json.key() == "include_usage") {
      request.include_usage = json.read_bool();
    } else {
      json.skip_value();
    }
  }
}

/// One prompt, or a list of them that is not empty.
void read_prompt(JsonReader& json, GenerateRequest& request) {
  const std::string_view raw = json.read_raw();
  if (json.failed()) return;
  JsonReader prompt(raw);
  if (prompt.peek() == '[') {
    request.prompts = read_strings(prompt);
    if (!prompt.failed() && request.prompts.empty()) {
      return json.fail_after("Empty array detected. Do not use an empty array for the prompt.");
    }
  } else {
    request.prompts.push_back(prompt.read_string());
  }
  if (prompt.failed()) json.fail_after("data did not match any variant of untagged enum PromptDeserializer");
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
      read_tools(json, request.tools);
      return;
    case kToolChoice:
      read_tool_choice(json, request.tools);
      return;
    case kToolPrompt:
      request.tools.prompt = read_optional(json, [](JsonReader& j) { return j.read_string(); }).value_or("");
      return;
    case kResponseFormat:
      p.has_grammar = read_grammar(json);
      return;
    case kCount:
      read_optional_u32(json);
      return;
    case kIgnoreEos:
      p.ignore_eos = read_optional_bool(json).value_or(false);
      return;
    case kMinTokens:
      p.min_tokens = read_optional_u32(json);
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
    case kUnknown:
      json.skip_value();
      return;
  }
}

/// In the order TGI declares them, which is the order of a body that comes as an array.
constexpr std::string_view kChatFields[] = {"model",         "messages",    "frequency_penalty",
                                            "logit_bias",    "logprobs",    "top_logprobs",
                                            "max_tokens",    "n",           "presence_penalty",
                                            "stop",          "stream",      "seed",
                                            "temperature",   "top_p",       "tools",
                                            "tool_prompt",   "tool_choice", "response_format",
                                            "stream_options"};
constexpr std::string_view kCompletionFields[] = {
    "model", "prompt", "max_tokens",         "temperature",       "top_p", "stream",
    "seed",  "suffix", "repetition_penalty", "frequency_penalty", "stop"};
constexpr std::size_t kRequiredChatFields = 12;  // an array must reach the last field without a default: seed
constexpr std::size_t kRequiredCompletionFields = 7;

}  // namespace

void settle_sampling(GenerateParameters& parameters) {
  parameters.do_sample = parameters.temperature != 0.0F;
  if (!parameters.do_sample) parameters.temperature.reset();
}

void read_chat_body(JsonReader& json, Dialect dialect, GenerateRequest& request) {
  SeenFields seen;
  for (bool open = json.begin_struct("ChatRequest", kChatFields, kRequiredChatFields); open && json.next_key();) {
    const Field field = chat_field(json.key(), dialect);
    const std::string_view name = field == kMaxTokens ? "max_tokens" : "";
    if (field != kUnknown && !seen.first_time(json, field, name)) return;
    read_field(json, field, request);
  }
  if (!json.failed() && !seen.has(kMessages)) json.fail_missing("messages");
  request.adds_special_tokens = false;
  settle_sampling(request.parameters);
}

void read_completion_body(JsonReader& json, Dialect dialect, GenerateRequest& request) {
  SeenFields seen;
  for (bool open = json.begin_struct("CompletionRequest", kCompletionFields, kRequiredCompletionFields);
       open && json.next_key();) {
    const Field field = completion_field(json.key(), dialect);
    if (field != kUnknown && !seen.first_time(json, field)) return;
    read_field(json, field, request);
  }
  if (!json.failed() && !seen.has(kPrompt)) json.fail_missing("prompt");
  settle_sampling(request.parameters);
}

}  // namespace refserver
