// A few threads that share the chunks of one loop after another. Knows nothing of matrices.
//
// Chunks are claimed one at a time from a common counter, so a thread that loses its core delays the loop by the chunk
// it holds and no more; the others take the rest. Waiting spins for a bounded time, then sleeps in the kernel, which
// also frees a core for the thread that is waited for. Which thread runs a chunk must not matter to its result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace kernels {

/// Cores this process may run on; at least 1.
std::size_t usable_cores() noexcept;

class ThreadPool {
 public:
  /// `threads` including the caller of `run`; 0 means usable_cores(). Throws std::system_error if threads run out.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const noexcept { return workers_.size() + 1; }

  /// Calls chunk(i) once for each i in [0, chunks), in any order, on any thread, and returns when all have returned.
  /// Everything before the call happens before every chunk, and every chunk before the return. One caller at a time;
  /// `chunk` must not throw and must not call `run`. At most kMaxChunks chunks.
  void run(std::size_t chunks, const std::function<void(std::size_t)>& chunk);

  static constexpr std::size_t kMaxChunks = std::size_t{1} << 19U;

 private:
  using Chunk = std::function<void(std::size_t)>;
  /// Runs chunks of the current loop until none is left unclaimed.
  void work();
  void serve();
  /// Whether there is an unclaimed chunk, or the end.
  bool has_work() const noexcept;

  // One word says which loop is on, how many chunks it has and which is next, so that claiming is one addition and a
  // thread that comes late can never take a chunk of a loop it has not seen: generation (24) | chunks (20) | next (20).
  alignas(64) std::atomic<std::uint64_t> loop_{0};
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::atomic<const Chunk*> chunk_{nullptr};
  alignas(64) std::atomic<std::uint32_t> wakes_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace kernels
