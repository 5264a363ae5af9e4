// One queue, several threads; an outstanding task keeps the I/O loop from running dry.
#include "refserver/http/validation_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

namespace refserver {

ValidationPool::ValidationPool(boost::asio::io_context& io, std::size_t threads) : io_(io) {
  for (std::size_t n = 0; n < std::max<std::size_t>(threads, 1); ++n) threads_.emplace_back([this] { serve(); });
}

ValidationPool::~ValidationPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ValidationPool::run(std::function<void()> work, std::function<void()> done) {
  auto guard =
      std::make_shared<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>(io_.get_executor());
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), [guard, done = std::move(done)] { done(); }});
  }
  wake_.notify_one();
}

void ValidationPool::serve() {
  pthread_setname_np(pthread_self(), "validation");
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      if (is_stopping_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task.work();
    boost::asio::post(io_, std::move(task.done));
  }
}

}  // namespace refserver
