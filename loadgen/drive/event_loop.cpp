// Why a set of our own behind Asio's: however many sockets are ready, they cost one epoll_wait and one read each. A
// socket of its own in the reactor costs a re-arming and a second, speculative read per read.
#include "loadgen/drive/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <memory>
#include <span>
#include <system_error>

namespace loadgen {
namespace {

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::system_category(), what);
  return fd;
}

}  // namespace

EventLoop::EventLoop()
    : set_(io_, checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      alarm_fd_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")) {
  // Edge-triggered: arming it anew takes back that it went off, so nobody has to read it.
  const int error = watch(alarm_fd_.get(), EPOLLIN | EPOLLET, alarm_);
  if (error != 0) throw std::system_error(error, std::system_category(), "epoll_ctl");
}

void EventLoop::run() {
  const auto work = boost::asio::make_work_guard(io_);
  stopped_ = false;
  await_set();
  while (!stopped_) {
    wait();
    run_due_timers();
    retired_.clear();
    if (ready_ == 0 && idle_wanted_) idle_wanted_ = idle_ && idle_();
  }
  set_.cancel();
  retired_.clear();
}

/// While there is much to read the set is asked directly. Going through Asio's reactor costs a turn three system calls
/// more and is only needed for what was posted, and to sleep.
void EventLoop::wait() {
  const bool is_full = ready_ == batch_limit;
  const bool has_slept = gather_ns_ > 0 && ready_ > 0 && !is_full && !idle_wanted_ && gather();
  const bool is_busy = ready_ > 1 || has_slept;
  ready_ = 0;
  if (is_busy && posted_.load(std::memory_order_acquire) == 0) handle_ready();
  if (ready_ == 0) ask_asio();
}

/// One turn of Asio: the set is ready, or something was posted, or nothing is and nothing should be waited for.
void EventLoop::ask_asio() {
  const std::int64_t due_ns = next_due();
  if (idle_wanted_ || due_ns <= now_ns_) {
    io_.poll_one();
  } else {
    arm_alarm(due_ns);
    io_.run_one();
  }
  if (ready_ == 0) now_ns_ = monotonic_ns();
}

void EventLoop::await_set() {
  set_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
    if (ec) return;
    handle_ready();
    await_set();
  });
}

void EventLoop::handle_ready() {
  std::array<epoll_event, batch_limit> events;
  const int n = ::epoll_wait(set_.native_handle(), events.data(), static_cast<int>(batch_limit), 0);
  now_ns_ = woke_ns_ = monotonic_ns();
  const std::span<const epoll_event> batch(events.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (i + 3 < batch.size()) __builtin_prefetch(batch[i + 3].data.ptr);
    if (i + 2 < batch.size()) static_cast<const Watcher*>(batch[i + 2].data.ptr)->get_near();
    if (i + 1 < batch.size()) static_cast<const Watcher*>(batch[i + 1].data.ptr)->get_nearer();
    static_cast<Watcher*>(batch[i].data.ptr)->on_ready(batch[i].events);
    if (now_ns_ >= next_due()) run_due_timers();
  }
  ready_ = batch.size();  // a full batch has left something behind
}

/// True if it has slept.
bool EventLoop::gather() noexcept {
  constexpr std::int64_t not_worth_sleeping_ns = 5'000;
  const std::int64_t until = std::min(woke_ns_ + gather_ns_, next_due());
  if (until - now_ns_ < not_worth_sleeping_ns) return false;
  const timespec at = to_timespec(until);
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  now_ns_ = monotonic_ns();
  return true;
}

/// Once per instant, not once per wait: at 100,000 waits a second for one millisecond timer, programming the hardware
/// each time would cost more than the waits.
void EventLoop::arm_alarm(std::int64_t due_ns) noexcept {
  if (due_ns == alarm_.armed_ns || due_ns == INT64_MAX) return;
  const itimerspec at{{}, to_timespec(due_ns)};
  ::timerfd_settime(alarm_fd_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
  alarm_.armed_ns = due_ns;
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

void EventLoop::post(Task task) {
  posted_.fetch_add(1, std::memory_order_release);
  boost::asio::post(io_, [this, task = std::move(task)] {
    posted_.fetch_sub(1, std::memory_order_relaxed);
    task();
  });
}

void EventLoop::call_at(std::int64_t due_ns, Task task) {
  timers_.push_back({due_ns, timer_order_++, std::move(task)});
  std::push_heap(timers_.begin(), timers_.end(), [](const Timer& a, const Timer& b) { return a.is_after(b); });
}

int EventLoop::watch(int fd, std::uint32_t events, Watcher& watcher) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

int EventLoop::rewatch(int fd, std::uint32_t events, Watcher& watcher) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
}

void EventLoop::unwatch(int fd) noexcept {
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

}  // namespace loadgen
