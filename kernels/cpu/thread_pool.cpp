// Subtleness ahead: see the comment on `loop_` in the header, and the pairing of fences at "sleep" below.
#include "kernels/cpu/thread_pool.hpp"

#include <sched.h>

#include <cassert>
#include <chrono>

namespace kernels {
namespace {

constexpr unsigned kIndexBits = 20;
constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;
/// Long enough to bridge the gap between two loops of a layer, short enough not to burn a core between requests.
constexpr std::chrono::microseconds kSpin{50};

std::uint64_t next_of(std::uint64_t loop) {
  return loop & kIndexMask;
}
std::uint64_t chunks_of(std::uint64_t loop) {
  return loop >> kIndexBits & kIndexMask;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Whether `ready` came true within kSpin.
template <class Ready>
bool spin_until(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

std::size_t usable_cores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? static_cast<std::size_t>(count) : 1;
}

ThreadPool::ThreadPool(std::size_t threads) {
  const std::size_t wanted = threads == 0 ? usable_cores() : threads;
  for (std::size_t i = 1; i < wanted; ++i) workers_.emplace_back([this] { serve(); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  wakes_.fetch_add(1);
  wakes_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t chunks, const Chunk& chunk) {
  assert(chunks <= kMaxChunks);
  if (chunks == 0) return;
  if (chunks == 1 || workers_.empty()) {
    for (std::size_t i = 0; i < chunks; ++i) chunk(i);
    return;
  }
  // All chunks of the loop before have returned, so nobody reads these two.
  chunk_.store(&chunk, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t generation = (loop_.load(std::memory_order_relaxed) >> 2 * kIndexBits) + 1;
  loop_.store(generation << 2 * kIndexBits | std::uint64_t{chunks} << kIndexBits);
  // Sequentially consistent with the sleeper's: either it is seen here, or it sees the new loop there.
  if (sleepers_.load() > 0) {
    wakes_.fetch_add(1);
    wakes_.notify_all();
  }
  work();
  const auto total = static_cast<std::uint32_t>(chunks);
  if (spin_until([&] { return done_.load(std::memory_order_acquire) == total; })) return;
  for (std::uint32_t done = done_.load(std::memory_order_acquire); done != total;
       done = done_.load(std::memory_order_acquire)) {
    done_.wait(done, std::memory_order_acquire);
  }
}

bool ThreadPool::has_work() const noexcept {
  const std::uint64_t loop = loop_.load();
  return next_of(loop) < chunks_of(loop) || stop_.load();
}

void ThreadPool::work() {
  // Looking first keeps threads with nothing to do from counting `next` up for ever.
  while (has_work()) {
    const std::uint64_t loop = loop_.fetch_add(1, std::memory_order_acq_rel);
    const std::uint64_t chunks = chunks_of(loop);
    if (next_of(loop) >= chunks) return;
    // This chunk has not returned, so the loop is still on: `chunk_` is its own.
    (*chunk_.load(std::memory_order_relaxed))(next_of(loop));
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == chunks) done_.notify_all();
  }
}

void ThreadPool::serve() {
  while (!stop_.load()) {
    work();
    if (spin_until([this] { return has_work(); })) continue;
    const std::uint32_t seen = wakes_.load();
    sleepers_.fetch_add(1);  // sleep
    if (!has_work()) wakes_.wait(seen);
    sleepers_.fetch_sub(1);
  }
}

}  // namespace kernels
