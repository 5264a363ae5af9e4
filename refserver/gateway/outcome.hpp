// How a request through the gateway ended. Labels are fixed: metrics use them, and the answers' `error_type`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace refserver {

enum class Outcome : std::uint8_t {
  ok,                   ///< the backend's answer below 400, whole
  rejected,             ///< the backend said 4xx
  overloaded,           ///< the backend said 429
  model_error,          ///< the backend said 5xx or 424, or its stream ended with an error
  busy,                 ///< the backend has as many requests as it may: 429, it was not asked
  backend_unreachable,  ///< no connection: 502
  timeout,              ///< the backend was silent for too long: 504, or a stream cut
  backend_broken,       ///< it closed or sent what is no answer: 502, or a stream cut
  client_gone,          ///< the client left or stopped reading; the backend's connection is closed
};

inline constexpr std::array all_outcomes{Outcome::ok,          Outcome::rejected,       Outcome::overloaded,
                                         Outcome::model_error, Outcome::busy,           Outcome::backend_unreachable,
                                         Outcome::timeout,     Outcome::backend_broken, Outcome::client_gone};

constexpr std::string_view label(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::rejected:
      return "rejected";
    case Outcome::overloaded:
      return "overloaded";
    case Outcome::model_error:
      return "model_error";
    case Outcome::busy:
      return "busy";
    case Outcome::backend_unreachable:
      return "backend_unreachable";
    case Outcome::timeout:
      return "timeout";
    case Outcome::backend_broken:
      return "backend_broken";
    case Outcome::client_gone:
      return "client_gone";
  }
  return "unknown";
}

/// The status of the gateway's own answer; 0 where it gives none.
constexpr int http_status(Outcome outcome) {
  switch (outcome) {
    case Outcome::busy:
      return 429;
    case Outcome::timeout:
      return 504;
    case Outcome::backend_unreachable:
    case Outcome::backend_broken:
      return 502;
    default:
      return 0;
  }
}

/// What a backend's answer of this status means.
constexpr Outcome outcome_of_status(int status) {
  if (status == 429) return Outcome::overloaded;
  if (status == 424 || status >= 500) return Outcome::model_error;
  return status >= 400 ? Outcome::rejected : Outcome::ok;
}

}  // namespace refserver
