// One mutex held for a few swaps; the waiting side sleeps on an absolute deadline.
#include "refserver/queue/work_queue.hpp"

#include <algorithm>

namespace refserver {

bool WorkQueue::try_submit(Pending&& pending) {
  {
    const std::lock_guard lock(mutex_);
    if (work_.is_closed || work_.submitted.size() >= capacity_) return false;
    work_.submitted.push_back(std::move(pending));
  }
  ready_.notify_one();
  return true;
}

void WorkQueue::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    const auto queued = std::find_if(work_.submitted.begin(), work_.submitted.end(),
                                     [id](const Pending& pending) { return pending.id == id; });
    if (queued != work_.submitted.end()) {
      work_.submitted.erase(queued);
      return;
    }
    work_.cancelled.push_back(id);
  }
  ready_.notify_one();
}

void WorkQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    work_.is_closed = true;
  }
  ready_.notify_one();
}

void WorkQueue::take(std::optional<TimePoint> deadline, Work& out) {
  out.cancelled.clear();
  out.submitted.clear();
  busy_since_.store(TimePoint{}, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return has_work(); };
  if (!deadline) {
    ready_.wait(lock, ready);
  } else if (*deadline > Clock::now()) {  // a wait for what has passed would still ask the kernel
    ready_.wait_until(lock, *deadline, ready);
  }
  std::swap(out.cancelled, work_.cancelled);
  std::swap(out.submitted, work_.submitted);
  out.is_closed = work_.is_closed;
  busy_since_.store(Clock::now(), std::memory_order_relaxed);
}

std::chrono::nanoseconds WorkQueue::busy_for(TimePoint now) const {
  const TimePoint since = busy_since_.load(std::memory_order_relaxed);
  return since == TimePoint{} || now < since ? std::chrono::nanoseconds(0) : now - since;
}

std::size_t WorkQueue::size() const {
  const std::lock_guard lock(mutex_);
  return work_.submitted.size();
}

}  // namespace refserver
