// Records waiting to be sent, cut into batches of a good size. Time is an argument; not thread-safe, no I/O.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "exporters/sink.hpp"

namespace exporters {

/// A batch is ready at whichever comes first.
struct BatchLimits {
  std::size_t max_records = 5000;
  std::size_t max_bytes = 1'000'000;  ///< a single larger record is a batch of its own
  std::chrono::milliseconds max_age{1000};
};

class BatchQueue {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit BatchQueue(BatchLimits limits) : limits_(limits) {}

  /// Appends every record of `batch`, cutting and joining at record boundaries.
  void push(const Batch& batch, TimePoint now);

  /// The oldest batch if it is full or old enough.
  std::optional<Batch> pop_ready(TimePoint now);
  /// The oldest batch, whatever its size.
  std::optional<Batch> pop();

  /// When pop_ready() will have something even if nothing more is pushed; nothing when empty.
  std::optional<TimePoint> ready_at() const;

  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Waiting {
    Batch batch;
    TimePoint since;
  };
  bool is_full(const Waiting& waiting) const;
  /// How many records of `batch` from `first` on fit into what is left of the newest waiting batch.
  std::size_t fitting(const Batch& batch, std::size_t first) const;

  BatchLimits limits_;
  std::deque<Waiting> waiting_;  ///< all but the last one are full
  std::size_t bytes_ = 0;
};

}  // namespace exporters
