// The answers that are not generated text: error bodies, /info and /v1/models.
#pragma once

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

/// /info of the first model (TGI 3.3.7).
std::string make_info(const ModelInfo& model, const RequestLimits& limits, std::uint32_t max_concurrent_requests);

/// /v1/models: every model by its served name.
std::string make_model_list(std::span<const ModelInfo> models);

}  // namespace refserver
