// The table of routes (those of TGI 3.3.7, and ours).
#include "refserver/http/route_table.hpp"

#include <array>

namespace refserver {
namespace {

enum class Lock : std::uint8_t { open, with_key };

struct PostRoute {
  std::string_view path;
  Target target;
  Route route;
  Lock lock = Lock::with_key;
};
constexpr std::array kPostRoutes = {
    PostRoute{"/", Target::generation, Route::compat},
    PostRoute{"/generate", Target::generation, Route::generate},
    PostRoute{"/generate_stream", Target::generation, Route::generate_stream},
    PostRoute{"/v1/chat/completions", Target::generation, Route::chat},
    PostRoute{"/v1/completions", Target::generation, Route::completions},
    PostRoute{"/invocations", Target::generation, Route::invocations},
    PostRoute{"/vertex", Target::generation, Route::vertex},
    PostRoute{"/tokenize", Target::tokens, Route::tokenize},
    PostRoute{"/chat_tokenize", Target::tokens, Route::chat_tokenize, Lock::open},
    PostRoute{"/v1/generate", Target::generation, Route::gateway},
};

struct GetRoute {
  std::string_view path;
  Target target;
  Lock lock = Lock::open;
};
constexpr std::array kGetRoutes = {
    GetRoute{"/", Target::health},
    GetRoute{"/health", Target::health},
    GetRoute{"/ping", Target::health},
    GetRoute{"/info", Target::info},
    GetRoute{"/metrics", Target::metrics},
    GetRoute{"/v1/models", Target::models},
    GetRoute{"/api-doc/openapi.json", Target::openapi},
    GetRoute{"/docs", Target::docs},
    GetRoute{"/debug/state", Target::debug_state, Lock::with_key},
};

template <class Table>
auto find(const Table& table, std::string_view path) -> const typename Table::value_type* {
  for (const auto& entry : table) {
    if (entry.path == path) return &entry;
  }
  return nullptr;
}

}  // namespace

RouteMatch match_route(std::string_view method, std::string_view path, Dialect dialect) {
  if (method == "OPTIONS") return {.target = Target::preflight};
  path = path.substr(0, path.find('?'));
  const bool is_ours = path == "/v1/generate" || path == "/debug/state";
  if (is_ours && dialect == Dialect::strict_tgi) return {.target = Target::not_found};
  const PostRoute* const post = find(kPostRoutes, path);
  const GetRoute* const get = find(kGetRoutes, path);
  const bool is_post_locked = post != nullptr && post->lock == Lock::with_key;
  if (post != nullptr && method == "POST") {
    return {.target = post->target, .route = post->route, .needs_key = is_post_locked};
  }
  if (get != nullptr && (method == "GET" || method == "HEAD")) {
    return {.target = get->target, .needs_key = get->lock == Lock::with_key};
  }
  if (post == nullptr && get == nullptr) return {.target = Target::not_found};
  const std::string_view allow = get == nullptr ? "POST" : post == nullptr ? "GET,HEAD" : "POST,GET,HEAD";
  const bool needs_key = is_post_locked || (get != nullptr && get->lock == Lock::with_key);
  // TGI asks for the key before it looks at the method.
  return {.target = Target::wrong_method, .allow = allow, .needs_key = needs_key};
}

}  // namespace refserver
