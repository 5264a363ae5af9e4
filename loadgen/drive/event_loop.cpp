// Why an epoll set of our own: a request's bytes cost one epoll_wait shared with everything else that is ready and one
// read. A general reactor around the same sockets adds its own wait, its re-arming and a second, speculative read.
#include "loadgen/drive/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

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
      bell_fd_(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      alarm_fd_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")) {
  bell_.fd = bell_fd_.get();
  int error = watch(bell_.fd, EPOLLIN, bell_);
  // Edge-triggered: arming it anew takes back that it went off, so nobody has to read it.
  if (error == 0) error = watch(alarm_fd_.get(), EPOLLIN | EPOLLET, alarm_);
  if (error != 0) throw std::system_error(error, std::system_category(), "epoll_ctl");
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
  if (gather_ns_ > 0 && had_events_ && !idle_wanted_) gather();
  const int n = wait_until(idle_wanted_ ? now_ns_ : next_due(), events.data());
  now_ns_ = woke_ns_ = monotonic_ns();
  had_events_ = n > 0;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
    if (now_ns_ >= next_due()) run_due_timers();
  }
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

void EventLoop::gather() noexcept {
  constexpr std::int64_t not_worth_sleeping_ns = 5'000;
  const std::int64_t until = std::min(woke_ns_ + gather_ns_, next_due());
  if (until - now_ns_ < not_worth_sleeping_ns) return;
  const timespec at{static_cast<time_t>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  now_ns_ = monotonic_ns();
}

/// As epoll_wait, until an instant. The timer is armed once per instant, not once per wait: at 100,000 waits a second
/// for one millisecond timer, programming the hardware each time would cost more than the waits.
int EventLoop::wait_until(std::int64_t due_ns, epoll_event* events) noexcept {
  if (due_ns <= now_ns_) return ::epoll_wait(epoll_.get(), events, batch_limit, 0);
  if (due_ns != alarm_.armed_ns && due_ns != INT64_MAX) {
    const itimerspec at{{}, {static_cast<time_t>(due_ns / 1'000'000'000), static_cast<long>(due_ns % 1'000'000'000)}};
    ::timerfd_settime(alarm_fd_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
    alarm_.armed_ns = due_ns;
  }
  return ::epoll_wait(epoll_.get(), events, batch_limit, -1);
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
