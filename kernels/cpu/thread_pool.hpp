// A few threads that share the chunks of one loop after another. Knows nothing of matrices.
//
// Each thread begins with a share of neighbouring chunks and takes them in order, so that what lies in a row in memory
// is read in a row; one that has none left takes half of what another still has. A thread that loses its core delays
// the loop by the chunk it holds and no more: the others take the rest. Waiting spins for a bounded time, then sleeps
// in the kernel, which also frees a core for the thread that is waited for. Which thread runs a chunk must not matter
// to its result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace kernels {

/// Cores this process may run on; at least 1.
std::size_t usable_cores() noexcept;

class ThreadPool {
 public:
  /// `threads` including the caller of `run`; 0 means usable_cores(). Throws std::system_error if threads run out.
  /// `meanwhile` is called again and again by threads that wait for a loop to begin or to end, while it gives true:
  /// with the thread's number, 0 for the caller of `run`. It must return within a microsecond and not throw.
  explicit ThreadPool(std::size_t threads, std::function<bool(std::size_t)> meanwhile = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const noexcept { return workers_.size() + 1; }

  /// Calls chunk(i) once for each i in [0, chunks), in any order, on any thread, and returns when all have returned.
  /// Everything before the call happens before every chunk, and every chunk before the return. One caller at a time;
  /// `chunk` must not throw and must not call `run`. At most kMaxChunks chunks.
  void run(std::size_t chunks, const std::function<void(std::size_t)>& chunk);

  /// Where the share that a thread begins with starts: the first of `chunks` for thread 0, `chunks` for threads().
  std::size_t share_begin(std::size_t chunks, std::size_t thread) const noexcept { return chunks * thread / threads(); }

  static constexpr std::size_t kMaxChunks = std::size_t{1} << 19U;

 private:
  using Chunk = std::function<void(std::size_t)>;
  /// What a thread has still to do of a loop. One word, so that owner and thieves agree, and a thread that comes late
  /// can never take a chunk of a loop it has not seen: loop (24) | next (20) | end (20).
  struct alignas(64) Share {
    std::atomic<std::uint64_t> word{0};
  };

  /// Runs chunks of a loop until none is left unclaimed.
  void work(std::uint64_t loop, std::size_t thread);
  std::optional<std::size_t> claim(std::uint64_t loop, std::size_t thread);
  /// Moves half of what another thread has left to this one, which has nothing.
  bool steal(std::uint64_t loop, std::size_t thread);
  void serve(std::size_t thread);
  /// Whether there is a loop other than `seen`, an unclaimed chunk, or the end.
  bool has_work(std::uint64_t seen) const noexcept;

  /// Whether `ready` came true before long.
  template <class Ready>
  bool spin_until(std::size_t thread, const Ready& ready);

  std::function<bool(std::size_t)> meanwhile_;
  std::vector<Share> shares_;                       ///< one per thread, the caller's first
  alignas(64) std::atomic<std::uint64_t> loop_{0};  ///< number of the current one, 24 bits
  std::atomic<std::uint32_t> chunks_{0};            ///< of the current loop; in one cache line with its number
  std::atomic<const Chunk*> chunk_{nullptr};
  alignas(64) std::atomic<std::uint32_t> done_{0};  ///< chunks that have returned
  alignas(64) std::atomic<std::uint32_t> wakes_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace kernels
