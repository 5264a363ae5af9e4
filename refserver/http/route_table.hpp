// Method and path to what answers them. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "refserver/api/generate_request.hpp"

namespace refserver {

enum class Target : std::uint8_t {
  generation,
  tokens,  ///< /tokenize and /chat_tokenize
  health,
  info,
  metrics,
  models,
  openapi,
  docs,
  debug_state,
  preflight,
  not_found,
  wrong_method
};

struct RouteMatch {
  Target target = Target::not_found;
  Route route = Route::generate;  ///< for Target::generation and Target::tokens
  std::string_view allow{};       ///< for Target::wrong_method, as the `allow` header has it
  bool needs_key = false;         ///< where the server has a key, only with it
  bool has_body() const { return target == Target::generation || target == Target::tokens; }
};

/// `path` may have a query, which is ignored. HEAD counts as GET; OPTIONS is a CORS preflight on any path. The strict
/// dialect has no routes of our own.
RouteMatch match_route(std::string_view method, std::string_view path, Dialect dialect = Dialect::extended);

}  // namespace refserver
