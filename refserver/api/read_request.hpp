// Bodies to requests: the only place that reads a client's JSON. Checks shape, not values: see validate.hpp.
#pragma once

#include <string_view>

#include "refserver/api/generate_request.hpp"
#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// Reads the body of `route`. Errors are body_malformed and body_shape with TGI's text (TGI 3.3.7).
/// Unknown members are ignored; on TGI's own routes a string `model_id` or `model` chooses the model.
Result<GenerateRequest, Error> read_request(Route route, std::string_view body);

class JsonReader;
/// The reader behind each shape; `request.route` is set. Errors stay in the reader.
void read_native_body(JsonReader& json, GenerateRequest& request);
void read_chat_body(JsonReader& json, GenerateRequest& request);
void read_completion_body(JsonReader& json, GenerateRequest& request);
void read_gateway_body(JsonReader& json, GenerateRequest& request);

}  // namespace refserver
