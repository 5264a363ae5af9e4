// A server, a run, a comparison.
#include "loadgen/calibrate.hpp"

#include <fmt/format.h>

#include <set>

#include "loadgen/local_server.hpp"
#include "loadgen/plan/target.hpp"
#include "loadgen/run.hpp"

namespace loadgen {
namespace {

ExitCode complain(ExitCode code, const std::string& message) {
  fmt::print(stderr, "loadgen calibrate: {}\n", message);
  return code;
}

std::vector<std::string> server_arguments(const CalibrateCommand& command, const std::filesystem::path& truth) {
  std::vector<std::string> arguments = {"--port",     "0",         "--engine",  "simulated",   "--sim-ttft",
                                        command.ttft, "--sim-gap", command.gap, "--truth-log", truth.string()};
  std::set<std::string> models;
  for (const MixEntry& entry : command.run.scenario.mix) models.insert(entry.model.empty() ? "qwen2" : entry.model);
  for (const std::string& model : models) {
    arguments.emplace_back("--model");
    arguments.push_back(model);
  }
  return arguments;
}

}  // namespace

ExitCode run_calibration(const CalibrateCommand& command) {
  const std::filesystem::path out = command.run.exports.out_dir;
  std::filesystem::path truth = out;
  truth += ".truth.jsonl";
  std::error_code error;
  if (out.has_parent_path()) std::filesystem::create_directories(out.parent_path(), error);
  if (error)
    return complain(ExitCode::error, fmt::format("cannot create {}: {}", out.parent_path().string(), error.message()));
  auto server = LocalServer::start(command.server, server_arguments(command, truth));
  if (!server) return complain(ExitCode::unreachable, server.error() + "; --server names the refserver to use");
  RunCommand run = command.run;
  const auto target = parse_target(server->url());
  if (!target) return complain(ExitCode::error, target.error());
  for (MixEntry& entry : run.scenario.mix) entry.target = *target;
  run.scenario.gates.clear();  // they are about another server
  run.truth_file = truth;
  fmt::print(
      "the load of {} against {} (first token {}, then one every {}): what is different is this machine's doing\n",
      run.scenario.name, command.server.string(), command.ttft, command.gap);
  const ExitCode code = run_load(run);
  server->stop();
  std::filesystem::remove(truth, error);
  return code;
}

}  // namespace loadgen
