// Why an epoll set of our own: a request's bytes cost one epoll_wait shared with everything else that is ready and one
// read. A general reactor around the same sockets adds its own wait, its re-arming and a second, speculative read.
#include "loadgen/drive/event_loop.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace loadgen {
namespace {

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::system_category(), what);
  return fd;
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      bell_fd_(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {
  bell_.fd = bell_fd_.get();
  if (const int error = watch(bell_.fd, EPOLLIN, bell_); error != 0)
    throw std::system_error(error, std::system_category(), "epoll_ctl");
}

void EventLoop::PostBell::on_ready(std::uint32_t) {
  std::uint64_t rings = 0;
  rung = ::read(fd, &rings, sizeof rings) == static_cast<ssize_t>(sizeof rings);
}

void EventLoop::run() {
  stopped_ = false;
  while (!stopped_) {
    const std::size_t ready = wait();
    run_due_timers();
    retired_.clear();
    if (bell_.rung) run_posted();
    if (ready == 0 && idle_wanted_) run_idle();
  }
  retired_.clear();
}

/// Waits, handles what is ready, and returns how much that was.
std::size_t EventLoop::wait() {
  std::array<epoll_event, batch_limit> events;
  const int n = wait_until(idle_wanted_ ? now_ns_ : next_due(), events.data());
  now_ns_ = monotonic_ns();
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
    if (now_ns_ >= next_due()) run_due_timers();
  }
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

/// As epoll_wait, until an instant. A container's rules or an old kernel may not know epoll_pwait2; ppoll they know.
int EventLoop::wait_until(std::int64_t due_ns, epoll_event* events) noexcept {
  if (due_ns <= now_ns_) return ::epoll_wait(epoll_.get(), events, batch_limit, 0);
  if (due_ns == INT64_MAX) return ::epoll_wait(epoll_.get(), events, batch_limit, -1);
  const std::int64_t left = std::max<std::int64_t>(0, due_ns - monotonic_ns());
  const timespec timeout{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
  if (has_precise_wait_) {
    const int n = ::epoll_pwait2(epoll_.get(), events, batch_limit, &timeout, nullptr);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
    has_precise_wait_ = false;
  }
  pollfd poll{epoll_.get(), POLLIN, 0};
  return ::ppoll(&poll, 1, &timeout, nullptr) > 0 ? ::epoll_wait(epoll_.get(), events, batch_limit, 0) : 0;
}

void EventLoop::run_due_timers() {
  // A task that asks for an instant that has passed runs in the next turn: what became readable has its turn before.
  const std::uint64_t asked_before = timer_order_;
  while (now_ns_ >= next_due() && timers_.front().order < asked_before && !stopped_) {
    std::pop_heap(timers_.begin(), timers_.end(), [](const Timer& a, const Timer& b) { return a.is_after(b); });
    const Task task = std::move(timers_.back().task);
    timers_.pop_back();
    task();
  }
}

void EventLoop::run_posted() {
  bell_.rung = false;
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

void EventLoop::run_idle() {
  idle_wanted_ = idle_ && idle_();
}

void EventLoop::post(Task task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the bell is ringing already.
  [[maybe_unused]] const ssize_t rung = ::write(bell_fd_.get(), &one, sizeof one);
}

void EventLoop::call_at(std::int64_t due_ns, Task task) {
  timers_.push_back({due_ns, timer_order_++, std::move(task)});
  std::push_heap(timers_.begin(), timers_.end(), [](const Timer& a, const Timer& b) { return a.is_after(b); });
}

int EventLoop::watch(int fd, std::uint32_t events, Watcher& watcher) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

int EventLoop::rewatch(int fd, std::uint32_t events, Watcher& watcher) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
}

void EventLoop::unwatch(int fd) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

}  // namespace loadgen
