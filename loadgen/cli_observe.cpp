#include "loadgen/cli_observe.hpp"

#include "loadgen/cli_options.hpp"

namespace loadgen {

void add_observe_flags(CLI::App& app, ObserveFlags& flags) {
  OptionGroup options(app, "What else to look at, once a second");
  options.text(
      "--gpu-source", flags.gpu_source, "none|nvml|dcgm:URL|target",
      "GPUs: the driver of this machine, the page of a DCGM exporter, or the targets' own pages (default none)");
  options.texts("--scrape", flags.scrape, "URL|target",
                "Metrics page of TGI, vLLM or refserver; 'target': of every target; may be repeated");
}

}  // namespace loadgen
