// The event loop of one I/O thread: an Asio io_context that waits for one level-triggered epoll set of all request
// sockets and for functions posted by other threads; timers to the nanosecond, and what can wait until there is nothing
// else to do. Knows nothing of HTTP.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/file_descriptor.hpp"

namespace loadgen {

/// Told when its descriptor is ready. Stays alive until the batch of events that may name it is over (see `retire`).
class Watcher {
 public:
  /// `events`: epoll's bits (EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP).
  virtual void on_ready(std::uint32_t events) = 0;
  /// Its turn is near: brings what `on_ready` will touch into the cache. Of a thousand streams each is cold. What is
  /// found by looking into that comes one turn later, `get_nearer`.
  virtual void get_near() const noexcept {}
  virtual void get_nearer() const noexcept {}
  virtual ~Watcher() = default;
};

class EventLoop {
 public:
  using Task = std::function<void()>;

  /// Throws std::system_error when the kernel gives no descriptors.
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until `stop`. Within one turn: everything that is ready, a timer as soon as it is due even between two of
  /// those, then what was posted; `idle` only when nothing was ready.
  void run();
  void stop() noexcept { stopped_ = true; }

  /// Runs `task` on the loop's thread between two events; callable from any thread.
  void post(Task task);

  /// Runs `task` once, at `due_ns` of the monotonic clock or as soon after as the thread can.
  void call_at(std::int64_t due_ns, Task task);

  /// Called whenever there is nothing to be read and no timer due, as long as it returns true ("there is more");
  /// asked again after `wake_idle`.
  void set_idle(std::function<bool()> idle) { idle_ = std::move(idle); }
  void wake_idle() noexcept { idle_wanted_ = true; }

  /// Lets what becomes ready gather: a turn begins no sooner than this after the last one that found something, unless
  /// that one left something behind or a timer is due before. Waking up costs more than reading one event. 0: at once.
  void set_gathering(std::int64_t ns) noexcept { gather_ns_ = ns; }

  /// Adds, changes, removes a descriptor. Returns 0 or errno.
  int watch(int fd, std::uint32_t events, Watcher& watcher) noexcept;
  int rewatch(int fd, std::uint32_t events, Watcher& watcher) noexcept;
  void unwatch(int fd) noexcept;

  /// Destroys `watcher` once no event of the current batch can name it any more.
  void retire(std::unique_ptr<Watcher> watcher) { retired_.push_back(std::move(watcher)); }

  /// A reading of the clock that somebody needed anyway: due timers are noticed by it.
  void saw_time(std::int64_t now_ns) noexcept { now_ns_ = now_ns; }
  /// The latest of those: when what is being handled was read, or when the thread woke up.
  std::int64_t now_ns() const noexcept { return now_ns_; }

 private:
  struct Timer {
    std::int64_t due_ns = 0;
    std::uint64_t order = 0;  ///< of two timers for one instant the earlier asked one comes first
    Task task;
    bool is_after(const Timer& other) const noexcept {
      return due_ns != other.due_ns ? due_ns > other.due_ns : order > other.order;
    }
  };

  void wait();
  void ask_asio();
  void await_set();
  void handle_ready();
  void arm_alarm(std::int64_t due_ns) noexcept;
  bool gather() noexcept;
  void run_due_timers();
  std::int64_t next_due() const noexcept { return timers_.empty() ? INT64_MAX : timers_.front().due_ns; }

  struct Alarm final : Watcher {
    void on_ready(std::uint32_t) override { armed_ns = 0; }
    std::int64_t armed_ns = 0;  ///< when it will go off; 0: it has
  };

  static constexpr std::size_t batch_limit = 64;

  boost::asio::io_context io_{1};
  boost::asio::posix::stream_descriptor set_;  ///< the epoll set
  std::atomic<std::uint32_t> posted_{0};       ///< tasks that have not been run
  FileDescriptor alarm_fd_;
  Alarm alarm_;
  bool stopped_ = false;
  bool idle_wanted_ = false;
  std::size_t ready_ = 0;  ///< how many descriptors were in the last turn
  std::int64_t gather_ns_ = 0;
  std::int64_t woke_ns_ = 0;  ///< when the last turn began
  std::int64_t now_ns_ = 0;
  std::uint64_t timer_order_ = 0;
  std::vector<Timer> timers_;  ///< a heap, the next one in front
  std::function<bool()> idle_;
  std::vector<std::unique_ptr<Watcher>> retired_;
};

}  // namespace loadgen
