// A model folder and a few choices become an engine that runs: the one place that commands, the server and tests make
// transformer engines in.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.hpp"
#include "refserver/schedule/scheduler_config.hpp"
#include "refserver/transformer/host_memory.hpp"
#include "refserver/transformer/model_folder.hpp"
#include "refserver/transformer/transformer_engine.hpp"

namespace refserver {

/// Shared by all models of a process, which use it in turn.
struct BackendChoice {
  std::string name;  ///< "cpu-avx512" and the like; empty: the fastest there is
  kernels::Precision precision = kernels::Precision::exact;
  std::size_t threads = 1;  ///< 0: one per usable core
};

/// The backend, or which there are.
Result<std::shared_ptr<kernels::Backend>, std::string> make_backend(const BackendChoice& choice);

struct EngineSetup {
  HostMemoryRequest memory;            ///< context_tokens 0: as many as the model has positions, at most 4096
  std::uint32_t max_batch_size = 256;  ///< sequences at once
};

/// A loaded model. The engine and the vocabulary are used with a scheduler of this config.
struct TransformerModel {
  ModelFolder folder;
  HostMemoryPlan memory;
  std::unique_ptr<TokenVocabulary> vocabulary;
  std::unique_ptr<TransformerEngine> engine;
  SchedulerConfig scheduler;  ///< pool and limits that fit the engine; the rest as by default
};

/// Opens a folder and loads it. The error names the file, or says with numbers what does not fit.
Result<TransformerModel, std::string> load_transformer_model(const std::filesystem::path& folder,
                                                             const std::shared_ptr<kernels::Backend>& backend,
                                                             const EngineSetup& setup);
/// The same for a folder that is open already.
Result<TransformerModel, std::string> load_transformer_model(ModelFolder folder,
                                                             const std::shared_ptr<kernels::Backend>& backend,
                                                             const EngineSetup& setup);

}  // namespace refserver
