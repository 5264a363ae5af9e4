// The one enum of errors of this folder, and an error with its text. Labels are fixed: metrics and the wire use them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace refserver {

enum class ErrorType : std::uint8_t {
  body_malformed,        ///< 400, plain text: not JSON
  body_shape,            ///< 422, plain text: JSON of the wrong shape
  body_too_large,        ///< 413, plain text
  body_content_type,     ///< 415, plain text
  validation,            ///< 422: a parameter outside its range
  template_error,        ///< 422: a chat or scenario template cannot be used
  tool_error,            ///< 422
  suffix_not_supported,  ///< 422
  batch_size_exceeded,   ///< 422
  model_not_found,       ///< 404: gateway only
  unknown_scenario,      ///< 422: gateway only
  no_instances,          ///< 422: vertex without instances
  vertex_failed,         ///< 500: what vertex says whatever failed
  overloaded,            ///< 429: no permit free, or too much waits for the engine
  queue_timeout,         ///< 503: it waited for the engine for too long
  generation,            ///< 424: the engine gave up on the request
  incomplete,            ///< 500: the engine stopped before the last token
};

/// The `error_type` on the wire and the `err` label in metrics.
constexpr std::string_view label(ErrorType type) {
  switch (type) {
    case ErrorType::body_malformed:
      return "body_malformed";
    case ErrorType::body_shape:
      return "body_shape";
    case ErrorType::body_too_large:
      return "body_too_large";
    case ErrorType::body_content_type:
      return "body_content_type";
    case ErrorType::validation:
      return "validation";
    case ErrorType::template_error:
      return "template_error";
    case ErrorType::tool_error:
      return "tool_error";
    case ErrorType::suffix_not_supported:
      return "suffix not supported";
    case ErrorType::batch_size_exceeded:
      return "batch size exceeded";
    case ErrorType::model_not_found:
      return "model_not_found";
    case ErrorType::unknown_scenario:
      return "unknown_scenario";
    case ErrorType::no_instances:
      return "Input validation error";
    case ErrorType::vertex_failed:
      return "Incomplete generation";
    case ErrorType::overloaded:
      return "overloaded";
    case ErrorType::queue_timeout:
      return "queue_timeout";
    case ErrorType::generation:
      return "generation";
    case ErrorType::incomplete:
      return "incomplete_generation";
  }
  return "unknown";
}

/// What went wrong, in the words the client reads.
struct Error {
  ErrorType type = ErrorType::validation;
  std::string text;
};

}  // namespace refserver
