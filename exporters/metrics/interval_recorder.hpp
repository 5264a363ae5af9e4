// An active and a spare recorder for a single-writer event loop: the writer hands over what it recorded between two
// events and goes on at once with an empty one. Knows nothing of T; handing the filled one to another thread is the
// caller's part.
#pragma once

#include <cassert>
#include <memory>
#include <utility>

namespace exporters {

template <class T>
class IntervalRecorder {
 public:
  /// `first` must not be null (asserted); it is what active() returns until the first swap.
  explicit IntervalRecorder(std::unique_ptr<T> first) : active_(std::move(first)) { assert(active_ != nullptr); }

  /// What to record into now; valid until the next swap.
  T& active() noexcept { return *active_; }

  /// Makes `spare` (empty, not null: asserted) the active one and returns the one that was recorded into.
  [[nodiscard]] std::unique_ptr<T> swap(std::unique_ptr<T> spare) noexcept {
    assert(spare != nullptr);
    std::swap(active_, spare);
    return spare;
  }

 private:
  std::unique_ptr<T> active_;
};

}  // namespace exporters
