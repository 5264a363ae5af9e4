// JSON by hand.
#include "refserver/gateway/own_answers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/api/json_writer.hpp"
#include "refserver/api/server_answers.hpp"

namespace refserver {
namespace {

constexpr std::string_view kJson = "application/json";

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

OwnAnswer make_health(const GatewayState& state) {
  std::string body = R"({"backends":{)";
  for (const Backend& backend : state.backends) {
    if (body.back() != '{') body += ',';
    body += as_json(backend.address.name) + (backend.is_up ? R"(:"up")" : R"(:"down")");
  }
  const bool is_well =
      std::all_of(state.backends.begin(), state.backends.end(), [](const Backend& b) { return b.is_up; });
  return {is_well ? 200 : 503, kJson, body + "}}"};
}

OwnAnswer make_models(const GatewayState& state) {
  std::string body = R"({"object":"list","data":[)";
  for (const Backend& backend : state.backends) {
    if (body.back() != '[') body += ',';
    body += fmt::format(R"({{"id":{},"object":"model","created":0,"owned_by":{}}})", as_json(backend.address.name),
                        as_json(backend.served_name.empty() ? backend.address.name : backend.served_name));
  }
  return {200, kJson, body + "]}"};
}

std::string_view words(Outcome outcome) {
  switch (outcome) {
    case Outcome::busy:
      return "has as many requests as it may have at once";
    case Outcome::backend_unreachable:
      return "cannot be reached";
    case Outcome::timeout:
      return "did not answer in time";
    default:
      return "gave no answer that can be read";
  }
}

}  // namespace

OwnAnswer make_own_answer(const GatewayState& state, Way::Kind kind) {
  switch (kind) {
    case Way::Kind::health:
      return make_health(state);
    case Way::Kind::metrics:
      return {200, exporters::prometheus_content_type, state.metrics.render(state.backends)};
    case Way::Kind::models:
      return make_models(state);
    case Way::Kind::preflight:
      return {.is_preflight = true};
    default:
      return {500};
  }
}

OwnAnswer make_refusal(const Error& error) {
  ErrorBody body = make_error_body(error);
  return {http_status(error.type), body.content_type, std::move(body.body)};
}

OwnAnswer make_fault_answer(Outcome outcome, const Backend& backend) {
  const std::string text = fmt::format("backend {} {}", backend.address.name, words(outcome));
  return {.status = http_status(outcome),
          .content_type = kJson,
          .body = fmt::format(R"({{"error":{},"error_type":{}}})", as_json(text), as_json(label(outcome))),
          .says_retry = outcome == Outcome::busy};
}

std::string to_bytes(const OwnAnswer& answer, Persistence persistence, bool is_head) {
  ResponseHead head(answer.status);
  if (!answer.content_type.empty()) head.header("content-type", answer.content_type);
  if (answer.is_preflight) {
    head.header("access-control-allow-methods", "GET,POST").header("access-control-allow-headers", "content-type");
  }
  if (answer.says_retry) head.header("retry-after", std::uint64_t{1});
  head.header("content-length", answer.body.size());
  std::string bytes = std::move(head).finish(persistence, "*");
  if (!is_head) bytes += answer.body;
  return bytes;
}

}  // namespace refserver
