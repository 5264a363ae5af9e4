// Two vectors change places; events are moved only when the reader has not kept up.
#include "refserver/queue/token_queue.hpp"

#include <iterator>

namespace refserver {

void TokenQueue::push(std::vector<TokenEvent>& batch) {
  if (batch.empty()) return;
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = events_.empty();
    if (was_empty) {
      events_.swap(batch);
    } else {
      events_.insert(events_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    }
  }
  batch.clear();
  if (was_empty && wake_) wake_();
}

void TokenQueue::take(std::vector<TokenEvent>& out) {
  out.clear();
  const std::lock_guard lock(mutex_);
  out.swap(events_);
}

}  // namespace refserver
