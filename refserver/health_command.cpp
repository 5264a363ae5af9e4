// One GET, one line where it failed.
#include "refserver/health_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <cstdlib>

#include "refserver/duration.hpp"
#include "refserver/gateway/http_get.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;

asio::awaitable<Result<HttpReply>> ask(BackendAddress address, std::string path, std::chrono::milliseconds timeout) {
  const auto endpoints = co_await resolve(address);
  if (!endpoints) co_return endpoints.error();
  co_return co_await http_get(address, *endpoints, path, timeout);
}

}  // namespace

ExitCode run_health(int argc, const char* const* argv) {
  CLI::App app("Ask a server how it is: GET of URL, or of its /health where URL has no path.", "refserver health");
  const char* const port = std::getenv("PORT");
  std::string url = fmt::format("http://127.0.0.1:{}", port == nullptr || *port == '\0' ? "3000" : port);
  std::string timeout = "2s";
  app.add_option(
      "URL", url,
      "http://HOST[:PORT][/PATH] (default 127.0.0.1 with the port of the variable PORT, as `serve` takes it, or 3000)");
  app.add_option("--timeout", timeout, "how long the answer may take (default 2s)")->type_name("TIME");
  app.footer("Exit codes: 0 it said 200, 64 bad usage, 69 it did not.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  const std::size_t host_at = url.find("://");
  const std::size_t path_at = host_at == std::string::npos ? std::string::npos : url.find('/', host_at + 3);
  const auto address = parse_backend("server=" + url.substr(0, path_at));
  const auto time = parse_duration(timeout);
  if (!address || !time || time->count() == 0) {
    fmt::print(stderr, "refserver: {}\n",
               address ? fmt::format("--timeout: '{}' is not a time, such as 2s", timeout)
                       : fmt::format("URL: {}", address.error()));
    return ExitCode::bad_usage;
  }
  const std::string path = path_at == std::string::npos || url.substr(path_at) == "/" ? "/health" : url.substr(path_at);
  asio::io_context io(1);
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(*time);
  auto answer = asio::co_spawn(io, ask(*address, path, limit), asio::use_future);
  io.run();
  const Result<HttpReply> reply = answer.get();
  if (reply && reply->status == 200) return ExitCode::ok;
  fmt::print(stderr, "refserver: {} {}\n", url,
             reply ? fmt::format("says {}", reply->status) : reply.error().message());
  return ExitCode::unavailable;
}

}  // namespace refserver
