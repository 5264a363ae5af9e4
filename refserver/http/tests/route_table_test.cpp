// Every route, its methods and what the head of an answer looks like.
#include "refserver/http/route_table.hpp"

#include <gtest/gtest.h>

#include "refserver/http/response_head.hpp"

namespace refserver {
namespace {

TEST(RouteTable, PostRoutesGenerate) {
  const std::pair<const char*, Route> routes[] = {{"/", Route::compat},
                                                  {"/generate", Route::generate},
                                                  {"/generate_stream", Route::generate_stream},
                                                  {"/v1/generate", Route::gateway},
                                                  {"/v1/completions", Route::completions},
                                                  {"/v1/chat/completions", Route::chat}};
  for (const auto& [path, route] : routes) {
    const RouteMatch match = match_route("POST", std::string(path) + "?a=b");
    EXPECT_EQ(match.target, Target::generation) << path;
    EXPECT_EQ(match.route, route) << path;
    EXPECT_EQ(label(route), path);
  }
}

TEST(RouteTable, GetAndHead) {
  for (const char* const method : {"GET", "HEAD"}) {
    EXPECT_EQ(match_route(method, "/").target, Target::health);
    EXPECT_EQ(match_route(method, "/ping").target, Target::health);
    EXPECT_EQ(match_route(method, "/info").target, Target::info);
    EXPECT_EQ(match_route(method, "/metrics").target, Target::metrics);
    EXPECT_EQ(match_route(method, "/v1/models").target, Target::models);
  }
}

TEST(RouteTable, OtherMethodsAndPaths) {
  EXPECT_EQ(match_route("GET", "/generate").allow, "POST");
  EXPECT_EQ(match_route("POST", "/info").allow, "GET,HEAD");
  EXPECT_EQ(match_route("PUT", "/").allow, "POST,GET,HEAD");
  EXPECT_EQ(match_route("POST", "/generate/").target, Target::not_found);
  EXPECT_EQ(match_route("POST", "").target, Target::not_found);
  EXPECT_EQ(match_route("OPTIONS", "/nothing").target, Target::preflight);
}

TEST(ResponseHead, BytesAreExact) {
  ResponseHead head(404);
  head.header("content-length", std::uint64_t{0});
  const std::string bytes = std::move(head).finish(Persistence::close);
  EXPECT_TRUE(bytes.starts_with(
      "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\naccess-control-allow-origin: *\r\n"
      "vary: origin, access-control-request-method, access-control-request-headers\r\nconnection: close\r\ndate: "));
  EXPECT_TRUE(bytes.ends_with(" GMT\r\n\r\n"));
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(1735689600), "Wed, 01 Jan 2025 00:00:00 GMT");
}

}  // namespace
}  // namespace refserver
