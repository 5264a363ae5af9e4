// Decode steps recorded once and replayed: the launches of all layers become one. Knows what a recording depends on and
// nothing of what is in it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/device.hpp"

namespace kernels::cuda {

class StepGraphs {
 public:
  static constexpr std::size_t kMost = 128;  ///< recordings; one more and all are dropped

  explicit StepGraphs(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  /// Backend::repeat. The first step of a form runs plainly, so that all memory is there; the second is recorded.
  /// `workspaces` gives addresses that a recording depends on: where they have changed it is made anew.
  void repeat(std::uint64_t key, const CudaBatch& batch, const std::function<void()>& work,
              const std::function<std::vector<const void*>()>& workspaces);

 private:
  struct Graph {
    DeviceArray<std::uint32_t> words;
    PinnedStep step{};
    std::vector<const void*> workspaces;
    std::unique_ptr<Recording> recording;
  };
  void replay(Graph& graph, const CudaBatch& batch, const std::function<void()>& work,
              const std::function<std::vector<const void*>()>& workspaces);

  std::shared_ptr<Device> device_;
  std::map<std::pair<std::uint64_t, DecodeForm>, Graph> graphs_;
};

}  // namespace kernels::cuda
