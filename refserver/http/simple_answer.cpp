// One switch over the targets.
#include "refserver/http/simple_answer.hpp"

#include <fmt/format.h>

#include "refserver/api/server_answers.hpp"
#include "refserver/http/engine_families.hpp"
#include "refserver/http/reception.hpp"

namespace refserver {
namespace {

constexpr std::string_view kJson = "application/json";

SimpleAnswer make_health(const Service& service) {
  const bool is_stuck = service.work.busy_for(Clock::now()) > service.options.stuck_engine_timeout;
  const bool flaps = service.faults != nullptr && service.faults->health();
  const bool is_down_on_purpose = flaps && is_down(*service.faults->health(), Clock::now() - service.started);
  if (!is_stuck && !is_down_on_purpose) return {};
  return {503, kJson, R"({"error":"unhealthy","error_type":"healthcheck"})"};
}

std::vector<ModelState> read_board(const Service& service) {
  if (service.board == nullptr) return {};
  return service.board->read();
}

/// For people who look at a server that behaves oddly: what is held right now.
SimpleAnswer make_state(const Service& service) {
  const auto busy = std::chrono::duration_cast<std::chrono::milliseconds>(service.work.busy_for(Clock::now()));
  std::string models;
  const std::vector<ModelState> states = read_board(service);
  for (std::size_t i = 0; i < states.size(); ++i) append_model_state(service.models[i].name, states[i], models);
  return {200, kJson,
          fmt::format(R"({{"connections":{},"permits_in_use":{},"permits":{},"sequences_at_the_engine":{},)"
                      R"("requests_not_yet_taken_by_the_engine":{},"engine_step_running_for_ms":{},)"
                      R"("is_draining":{},"last_request_id":{},"models":[{}]}})",
                      service.reception.connections(), service.admission.in_use(), service.admission.limit(),
                      service.receivers.size(), service.work.size(), busy.count(), service.reception.is_draining(),
                      service.last_id, models)};
}

SimpleAnswer make_info_answer(const Service& service, const Face& face) {
  const ServerFacts facts{service.options.max_concurrent_requests, service.options.validation_workers};
  const ModelInfo& model = service.models[face.only_model.value_or(0)];
  return {200, kJson, make_info(model, service.validator.limits(), facts)};
}

SimpleAnswer make_models(const Service& service, const Face& face) {
  const Dialect dialect = service.validator.limits().dialect;
  const bool is_one = face.only_model || dialect == Dialect::strict_tgi;
  const auto models = is_one ? service.models.subspan(face.only_model.value_or(0), 1) : service.models;
  return {200, kJson, make_model_list(models)};
}

}  // namespace

SimpleAnswer make_simple_answer(const Service& service, const Face& face, const RouteMatch& match) {
  const Dialect dialect = service.validator.limits().dialect;
  const bool is_strict = dialect == Dialect::strict_tgi;
  switch (match.target) {
    case Target::health:
      return make_health(service);
    case Target::info:
      return make_info_answer(service, face);
    case Target::metrics:
      return {200, is_strict ? "text/plain; charset=utf-8" : exporters::prometheus_content_type,
              face.shown().render(dialect, make_engine_families(service.models, read_board(service), face.only_model))};
    case Target::models:
      return make_models(service, face);
    case Target::openapi:
      return {200, kJson, make_openapi(dialect)};
    case Target::docs:
      return {200, "text/html; charset=utf-8", make_docs_page()};
    case Target::debug_state:
      return make_state(service);
    case Target::preflight:
      return {.is_preflight = true};
    case Target::wrong_method:
      return {.status = 405, .allow = match.allow};
    case Target::not_found:
    case Target::generation:
    case Target::tokens:
      break;
  }
  return {404};
}

SimpleAnswer make_error_answer(const Error& error) {
  ErrorBody body = make_error_body(error);
  return {http_status(error.type), body.content_type, std::move(body.body)};
}

std::string to_bytes(const SimpleAnswer& answer, BodyPart part, Persistence persistence,
                     std::string_view allow_origin) {
  ResponseHead head(answer.status);
  if (!answer.content_type.empty()) head.header("content-type", answer.content_type);
  if (!answer.allow.empty()) head.header("allow", answer.allow);
  if (answer.is_preflight) {
    head.header("access-control-allow-methods", "GET,POST").header("access-control-allow-headers", "content-type");
  }
  head.header("content-length", answer.body.size());
  std::string bytes = std::move(head).finish(persistence, allow_origin);
  if (part == BodyPart::shown) bytes += answer.body;
  return bytes;
}

}  // namespace refserver
