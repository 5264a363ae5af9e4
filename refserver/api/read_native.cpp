// TGI's own bodies (/, /generate, /generate_stream, /tokenize) and the gateway's, which share their parameters.
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
  kFieldCount,  ///< of TGI's own
  kIgnoreEos = kFieldCount,
  kMinTokens,
  kUnknown
};

/// In the order TGI declares them, which is the order of a body that comes as an array.
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

std::size_t field_of(std::string_view name, Route route, Dialect dialect) {
  if (route == Route::gateway && name == "max_tokens") return kMaxNewTokens;
  for (std::size_t i = 0; i < kFieldNames.size(); ++i) {
    if (kFieldNames[i] == name) return i;
  }
  if (dialect == Dialect::extended) {
    if (name == "ignore_eos") return kIgnoreEos;
    if (name == "min_tokens" || name == "min_new_tokens") return kMinTokens;
  }
  return kUnknown;
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
    case kIgnoreEos:
      p.ignore_eos = json.read_bool();
      return;
    case kMinTokens:
      p.min_tokens = read_optional_u32(json);
      return;
    default:
      json.skip_value();
      return;
  }
}

enum BodyField : std::uint8_t { kInputs, kParameters, kStream, kScenario };

/// Members all of these bodies know; false if this one is not among them and nothing was read.
bool read_common_member(JsonReader& json, SeenFields& seen, Dialect dialect, GenerateRequest& request) {
  if (json.key() == "inputs") {
    if (seen.first_time(json, kInputs)) request.inputs = json.read_string();
  } else if (json.key() == "parameters") {
    request.parameters.do_sample = false;
    if (seen.first_time(json, kParameters)) read_parameters(json, request.route, dialect, request.parameters);
  } else if (json.key() == "stream" && (request.route == Route::compat || request.route == Route::gateway)) {
    if (seen.first_time(json, kStream)) request.stream = json.read_bool();
  } else {
    return false;
  }
  return true;
}

void read_json_schema(JsonReader& json) {
  bool has_schema = false;
  for (bool open = json.begin_object("struct JsonSchemaConfig"); open && json.next_key();) {
    has_schema = has_schema || json.key() == "schema";
    json.skip_value();
  }
  if (!json.failed() && !has_schema) json.fail_missing("schema");
}

}  // namespace

bool read_grammar(JsonReader& json) {
  if (json.try_null() || json.failed()) return false;
  std::string type;
  bool has_value = false;
  for (bool open = json.begin_object("adjacently tagged enum GrammarType"); open && json.next_key();) {
    if (json.key() == "type") {
      type = json.read_string();
      if (!json.failed() && type != "json" && type != "json_object" && type != "regex" && type != "json_schema") {
        json.fail_shape("unknown variant `" + type +
                        "`, expected one of `json`, `json_object`, `regex`, `json_schema`");
      }
    } else if (json.key() == "value") {
      has_value = true;
      if (type == "regex") {
        json.read_string();
      } else if (type == "json_schema") {
        read_json_schema(json);
      } else {
        json.skip_value();
      }
    } else {
      json.skip_value();
    }
  }
  if (!json.failed() && type.empty()) json.fail_missing("type");
  if (!json.failed() && !has_value) json.fail_missing("value");
  return true;
}

void read_parameters(JsonReader& json, Route route, Dialect dialect, GenerateParameters& parameters) {
  SeenFields seen;
  for (bool open = json.begin_struct("GenerateParameters", kFieldNames, 0); open && json.next_key();) {
    const std::size_t field = field_of(json.key(), route, dialect);
    if (field != kUnknown && !seen.first_time(json, field)) return;
    read_parameter(json, field, parameters);
  }
}

void read_native_body(JsonReader& json, Dialect dialect, GenerateRequest& request) {
  static constexpr std::array<std::string_view, 3> kFields = {"inputs", "parameters", "stream"};
  const bool is_compat = request.route == Route::compat;
  request.stream = request.route == Route::generate_stream;
  request.parameters.do_sample = true;  // TGI's default when `parameters` is left out altogether
  SeenFields seen;
  const std::span<const std::string_view> fields(kFields.data(), is_compat ? 3 : 2);
  for (bool open = json.begin_struct(is_compat ? "CompatGenerateRequest" : "GenerateRequest", fields, 1);
       open && json.next_key();) {
    if (read_common_member(json, seen, dialect, request)) continue;
    if (dialect == Dialect::extended && (json.key() == "model_id" || json.key() == "model")) {
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
    if (read_common_member(json, seen, Dialect::extended, request)) continue;
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

}  // namespace refserver
