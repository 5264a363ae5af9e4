// Bodies to requests: the only place that reads a client's JSON. Checks shape, not values: see validate.hpp.
#pragma once

#include <string_view>

#include "refserver/api/generate_request.hpp"
#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// Reads the body of `route`. Errors are body_malformed and body_shape with TGI's text (TGI 3.3.7).
/// Unknown members are ignored. In the extended dialect a string `model_id` or `model` chooses the model on TGI's own
/// routes, and `ignore_eos` and `min_tokens` are known; in the strict one they are unknown members.
Result<GenerateRequest, Error> read_request(Route route, std::string_view body, Dialect dialect = Dialect::extended);

class JsonReader;
/// The reader behind each shape; `request.route` is set. Errors stay in the reader.
void read_native_body(JsonReader& json, Dialect dialect, GenerateRequest& request);
void read_gateway_body(JsonReader& json, GenerateRequest& request);
void read_chat_body(JsonReader& json, Dialect dialect, GenerateRequest& request);
void read_completion_body(JsonReader& json, Dialect dialect, GenerateRequest& request);
void read_vertex_body(JsonReader& json, Dialect dialect, GenerateRequest& request);
/// Takes the first of the native, chat and completion shapes that fits; sets `request.route`.
void read_invocation_body(JsonReader& json, Dialect dialect, std::string_view body, GenerateRequest& request);

/// Parts that several shapes share.
void read_parameters(JsonReader& json, Route route, Dialect dialect, GenerateParameters& parameters);
/// A grammar or response format that is not null: true, its shape checked.
bool read_grammar(JsonReader& json);
void read_messages(JsonReader& json, GenerateRequest& request);
void read_tools(JsonReader& json, ToolUse& tools);
void read_tool_choice(JsonReader& json, ToolUse& tools);
/// TGI samples on OpenAI routes unless the temperature is exactly 0, which means greedy.
void settle_sampling(GenerateParameters& parameters);

}  // namespace refserver
