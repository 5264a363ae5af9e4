// Three short copies to the device, one launch, one copy back.
#include "kernels/cuda/chooser.hpp"

#include <cassert>

namespace kernels::cuda {
namespace {

template <class T>
void send(const std::shared_ptr<Device>& device, const std::vector<T>& values, DeviceArray<T>& to) {
  if (values.empty()) return;
  to.reserve(device, values.size());
  device->copy_in(to.data(), values.data(), values.size() * sizeof(T));
}

}  // namespace

SampleTask Chooser::add(const SampleRow& row) {
  const SampleTask task{.rule = row.rule,
                        .temperature = row.temperature,
                        .repetition_penalty = row.repetition_penalty,
                        .frequency_penalty = row.frequency_penalty,
                        .top_k = row.top_k,
                        .top_p = row.top_p,
                        .typical_p = row.typical_p,
                        .context = static_cast<std::uint32_t>(counts_.size()),
                        .context_count = row.has_penalty() ? static_cast<std::uint32_t>(row.context.size()) : 0,
                        .context_length = row.context_length,
                        .forbidden = static_cast<std::uint32_t>(forbidden_.size()),
                        .forbidden_count = static_cast<std::uint32_t>(row.forbidden.size()),
                        .seed = row.seed,
                        .position = row.position};
  counts_.insert(counts_.end(), row.context.begin(), row.context.begin() + task.context_count);
  forbidden_.insert(forbidden_.end(), row.forbidden.begin(), row.forbidden.end());
  return task;
}

void Chooser::choose(const DeviceRows& logits, std::size_t usable, std::span<const SampleRow> rows,
                     std::span<SampledId> results) {
  assert(results.size() == rows.size());
  if (rows.empty()) return;
  tasks_.clear();
  counts_.clear();
  forbidden_.clear();
  for (const SampleRow& row : rows) tasks_.push_back(add(row));
  send(device_, tasks_, device_tasks_);
  send(device_, counts_, device_counts_);
  send(device_, forbidden_, device_forbidden_);
  device_results_.reserve(device_, rows.size());
  device_->launch<SampleKernel>(rows.size(), {.x = logits,
                                              .cols = static_cast<std::uint32_t>(usable),
                                              .tasks = device_tasks_.data(),
                                              .counts = device_counts_.data(),
                                              .forbidden = device_forbidden_.data(),
                                              .results = device_results_.data()});
  device_->copy_out(results.data(), device_results_.data(), results.size_bytes());
}

}  // namespace kernels::cuda
