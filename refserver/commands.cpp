// One table, used for running and for help.
#include "refserver/commands.hpp"

#include <array>
#include <string_view>

#include "refserver/bench_command.hpp"
#include "refserver/calibrate_command.hpp"
#include "refserver/gateway_command.hpp"
#include "refserver/generate_command.hpp"
#include "refserver/health_command.hpp"
#include "refserver/inspect_command.hpp"
#include "refserver/plan_command.hpp"
#include "refserver/simulate_command.hpp"
#include "refserver/synth_command.hpp"

namespace refserver {

std::span<const OtherCommand> other_commands() {
  static constexpr std::array<OtherCommand, 9> commands{
      {{"gateway", "one address in front of several TGI servers, one per model", run_gateway},
       {"health", "say whether a server is well, by exit code", run_health},
       {"synth", "write a model folder with made-up weights", run_synth},
       {"inspect", "check a model folder and say what is in it", run_inspect},
       {"plan", "say whether models fit a GPU, and how fast they could be at best", run_plan},
       {"generate", "continue prompts with a model folder, on this machine", run_generate},
       {"bench", "measure how fast a model folder generates on this machine", run_bench},
       {"simulate", "run requests through the scheduler in virtual time, beside what theory says", run_simulate},
       {"calibrate", "say how well this machine keeps time", run_calibrate}}};
  return commands;
}

std::optional<ExitCode> run_other_command(int argc, const char* const* argv) {
  if (argc < 2) return std::nullopt;
  for (const OtherCommand& command : other_commands()) {
    if (std::string_view(argv[1]) == command.name) return command.run(argc - 1, argv + 1);
  }
  return std::nullopt;
}

}  // namespace refserver
