// The answers that are not generated text: error bodies, /info, /v1/models, tokens of a text, and what ours are called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/error.hpp"

namespace refserver {

/// HTTP status of an error outside a stream.
int http_status(ErrorType type);

/// Body-layer errors are plain text in TGI, all others {"error":..,"error_type":..}.
struct ErrorBody {
  std::string_view content_type;
  std::string body;
};
ErrorBody make_error_body(const Error& error);

/// What /info tells beside the model and the limits.
struct ServerFacts {
  std::uint32_t max_concurrent_requests = 128;
  std::uint32_t validation_workers = 2;
};
/// /info of one model (TGI 3.3.7).
std::string make_info(const ModelInfo& model, const RequestLimits& limits, const ServerFacts& facts);

/// /v1/models: every model by its served name.
std::string make_model_list(std::span<const ModelInfo> models);

/// /api-doc/openapi.json: our routes and what they take, small enough to read.
std::string make_openapi(Dialect dialect);

/// /docs: a page that shows the same.
std::string make_docs_page();

}  // namespace refserver
