// The words of routes and arrival processes.
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

const char* label(Route route) noexcept {
  switch (route) {
    case Route::tgi_stream:
      return "tgi-stream";
    case Route::tgi:
      return "tgi";
    case Route::openai_chat:
      return "openai-chat";
    case Route::openai_completions:
      return "openai-completions";
    case Route::gateway:
      return "gateway";
    case Route::custom:
      return "endpoint";
  }
  return "?";
}

std::optional<Route> route_from(std::string_view word) noexcept {
  for (Route route : {Route::tgi_stream, Route::tgi, Route::openai_chat, Route::openai_completions, Route::gateway}) {
    if (word == label(route)) return route;
  }
  return std::nullopt;
}

const char* label(Arrivals arrivals) noexcept {
  if (arrivals == Arrivals::gamma) return "gamma";
  return arrivals == Arrivals::poisson ? "poisson" : "constant";
}

}  // namespace loadgen
