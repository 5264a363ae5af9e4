// A few threads for work that would hold up the I/O thread: tokenising long prompts. Bounded by the permits of the
// requests that use it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace refserver {

class ValidationPool {
 public:
  /// `io` gets the second half of every task; it must outlive the pool. At least one thread is started.
  ValidationPool(boost::asio::io_context& io, std::size_t threads);
  /// Waits for the task that runs in each thread; those that wait are dropped.
  ~ValidationPool();
  ValidationPool(const ValidationPool&) = delete;
  ValidationPool& operator=(const ValidationPool&) = delete;

  /// `work` on a thread of the pool, then `done` on the I/O thread. Tasks start in order; they may end out of it.
  void run(std::function<void()> work, std::function<void()> done);

 private:
  struct Task {
    std::function<void()> work;
    std::function<void()> done;
  };
  void serve();

  boost::asio::io_context& io_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> waiting_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace refserver
