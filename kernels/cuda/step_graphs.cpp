// What changes from step to step is copied to where the recording reads it.
#include "kernels/cuda/step_graphs.hpp"

namespace kernels::cuda {
namespace {

/// Kernels read the step while this lives.
class Pinned {
 public:
  Pinned(const CudaBatch& batch, const PinnedStep& step) : batch_(batch) { batch_.pin(&step); }
  ~Pinned() { batch_.pin(nullptr); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  const CudaBatch& batch_;
};

}  // namespace

void StepGraphs::repeat(std::uint64_t key, const CudaBatch& batch, const std::function<void()>& work,
                        const std::function<std::vector<const void*>()>& workspaces) {
  const auto form = batch.decode_form();
  if (!form) return work();
  const auto found = graphs_.find({key, *form});
  if (found != graphs_.end()) return replay(found->second, batch, work, workspaces);
  if (graphs_.size() == kMost) graphs_.clear();
  Graph& graph = graphs_[{key, *form}];
  graph.words = DeviceArray<std::uint32_t>(device_, PinnedStep::words(*form));
  graph.step = PinnedStep::at(graph.words.data(), *form);
  const std::vector<std::uint32_t> words = batch.packed(*form);
  device_->copy_in(graph.words.data(), words.data(), words.size() * sizeof(words[0]));
  const Pinned pinned(batch, graph.step);
  work();
}

void StepGraphs::replay(Graph& graph, const CudaBatch& batch, const std::function<void()>& work,
                        const std::function<std::vector<const void*>()>& workspaces) {
  const std::vector<std::uint32_t> words = batch.packed(graph.step.form);
  device_->copy_in(graph.words.data(), words.data(), words.size() * sizeof(words[0]));
  std::vector<const void*> now = workspaces();
  if (graph.recording == nullptr || graph.workspaces != now) {
    const Pinned pinned(batch, graph.step);
    graph.recording = device_->record(work);
    graph.workspaces = std::move(now);
  }
  graph.recording->replay();
}

}  // namespace kernels::cuda
