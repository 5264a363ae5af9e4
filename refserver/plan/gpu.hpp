// What a plan needs to know of a GPU: memory, bandwidth, arithmetic. From a data file; no GPU is looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"

namespace refserver {

struct Gpu {
  std::string name;
  double memory_mib = 0;            ///< as the driver reports it
  double bandwidth_gb_s = 0;        ///< datasheet, 10^9 bytes per second
  double bandwidth_attained = 1;    ///< share of it that kernels reach
  double fp16_tflops = 0;           ///< dense, with fp32 sums
  double decode_efficiency = 0.75;  ///< share of it reached by the products of a decode step
  double prefill_efficiency = 0.6;  ///< and of a prompt
  double context_mib = 300;         ///< the runtime's own memory with the kernels loaded
  double step_gap_us = 300;         ///< per decode step: launches, sampling, the host
  std::string notes;

  double bytes_per_s() const { return bandwidth_gb_s * bandwidth_attained * 1e9; }
};

CheckpointResult<Gpu> parse_gpu(std::string_view json, const std::string& file);

/// One of `known_gpus()` by name, otherwise a file.
CheckpointResult<Gpu> load_gpu(const std::string& name_or_file);

/// Names of the files compiled in.
std::vector<std::string> known_gpus();

namespace embedded {
extern const std::string_view gpu_rtx4070s;
extern const std::string_view gpu_rtx4090;
extern const std::string_view gpu_a10;
extern const std::string_view gpu_a100;
extern const std::string_view gpu_h200;
}  // namespace embedded

}  // namespace refserver
