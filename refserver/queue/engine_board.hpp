// Where the engine thread writes down how it stands and everyone else reads it. Written after every step, read when
// somebody asks for it.
#pragma once

#include <mutex>
#include <span>
#include <vector>

#include "refserver/api/engine_state.hpp"

namespace refserver {

class EngineBoard {
 public:
  /// One state per model, in the order of the models.
  void post(std::span<const ModelState> models) {
    const std::lock_guard lock(mutex_);
    models_.assign(models.begin(), models.end());
  }
  /// Empty until the engine has posted.
  std::vector<ModelState> read() const {
    const std::lock_guard lock(mutex_);
    return models_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<ModelState> models_;
};

}  // namespace refserver
