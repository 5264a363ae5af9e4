// The table of routes (those of TGI 3.3.7, and the gateway).
#include "refserver/http/route_table.hpp"

#include <array>

namespace refserver {
namespace {

struct PostRoute {
  std::string_view path;
  Route route;
};
constexpr std::array kPostRoutes = {
    PostRoute{"/", Route::compat},
    PostRoute{"/generate", Route::generate},
    PostRoute{"/generate_stream", Route::generate_stream},
    PostRoute{"/v1/chat/completions", Route::chat},
    PostRoute{"/v1/completions", Route::completions},
    PostRoute{"/v1/generate", Route::gateway},
};

struct GetRoute {
  std::string_view path;
  Target target;
};
constexpr std::array kGetRoutes = {
    GetRoute{"/", Target::health},   GetRoute{"/health", Target::health},   GetRoute{"/ping", Target::health},
    GetRoute{"/info", Target::info}, GetRoute{"/metrics", Target::metrics}, GetRoute{"/v1/models", Target::models},
};

template <class Table>
auto find(const Table& table, std::string_view path) -> const typename Table::value_type* {
  for (const auto& entry : table) {
    if (entry.path == path) return &entry;
  }
  return nullptr;
}

}  // namespace

RouteMatch match_route(std::string_view method, std::string_view path) {
  if (method == "OPTIONS") return {.target = Target::preflight};
  path = path.substr(0, path.find('?'));
  const PostRoute* const post = find(kPostRoutes, path);
  const GetRoute* const get = find(kGetRoutes, path);
  if (post != nullptr && method == "POST") return {.target = Target::generation, .route = post->route};
  if (get != nullptr && (method == "GET" || method == "HEAD")) return {.target = get->target};
  if (post == nullptr && get == nullptr) return {.target = Target::not_found};
  const std::string_view allow = get == nullptr ? "POST" : post == nullptr ? "GET,HEAD" : "POST,GET,HEAD";
  return {.target = Target::wrong_method, .allow = allow};
}

}  // namespace refserver
