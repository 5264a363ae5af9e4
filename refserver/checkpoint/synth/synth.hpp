// Writes a model folder with made-up weights in exactly the format real ones have. The same options give the same
// bytes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/synth/folder_writer.hpp"
#include "refserver/checkpoint/synth/synth_options.hpp"

namespace refserver {

struct SynthReport {
  ModelConfig config;
  std::uint64_t tensor_bytes = 0;
  std::size_t file_count = 0;  ///< of safetensors
};

/// Creates `folder`, which must not exist or be empty. Holds one quantised layer in memory at a time. Weights have a
/// standard deviation of 1/sqrt(inputs), so that activations keep their size from layer to layer.
CheckpointResult<SynthReport> write_synthetic_checkpoint(const SynthOptions& options,
                                                         const std::filesystem::path& folder, WriteProgress progress);

}  // namespace refserver
