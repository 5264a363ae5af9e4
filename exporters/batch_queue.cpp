#include "exporters/batch_queue.hpp"

#include <algorithm>
#include <utility>

namespace exporters {

bool BatchQueue::is_full(const Waiting& waiting) const {
  return waiting.batch.size() >= limits_.max_records || waiting.batch.bytes.size() >= limits_.max_bytes;
}

std::size_t BatchQueue::fitting(const Batch& batch, std::size_t first) const {
  const Batch& last = waiting_.back().batch;
  if (last.size() >= limits_.max_records || last.bytes.size() >= limits_.max_bytes) return 0;
  const std::size_t begin = first == 0 ? 0 : batch.ends[first - 1];
  const std::size_t byte_limit = begin + (limits_.max_bytes - last.bytes.size());
  const auto from = batch.ends.begin() + static_cast<std::ptrdiff_t>(first);
  const auto by_bytes = static_cast<std::size_t>(std::upper_bound(from, batch.ends.end(), byte_limit) - from);
  const std::size_t fits = std::min(by_bytes, limits_.max_records - last.size());
  return last.empty() ? std::max<std::size_t>(fits, 1) : fits;  // an oversized record goes alone
}

void BatchQueue::push(const Batch& batch, TimePoint now) {
  for (std::size_t first = 0; first < batch.size();) {
    if (waiting_.empty() || fitting(batch, first) == 0) waiting_.push_back({{}, now});
    const std::size_t count = fitting(batch, first);
    const Batch part = batch.slice(first, count);
    bytes_ += part.bytes.size();
    waiting_.back().batch.append(part);
    first += count;
  }
}

std::optional<Batch> BatchQueue::pop_ready(TimePoint now) {
  const auto due = ready_at();
  return due && *due <= now ? pop() : std::nullopt;
}

std::optional<Batch> BatchQueue::pop() {
  if (waiting_.empty()) return std::nullopt;
  Batch batch = std::move(waiting_.front().batch);
  waiting_.pop_front();
  bytes_ -= batch.bytes.size();
  return batch;
}

std::optional<BatchQueue::TimePoint> BatchQueue::ready_at() const {
  if (waiting_.empty()) return std::nullopt;
  // A batch that the next record did not fit into will not grow any more.
  const bool is_closed = waiting_.size() > 1 || is_full(waiting_.front());
  return waiting_.front().since + (is_closed ? std::chrono::milliseconds(0) : limits_.max_age);
}

}  // namespace exporters
