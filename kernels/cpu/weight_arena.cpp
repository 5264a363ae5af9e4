// Chunks of 32 MiB; what is larger gets a mapping of its own.
#include "kernels/cpu/weight_arena.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace kernels {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::size_t kChunk = std::size_t{32} << 20U;
constexpr std::size_t kLine = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Zeroed memory aligned to huge pages: one page more than needed is reserved, and never touched outside.
std::shared_ptr<std::byte> map(std::size_t bytes) {
  const std::size_t reserved = bytes + kHugePage;
  void* base = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  const std::size_t skip = kHugePage - reinterpret_cast<std::uintptr_t>(base) % kHugePage;
  std::byte* begin = static_cast<std::byte*>(base) + skip % kHugePage;
#ifdef MADV_HUGEPAGE
  (void)madvise(begin, bytes, MADV_HUGEPAGE);  // Advice: without it the same memory, a little slower.
#endif
  return {begin, [base, reserved](std::byte*) { munmap(base, reserved); }};
}

}  // namespace

std::shared_ptr<std::byte> WeightArena::allocate(std::size_t bytes) {
  const std::size_t size = round_up(bytes, kLine);
  if (size > kChunk / 2) return map(round_up(size, kHugePage));
  if (used_ + size > chunk_size_) {
    chunk_ = map(kChunk);
    chunk_size_ = kChunk;
    used_ = 0;
  }
  std::shared_ptr<std::byte> part(chunk_, chunk_.get() + used_);
  used_ += size;
  return part;
}

}  // namespace kernels
