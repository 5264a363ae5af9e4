// The server's engines that compute: checkpoints on this machine's CPU, all on one backend, within one memory budget.
#pragma once

#include <cstdint>
#include <vector>

#include "refserver/transformer/engine_setup.hpp"

namespace refserver {

struct ModelRuntime;
struct ServerConfig;

/// What `--engine cpu` runs on.
struct CpuSettings {
  BackendChoice backend;
  HeadStorage head = HeadStorage::as_stored;
  kernels::KvType kv_type = kernels::KvType::f32;
  std::uint64_t memory_mb = 0;  ///< for all models together, of 1000000 bytes; 0: no limit
};

/// The longest sequence a checkpoint takes where nothing else is asked for: its positions, at most 4096. 0 if its
/// configuration cannot be read; loading it will say why.
std::uint32_t usual_context(const std::string& folder);

/// One per model, in order; texts must be loaded. Throws std::runtime_error naming the model and what is wrong with its
/// folder, or, with the numbers, what does not fit the budget.
std::vector<ModelRuntime> make_cpu_runtimes(const ServerConfig& config);

}  // namespace refserver
