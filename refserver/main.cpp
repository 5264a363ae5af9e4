// Wires the parts together and maps what went wrong to an exit code.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <optional>

#include "refserver/config.hpp"
#include "refserver/engine/simulated_engine.hpp"
#include "refserver/http/server.hpp"
#include "refserver/schedule/engine_loop.hpp"

namespace refserver {
namespace {

/// Every connection is a descriptor; the soft limit is often 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

ExitCode serve(const ServerConfig& config) {
  raise_descriptor_limit();
  prctl(PR_SET_TIMERSLACK, 1);
  std::signal(SIGPIPE, SIG_IGN);
  WorkQueue work(config.http.max_concurrent_requests);
  TokenQueue tokens;
  std::optional<TruthLog> truth_log;
  if (!config.truth_log.empty()) truth_log.emplace(config.truth_log);
  ServerParts parts{config.models, {}, work, tokens, truth_log ? &*truth_log : nullptr};
  std::optional<Server> server;
  try {
    server.emplace(config.http, parts);
  } catch (const boost::system::system_error& e) {
    fmt::print(stderr, "refserver: cannot listen on {} port {}: {}\n", config.http.host, config.http.port,
               e.code().message());
    return ExitCode::unavailable;
  }
  SimulatedEngine engine(config.timings, config.stall);
  {
    const EngineLoop loop(engine, work, tokens);
    server->stop_on_signals();
    for (const ModelInfo& model : config.models) fmt::print(stderr, "model {}: {}\n", model.name, model.served_name);
    const bool is_v6 = config.http.host.find(':') != std::string::npos;
    const std::string host = is_v6 ? "[" + config.http.host + "]" : config.http.host;
    fmt::print("listening on http://{}:{}\n", host, server->port());
    std::fflush(stdout);
    server->run();
  }
  return !truth_log || truth_log->finish() ? ExitCode::ok : ExitCode::error;
}

}  // namespace
}  // namespace refserver

int main(int argc, char** argv) {
  using refserver::ExitCode;
  try {
    const refserver::CommandLine command = refserver::parse_command_line(argc, argv);
    return static_cast<int>(command.serve ? refserver::serve(*command.serve) : command.code);
  } catch (const std::exception& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return static_cast<int>(ExitCode::error);
  }
}
