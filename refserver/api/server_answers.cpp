// Members in TGI's order.
#include "refserver/api/server_answers.hpp"

#include <fmt/format.h>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

}  // namespace

int http_status(ErrorType type) {
  switch (type) {
    case ErrorType::body_malformed:
      return 400;
    case ErrorType::model_not_found:
      return 404;
    case ErrorType::body_too_large:
      return 413;
    case ErrorType::body_content_type:
      return 415;
    case ErrorType::generation:
      return 424;
    case ErrorType::overloaded:
      return 429;
    case ErrorType::queue_timeout:
      return 503;
    case ErrorType::vertex_failed:
    case ErrorType::incomplete:
      return 500;
    case ErrorType::body_shape:
    case ErrorType::validation:
    case ErrorType::template_error:
    case ErrorType::tool_error:
    case ErrorType::suffix_not_supported:
    case ErrorType::batch_size_exceeded:
    case ErrorType::unknown_scenario:
    case ErrorType::no_instances:
      break;
  }
  return 422;
}

ErrorBody make_error_body(const Error& error) {
  switch (error.type) {
    case ErrorType::body_malformed:
    case ErrorType::body_shape:
    case ErrorType::body_too_large:
    case ErrorType::body_content_type:
      return {"text/plain; charset=utf-8", error.text};
    default:
      break;
  }
  return {"application/json",
          fmt::format(R"({{"error":{},"error_type":{}}})", json_text(error.text), json_text(label(error.type)))};
}

std::string make_info(const ModelInfo& model, const RequestLimits& limits, const ServerFacts& facts) {
  const bool is_strict = limits.dialect == Dialect::strict_tgi;
  return fmt::format(
      R"({{"model_id":{},"model_sha":null,"model_pipeline_tag":null,"max_concurrent_requests":{},"max_best_of":{},)"
      R"("max_stop_sequences":{},"max_input_tokens":{},"max_total_tokens":{},"validation_workers":{},)"
      R"("max_client_batch_size":{},"router":"{}","version":"{}","sha":null,"docker_label":null}})",
      json_text(model.served_name), facts.max_concurrent_requests, limits.max_best_of, limits.max_stop_sequences,
      model.max_input_tokens, model.max_total_tokens, facts.validation_workers, limits.max_client_batch_size,
      is_strict ? "text-generation-router" : "plumbline-refserver", version_of(limits.dialect));
}

std::string make_model_list(std::span<const ModelInfo> models) {
  std::string out = R"({"object":"list","data":[)";
  for (const ModelInfo& model : models) {
    const std::string name = json_text(model.served_name);
    out += fmt::format(R"({}{{"id":{},"object":"model","created":0,"owned_by":{}}})", out.back() == '[' ? "" : ",",
                       name, name);
  }
  return out += "]}";
}

}  // namespace refserver
