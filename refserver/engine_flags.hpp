// The flags of every command that runs a model on this machine: which backend, how exact, how much memory.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "refserver/transformer/engine_setup.hpp"

namespace refserver {

struct EngineFlags {
  std::string model;  ///< folder
  BackendChoice backend;
  EngineSetup setup;
  std::uint64_t memory_mb = 0;

  /// What the flags come to.
  EngineSetup settled() const;
};

void add_engine_flags(CLI::App& app, EngineFlags& flags);

/// A model on its backend.
struct LocalModel {
  std::shared_ptr<kernels::Backend> backend;
  TransformerModel model;
};

/// Loads what the flags say; says on stderr what was assumed and what it takes. The error is for the user.
Result<LocalModel, std::string> load_local_model(const EngineFlags& flags);

}  // namespace refserver
