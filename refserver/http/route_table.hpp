// Method and path to what answers them. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "refserver/api/generate_request.hpp"

namespace refserver {

enum class Target : std::uint8_t { generation, health, info, metrics, models, preflight, not_found, wrong_method };

struct RouteMatch {
  Target target = Target::not_found;
  Route route = Route::generate;  ///< for Target::generation
  std::string_view allow{};       ///< for Target::wrong_method, as the `allow` header has it
};

/// `path` may have a query, which is ignored. HEAD counts as GET; OPTIONS is a CORS preflight on any path.
RouteMatch match_route(std::string_view method, std::string_view path);

}  // namespace refserver
