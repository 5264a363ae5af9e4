// TGI's own bodies (/, /generate, /generate_stream) and the gateway's, which share their parameters.
#include <array>

#include "refserver/api/field_reader.hpp"
#include "refserver/api/read_request.hpp"

namespace refserver {
namespace {

enum Field : std::uint8_t {
  kBestOf,
  kTemperature,
  kRepetitionPenalty,
  kFrequencyPenalty,
  kTopK,
  kTopP,
  kTypicalP,
  kDoSample,
  kMaxNewTokens,
  kReturnFullText,
  kStop,
  kTruncate,
  kWatermark,
  kDetails,
  kDecoderInputDetails,
  kSeed,
  kTopNTokens,
  kGrammar,
  kAdapterId,
  kFieldCount
};

constexpr std::array<std::string_view, kFieldCount> kFieldNames = {"best_of",
                                                                   "temperature",
                                                                   "repetition_penalty",
                                                                   "frequency_penalty",
                                                                   "top_k",
                                                                   "top_p",
                                                                   "typical_p",
                                                                   "do_sample",
                                                                   "max_new_tokens",
                                                                   "return_full_text",
                                                                   "stop",
                                                                   "truncate",
                                                                   "watermark",
                                                                   "details",
                                                                   "decoder_input_details",
                                                                   "seed",
                                                                   "top_n_tokens",
                                                                   "grammar",
                                                                   "adapter_id"};

std::size_t field_of(std::string_view name, bool is_gateway) {
  if (is_gateway && name == "max_tokens") return kMaxNewTokens;
  for (std::size_t i = 0; i < kFieldNames.size(); ++i) {
    if (kFieldNames[i] == name) return i;
  }
  return kFieldCount;
}

/// A grammar is only noticed: its `type` and `value` must be there, as TGI insists.
bool read_grammar(JsonReader& json) {
  if (json.try_null() || json.failed()) return false;
  bool has_type = false;
  bool has_value = false;
  for (bool open = json.begin_object("internally tagged enum GrammarType"); open && json.next_key();) {
    has_type = has_type || json.key() == "type";
    has_value = has_value || json.key() == "value";
    json.skip_value();
  }
  if (!json.failed() && !has_type) json.fail_missing("type");
  if (!json.failed() && !has_value) json.fail_missing("value");
  return true;
}

void read_parameter(JsonReader& json, std::size_t field, GenerateParameters& p) {
  switch (field) {
    case kBestOf:
      p.best_of = read_optional_usize(json);
      return;
    case kTemperature:
      p.temperature = read_optional_f32(json);
      return;
    case kRepetitionPenalty:
      p.repetition_penalty = read_optional_f32(json);
      return;
    case kFrequencyPenalty:
      p.frequency_penalty = read_optional_f32(json);
      return;
    case kTopK:
      p.top_k = read_optional(json, [](JsonReader& j) { return j.read_i32(); });
      return;
    case kTopP:
      p.top_p = read_optional_f32(json);
      return;
    case kTypicalP:
      p.typical_p = read_optional_f32(json);
      return;
    case kDoSample:
      p.do_sample = json.read_bool();
      return;
    case kMaxNewTokens:
      p.max_new_tokens = read_optional_u32(json);
      return;
    case kReturnFullText:
      p.return_full_text = read_optional_bool(json);
      return;
    case kStop:
      p.stop = read_strings(json);
      return;
    case kTruncate:
      p.truncate = read_optional_usize(json);
      return;
    case kWatermark:
      p.watermark = json.read_bool();
      return;
    case kDetails:
      p.details = json.read_bool();
      return;
    case kDecoderInputDetails:
      p.decoder_input_details = json.read_bool();
      return;
    case kSeed:
      p.seed = read_optional_u64(json);
      return;
    case kTopNTokens:
      p.top_n_tokens = read_optional_u32(json);
      return;
    case kGrammar:
      p.has_grammar = read_grammar(json);
      return;
    case kAdapterId:
      read_optional(json, [](JsonReader& j) { return j.read_string(); });
      return;
    default:
      json.skip_value();
      return;
  }
}

void read_parameters(JsonReader& json, bool is_gateway, GenerateParameters& parameters) {
  SeenFields seen;
  for (bool open = json.begin_object("struct GenerateParameters"); open && json.next_key();) {
    const std::size_t field = field_of(json.key(), is_gateway);
    if (field < kFieldCount && !seen.first_time(json, field)) return;
    read_parameter(json, field, parameters);
  }
}

enum BodyField : std::uint8_t { kInputs, kParameters, kStream, kScenario };

/// Members all of these bodies know; false if this one is not among them and nothing was read.
bool read_common_member(JsonReader& json, SeenFields& seen, GenerateRequest& request) {
  if (json.key() == "inputs") {
    if (seen.first_time(json, kInputs)) request.inputs = json.read_string();
  } else if (json.key() == "parameters") {
    request.parameters.do_sample = false;
    if (seen.first_time(json, kParameters)) {
      read_parameters(json, request.route == Route::gateway, request.parameters);
    }
  } else if (json.key() == "stream" && (request.route == Route::compat || request.route == Route::gateway)) {
    if (seen.first_time(json, kStream)) request.stream = json.read_bool();
  } else {
    return false;
  }
  return true;
}

}  // namespace

void read_native_body(JsonReader& json, GenerateRequest& request) {
  const bool is_compat = request.route == Route::compat;
  request.stream = request.route == Route::generate_stream;
  request.parameters.do_sample = true;  // TGI's default when `parameters` is left out altogether
  SeenFields seen;
  for (bool open = json.begin_object(is_compat ? "struct CompatGenerateRequest" : "struct GenerateRequest");
       open && json.next_key();) {
    if (read_common_member(json, seen, request)) continue;
    if (json.key() == "model_id" || json.key() == "model") {
      read_model_choice(json, request.model);
    } else {
      json.skip_value();
    }
  }
  if (!json.failed() && !seen.has(kInputs)) json.fail_missing("inputs");
}

void read_gateway_body(JsonReader& json, GenerateRequest& request) {
  constexpr std::size_t kModelId = 4;
  request.parameters.do_sample = true;
  SeenFields seen;
  for (bool open = json.begin_object("struct GatewayRequest"); open && json.next_key();) {
    if (read_common_member(json, seen, request)) continue;
    if (json.key() == "model_id") {
      if (seen.first_time(json, kModelId)) request.model = json.read_string();
    } else if (json.key() == "scenario") {
      if (!seen.first_time(json, kScenario)) return;
      request.scenario = read_optional(json, [](JsonReader& j) { return j.read_string(); }).value_or("");
    } else {
      json.skip_value();
    }
  }
  if (!json.failed() && !seen.has(kModelId)) json.fail_missing("model_id");
  if (!json.failed() && !seen.has(kInputs)) json.fail_missing("inputs");
}

Result<GenerateRequest, Error> read_request(Route route, std::string_view body) {
  GenerateRequest request;
  request.route = route;
  JsonReader json(body);
  switch (route) {
    case Route::compat:
    case Route::generate:
    case Route::generate_stream:
      read_native_body(json, request);
      break;
    case Route::chat:
      read_chat_body(json, request);
      break;
    case Route::completions:
      read_completion_body(json, request);
      break;
    case Route::gateway:
      read_gateway_body(json, request);
      break;
  }
  if (json.failed()) return json.error();
  return request;
}

}  // namespace refserver
