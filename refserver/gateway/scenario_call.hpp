// /v1/generate in TGI's words: a body that names a model and a scenario becomes one of /generate or /generate_stream,
// and the answer gets the members that /v1/generate adds. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/error.hpp"
#include "refserver/gateway/backend.hpp"
#include "refserver/result.hpp"

namespace refserver {

struct ScenarioCall {
  std::string model;  ///< as the client wrote it
  std::string scenario;
  std::string inputs;
  std::string parameters;  ///< the members of `parameters` as the client wrote them, under TGI's names, without braces
  bool is_stream = false;
  bool wants_details = false;
};

/// Errors are those that refserver itself gives for such a body.
Result<ScenarioCall, Error> read_scenario_call(std::string_view body);

/// The body for the backend's /generate or /generate_stream. Errors: unknown_scenario, template_error.
Result<std::string, Error> make_backend_body(const ScenarioCall& call, const Backend& backend);

/// The answer of /generate with `model` and `tokens`; empty where `body` is not such an answer.
std::optional<std::string> make_scenario_answer(std::string_view body, std::string_view model, bool wants_details);

}  // namespace refserver
