// Subtleness ahead: see the comment on `loop_` in the header, and the pairing of fences at "sleep" below.
#include "kernels/cpu/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

namespace kernels {
namespace {

constexpr unsigned kIndexBits = 20;
constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;
constexpr std::uint64_t kLoopMask = (std::uint64_t{1} << (64 - 2 * kIndexBits)) - 1;
/// Long enough to bridge the gap between two loops of a layer, short enough not to burn a core between requests.
constexpr std::chrono::microseconds kSpin{50};

struct Range {
  std::uint64_t next;
  std::uint64_t end;
  bool is_empty() const noexcept { return next >= end; }
};
/// Nothing, if the word is of another loop.
Range range_of(std::uint64_t word, std::uint64_t loop) {
  if (word >> 2 * kIndexBits != loop) return {0, 0};
  return {word >> kIndexBits & kIndexMask, word & kIndexMask};
}
std::uint64_t word_of(std::uint64_t loop, Range range) {
  return loop << 2 * kIndexBits | range.next << kIndexBits | range.end;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

std::size_t usable_cores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? static_cast<std::size_t>(count) : 1;
}

ThreadPool::ThreadPool(std::size_t threads, std::function<bool(std::size_t)> meanwhile)
    : meanwhile_(std::move(meanwhile)), shares_(threads == 0 ? usable_cores() : threads) {
  for (std::size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i] { serve(i); });
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
  // All chunks of the loop before have returned, so nobody reads these three.
  chunk_.store(&chunk, std::memory_order_relaxed);
  chunks_.store(static_cast<std::uint32_t>(chunks), std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t loop = (loop_.load(std::memory_order_relaxed) + 1) & kLoopMask;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const std::uint64_t word = word_of(loop, {share_begin(chunks, i), share_begin(chunks, i + 1)});
    shares_[i].word.store(word, std::memory_order_relaxed);
  }
  // Only now may anybody take from a share: a thief would put what it took where its own share is still to come.
  loop_.store(loop);
  // Sequentially consistent with the sleeper's: either it is seen here, or it sees the new loop there.
  if (sleepers_.load() > 0) {
    wakes_.fetch_add(1);
    wakes_.notify_all();
  }
  work(loop, 0);
  const auto total = static_cast<std::uint32_t>(chunks);
  if (spin_until(0, [&] { return done_.load(std::memory_order_acquire) == total; })) return;
  for (std::uint32_t done = done_.load(std::memory_order_acquire); done != total;
       done = done_.load(std::memory_order_acquire)) {
    done_.wait(done, std::memory_order_acquire);
  }
}

template <class Ready>
bool ThreadPool::spin_until(std::size_t thread, const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      if (!meanwhile_ || !meanwhile_(thread)) pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

bool ThreadPool::has_work(std::uint64_t seen) const noexcept {
  if (loop_.load() != seen || stop_.load(std::memory_order_relaxed)) return true;
  return std::ranges::any_of(shares_, [&](const Share& share) {
    return !range_of(share.word.load(std::memory_order_relaxed), seen).is_empty();
  });
}

std::optional<std::size_t> ThreadPool::claim(std::uint64_t loop, std::size_t thread) {
  std::atomic<std::uint64_t>& own = shares_[thread].word;
  std::uint64_t word = own.load(std::memory_order_acquire);
  for (Range left = range_of(word, loop); !left.is_empty(); left = range_of(word, loop)) {
    const std::uint64_t rest = word_of(loop, {left.next + 1, left.end});
    if (own.compare_exchange_weak(word, rest, std::memory_order_acq_rel, std::memory_order_acquire)) return left.next;
  }
  return std::nullopt;
}

bool ThreadPool::steal(std::uint64_t loop, std::size_t thread) {
  for (std::size_t i = 1; i < shares_.size(); ++i) {
    std::atomic<std::uint64_t>& other = shares_[(thread + i) % shares_.size()].word;
    std::uint64_t word = other.load(std::memory_order_acquire);
    for (Range left = range_of(word, loop); !left.is_empty(); left = range_of(word, loop)) {
      const std::uint64_t middle = left.next + (left.end - left.next) / 2;
      const std::uint64_t kept = word_of(loop, {left.next, middle});
      if (!other.compare_exchange_weak(word, kept, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      // The loop cannot end before these have returned, and nobody takes from an empty share: a store is enough.
      shares_[thread].word.store(word_of(loop, {middle, left.end}), std::memory_order_release);
      return true;
    }
  }
  return false;
}

void ThreadPool::work(std::uint64_t loop, std::size_t thread) {
  // Counted together: every thread writes `done_`, and between distant cores each time costs as much as a small chunk.
  std::uint32_t returned = 0;
  do {
    while (const auto index = claim(loop, thread)) {
      // This chunk is not counted yet, so the loop is still on: `chunk_` and `chunks_` are its own.
      (*chunk_.load(std::memory_order_relaxed))(*index);
      ++returned;
    }
  } while (steal(loop, thread));
  if (returned == 0) return;
  const std::uint32_t chunks = chunks_.load(std::memory_order_relaxed);
  if (done_.fetch_add(returned, std::memory_order_acq_rel) + returned == chunks) done_.notify_all();
}

void ThreadPool::serve(std::size_t thread) {
  while (!stop_.load()) {
    const std::uint64_t seen = loop_.load();
    work(seen, thread);
    if (spin_until(thread, [&] { return has_work(seen); })) continue;
    const std::uint32_t wakes = wakes_.load();
    sleepers_.fetch_add(1);  // sleep
    if (!has_work(seen)) wakes_.wait(wakes);
    sleepers_.fetch_sub(1);
  }
}

}  // namespace kernels
