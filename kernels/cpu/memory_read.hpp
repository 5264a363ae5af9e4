// How fast this machine reads memory that is in no cache: the limit of decoding, measured beside it. Knows no weights.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace kernels {

class MemoryRead {
 public:
  /// Holds `bytes` (rounded up to whole MiB; several times the last-level cache, or that is measured) in huge pages
  /// where the system gives them, as weights are held. `threads` as in ThreadPool. Throws std::bad_alloc.
  explicit MemoryRead(std::size_t threads, std::size_t bytes = std::size_t{512} << 20U);

  std::size_t bytes() const noexcept { return bytes_; }
  /// Reads everything once from front to back, with the widest instructions this machine has. Gives a sum, so that
  /// nothing can be left out.
  float read();
  /// Bytes per second of the fastest of `rounds` (at least 1) readings: what disturbs can only slow one down.
  double measure(std::size_t rounds);

 private:
  const KernelTable* kernels_;
  ThreadPool pool_;
  std::size_t bytes_;
  std::shared_ptr<std::byte> memory_;
};

}  // namespace kernels
