#include "loadgen/cli_observe.hpp"

#include <CLI/CLI.hpp>

namespace loadgen {

void add_observe_flags(CLI::App& app, ObserveFlags& flags) {
  const char* const group = "What else to look at, once a second";
  app.add_option_function<std::string>(
         "--gpu-source", [&flags](const std::string& text) { flags.gpu_source = text; },
         "GPUs: the driver of this machine, the page of a DCGM exporter, or the targets' own pages (default none)")
      ->type_name("none|nvml|dcgm:URL|target")
      ->group(group);
  app.add_option("--scrape", flags.scrape,
                 "Metrics page of TGI, vLLM or refserver; 'target': of every target; may be repeated")
      ->type_name("URL|target")
      ->group(group)
      ->allow_extra_args(false);
}

}  // namespace loadgen
