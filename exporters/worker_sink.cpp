// The thread behind a queue, and its end.
#include "exporters/worker_sink.hpp"

#include <sys/resource.h>
#include <unistd.h>

namespace exporters {
namespace {

constexpr int delivery_niceness = 10;

}  // namespace

SinkAccount WorkerSink::finish() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (!stopping_) deadline_ = Clock::now() + drain_time_;
    stopping_ = true;
  }
  wake_.notify_one();
  if (worker_.joinable()) worker_.join();
  SinkAccount settled = account();
  assert(settled.is_settled());
  return settled;
}

void WorkerSink::start() {
  worker_ = std::thread([this] {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), delivery_niceness);
    run();
  });
}

}  // namespace exporters
