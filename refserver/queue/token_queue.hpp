// The way out: batches of tokens from the engine thread to the I/O thread, one wake-up per batch however many there
// are.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "refserver/api/token_event.hpp"

namespace refserver {

/// Bounded by what was admitted: a request has at most its `max_new_tokens` events in here, and the engine loop adds
/// at most one step's worth at a time.
class TokenQueue {
 public:
  /// Called on the engine thread when the queue stops being empty; must only schedule a `take` and not block.
  /// Set before the engine starts.
  void on_ready(std::function<void()> wake) { wake_ = std::move(wake); }

  /// Moves the batch in; `batch` is empty afterwards and keeps its memory where possible.
  void push(std::vector<TokenEvent>& batch);
  /// Everything so far, in the order it was pushed; `out` is replaced and its memory reused.
  void take(std::vector<TokenEvent>& out);

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<TokenEvent> events_;
};

}  // namespace refserver
