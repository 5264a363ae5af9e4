// What the gateway says itself: health of its backends, metrics, models, and what went wrong. Pure but for the state
// that is told.
#pragma once

#include <string>
#include <string_view>

#include "refserver/error.hpp"
#include "refserver/gateway/client.hpp"
#include "refserver/gateway/outcome.hpp"
#include "refserver/gateway/routing.hpp"
#include "refserver/http/response_head.hpp"

namespace refserver {

struct OwnAnswer {
  int status = 200;
  std::string_view content_type{};
  std::string body{};
  bool is_preflight = false;
  bool says_retry = false;  ///< 429: try again in a second
};

/// /health (503 unless every backend is up), /metrics, /v1/models, preflights.
OwnAnswer make_own_answer(const GatewayState& state, Way::Kind kind);

/// A request that goes to no backend, in the words refserver uses.
OwnAnswer make_refusal(const Error& error);

/// A backend that gave no answer.
OwnAnswer make_fault_answer(Outcome outcome, const Backend& backend);

std::string to_bytes(const OwnAnswer& answer, Persistence persistence, bool is_head);

}  // namespace refserver
