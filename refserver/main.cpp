// Wires the parts together and maps what went wrong to an exit code.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <optional>

#include "refserver/calibrate.hpp"
#include "refserver/commands.hpp"
#include "refserver/config.hpp"
#include "refserver/http/server.hpp"
#include "refserver/model_runtime.hpp"
#include "refserver/models.hpp"
#include "refserver/schedule/engine_loop.hpp"

namespace refserver {
namespace {

/// At start, about so many milliseconds.
constexpr std::uint32_t kCalibrationSamples = 64;

/// Every connection is a descriptor; the soft limit is often 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<std::string> names_of(const std::vector<ModelInfo>& models) {
  std::vector<std::string> names;
  for (const ModelInfo& model : models) names.push_back(model.name);
  return names;
}

ExitCode serve(ServerConfig config) {
  for (std::size_t i = 0; i < config.models.size(); ++i) {
    ModelInfo& model = config.models[i];
    const std::string texts = load_texts(model, config.folders[i]);
    fmt::print(stderr, "model {}: {}: {}\n", model.name, model.served_name, texts);
  }
  const std::vector<ModelRuntime> runtimes = make_runtimes(config);
  for (std::size_t i = 0; i < runtimes.size(); ++i) {
    fmt::print(stderr, "model {}: {}\n", config.models[i].name, runtimes[i].memory_plan);
  }
  raise_descriptor_limit();
  prctl(PR_SET_TIMERSLACK, 1);
  std::signal(SIGPIPE, SIG_IGN);
  WorkQueue work(config.http.max_concurrent_requests);
  TokenQueue tokens;
  EngineBoard board;
  std::optional<TruthLog> truth_log;
  const Calibration calibration = calibrate(kCalibrationSamples);
  fmt::print(stderr, "{}\n", describe(calibration));
  if (!config.truth_log.empty()) truth_log.emplace(config.truth_log, to_json(calibration));
  std::optional<StatsdMeter> statsd;
  if (config.statsd.where) statsd.emplace(config.statsd, names_of(config.models));
  ServerParts parts{config.models, config.limits, work,
                    tokens,        &board,        truth_log ? &*truth_log : nullptr,
                    calibration,   config.faults, statsd ? &*statsd : nullptr};
  std::optional<Server> server;
  try {
    server.emplace(config.http, parts);
  } catch (const boost::system::system_error& e) {
    fmt::print(stderr, "refserver: cannot listen on {} port {}: {}\n", config.http.host, config.http.port,
               e.code().message());
    return ExitCode::unavailable;
  }
  {
    const EngineLoop loop({on_device(runtimes), work, tokens, &board, &server->meter(), server->model_meters()});
    server->stop_on_signals();
    for (std::size_t i = 0; i < config.http.model_ports.size(); ++i) {
      fmt::print(stderr, "model {} alone: port {}\n", config.models[config.http.model_ports[i].model].name,
                 server->model_ports()[i]);
    }
    for (const std::string& note : config.notes) fmt::print(stderr, "note: {}\n", note);
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
    if (const auto code = refserver::run_other_command(argc, argv)) return static_cast<int>(*code);
    refserver::CommandLine command = refserver::parse_command_line(argc, argv);
    return static_cast<int>(command.serve ? refserver::serve(std::move(*command.serve)) : command.code);
  } catch (const std::exception& e) {
    fmt::print(stderr, "refserver: {}\n", e.what());
    return static_cast<int>(ExitCode::error);
  }
}
