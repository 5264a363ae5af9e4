// Which reader a route has; the two bodies that are one of several shapes.
#include "refserver/api/read_request.hpp"

#include "refserver/api/field_reader.hpp"

namespace refserver {
namespace {

/// {"inputs","parameters"}, of which only max_new_tokens and seed count; sampling is forced on.
bool read_vertex_generation(std::string_view raw, Dialect dialect, GenerateRequest& instance) {
  JsonReader json(raw);
  GenerateParameters given;
  bool has_inputs = false;
  SeenFields seen;
  for (bool open = json.begin_object("struct GenerateVertexInstance"); open && json.next_key();) {
    if (json.key() == "inputs") {
      if (seen.first_time(json, 0)) instance.inputs = json.read_string();
      has_inputs = true;
    } else if (json.key() == "parameters") {
      if (seen.first_time(json, 1) && !json.try_null()) read_parameters(json, Route::vertex, dialect, given);
    } else {
      json.skip_value();
    }
  }
  instance.route = Route::vertex;
  instance.parameters.do_sample = true;
  instance.parameters.max_new_tokens = given.max_new_tokens;
  instance.parameters.seed = given.seed;
  instance.parameters.decoder_input_details = true;
  return has_inputs && !json.failed();
}

bool read_vertex_chat(std::string_view raw, Dialect dialect, GenerateRequest& instance) {
  JsonReader json(raw);
  read_chat_body(json, dialect, instance);
  instance.stream = false;
  instance.route = Route::vertex;
  return !json.failed();
}

}  // namespace

void read_vertex_body(JsonReader& json, Dialect dialect, GenerateRequest& request) {
  static constexpr std::string_view kFields[] = {"instances"};
  SeenFields seen;
  for (bool open = json.begin_struct("VertexRequest", kFields, 1); open && json.next_key();) {
    if (json.key() != "instances") {
      json.skip_value();
      continue;
    }
    if (!seen.first_time(json, 0)) return;
    for (bool inside = json.begin_array(); inside && json.next_element();) {
      const std::string_view raw = json.read_raw();
      if (json.failed()) return;
      GenerateRequest instance;
      if (!read_vertex_generation(raw, dialect, instance)) {
        instance = {};
        instance.route = Route::chat;
        if (!read_vertex_chat(raw, dialect, instance)) {
          return json.fail_after("data did not match any variant of untagged enum VertexInstance");
        }
      }
      request.instances.push_back(std::move(instance));
    }
  }
  if (!json.failed() && !seen.has(0)) json.fail_missing("instances");
}

void read_invocation_body(JsonReader& json, Dialect dialect, std::string_view body, GenerateRequest& request) {
  json.skip_value();  // bad syntax is told as such, whichever shape was meant
  if (json.failed()) return;
  for (const Route route : {Route::compat, Route::chat, Route::completions}) {
    JsonReader attempt(body);
    request = {};
    request.route = route;
    if (route == Route::compat) read_native_body(attempt, dialect, request);
    if (route == Route::chat) read_chat_body(attempt, dialect, request);
    if (route == Route::completions) read_completion_body(attempt, dialect, request);
    if (!attempt.failed()) return;
  }
  json.fail_unplaced("data did not match any variant of untagged enum SagemakerRequest");
}

Result<GenerateRequest, Error> read_request(Route route, std::string_view body, Dialect dialect) {
  GenerateRequest request;
  request.route = route;
  JsonReader json(body);
  switch (route) {
    case Route::compat:
    case Route::generate:
    case Route::generate_stream:
    case Route::tokenize:
      read_native_body(json, dialect, request);
      break;
    case Route::chat:
    case Route::chat_tokenize:
      read_chat_body(json, dialect, request);
      break;
    case Route::completions:
      read_completion_body(json, dialect, request);
      break;
    case Route::gateway:
      read_gateway_body(json, request);
      break;
    case Route::vertex:
      read_vertex_body(json, dialect, request);
      break;
    case Route::invocations:
      read_invocation_body(json, dialect, body, request);
      break;
  }
  if (json.failed()) return json.error();
  return request;
}

}  // namespace refserver
