// Reads, judges, prints.
#include "loadgen/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "loadgen/drive/targets.hpp"
#include "loadgen/export/host_limits.hpp"
#include "loadgen/export/terminal_text.hpp"
#include "loadgen/observe/observer.hpp"

namespace loadgen {
namespace {

using Status = ReadinessCheck::Status;

constexpr std::uint64_t usual_connections = 1000;
/// Before a run only what surely falls short is worth a warning: quick answers need the fewest connections.
constexpr nanoseconds one_second = std::chrono::seconds(1);

const char* word(Status status) {
  constexpr const char* words[] = {"ok", "short", "unknown"};
  return words[static_cast<std::size_t>(status)];
}

}  // namespace

std::vector<std::string> preflight_warnings(const Scenario& scenario, std::uint32_t shards) {
  constexpr std::array hard = {"open_files", "local_ports", "listen_backlog", "cpu"};
  std::vector<std::string> warnings;
  for (const ReadinessCheck& check : check_readiness(read_host_limits(), needs_of(scenario, shards, one_second))) {
    const bool counts = std::find(hard.begin(), hard.end(), check.name) != hard.end();
    if (counts && check.status == Status::short_of)
      warnings.push_back(fmt::format("{} may not do for this load: {}, needed {}; {}", check.name, check.found,
                                     check.needed, check.fix));
  }
  return warnings;
}

ExitCode run_doctor(const DoctorCommand& command) {
  raise_file_limit();
  LoadNeeds needs{usual_connections, usual_connections, 1, false};
  if (command.scenario) needs = needs_of(*command.scenario, 1);
  fmt::print(
      "for {} connections at a time{}\n\n", needs.all_connections,
      command.scenario ? ", as " + command.scenario->source + " asks" : "; name a scenario to judge another load");
  bool is_short = false;
  HostLimits limits = read_host_limits();
  limits.sleeps = time_sleeps();
  for (const ReadinessCheck& check : check_readiness(limits, needs)) {
    is_short = is_short || check.status == Status::short_of;
    fmt::print("  {}{}{}{}\n", pad_right(word(check.status), 9), pad_right(check.name, 16), pad_right(check.found, 40),
               check.needed);
    if (!check.fix.empty()) fmt::print("           {}\n", check.fix);
  }
  const auto gpus = describe_nvml(std::getenv("LOADGEN_NVML_LIBRARY"));
  fmt::print("  {}{}{}\n", pad_right(gpus ? "ok" : "none", 9), pad_right("nvml", 16), gpus ? *gpus : gpus.error());
  return is_short ? ExitCode::invalid : ExitCode::pass;
}

}  // namespace loadgen
