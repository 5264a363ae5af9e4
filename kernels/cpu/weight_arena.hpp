// Memory for weights: big mappings in huge pages where the system gives them, handed out in lines of 64 bytes. Reading
// weights is what decoding does, and with small pages a tenth of that time is spent on looking up addresses.
#pragma once

#include <cstddef>
#include <memory>

namespace kernels {

/// One thread at a time. What it hands out lives as long as its holder, the arena may go before it.
class WeightArena {
 public:
  /// `bytes` (at least 1) rounded up to whole lines, zeroed, aligned to 64. A mapping is returned to the system when
  /// the last allocation in it is gone. Throws std::bad_alloc.
  std::shared_ptr<std::byte> allocate(std::size_t bytes);

 private:
  std::shared_ptr<std::byte> chunk_;
  std::size_t chunk_size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace kernels
