// What generates for each model: its engine, its vocabulary and its scheduler, made together. The one place to add a
// kind of engine to the server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "refserver/config.hpp"
#include "refserver/schedule/device.hpp"
#include "refserver/schedule/scheduler.hpp"
#include "refserver/schedule/step_engine.hpp"
#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

struct ModelRuntime {
  std::unique_ptr<StepEngine> engine;
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<Scheduler> scheduler;
  std::string memory_plan;  ///< one line, said at start
  double weight = 1;
  std::uint32_t shared_step_tokens = 1024;  ///< this and the next: see DeviceModel
  bool is_simulated = false;
};

/// One per configured model, in order; texts must be loaded. Throws std::runtime_error naming the model that cannot be
/// made, with the numbers.
std::vector<ModelRuntime> make_runtimes(const ServerConfig& config);

/// What a device is made of. The runtimes must outlive it.
std::vector<DeviceModel> on_device(const std::vector<ModelRuntime>& runtimes);

}  // namespace refserver
