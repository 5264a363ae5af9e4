// Only addresses are kept, and asking for one that is no longer there is harmless: nothing here needs to hear of
// matrices that go.
#include "kernels/cpu/read_ahead.hpp"

#include <algorithm>

namespace kernels {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPiece = 32 * kLine;
constexpr std::size_t kMost = std::size_t{512} << 10U;  ///< of a thread: what stays in the second-level cache

}  // namespace

void ReadAhead::begin(const void* key, std::span<const std::uint8_t* const> starts, std::size_t bytes) {
  Product& here = after_[last_];
  here.starts.assign(starts.begin(), starts.end());
  here.bytes = std::min(bytes, kMost);
  last_ = key;
  const auto next = after_.find(key);
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    const bool known = next != after_.end() && i < next->second.starts.size();
    wanted_[i].bytes.store(known ? next->second.bytes : 0, std::memory_order_relaxed);
    wanted_[i].from.store(known ? next->second.starts[i] : nullptr, std::memory_order_relaxed);
  }
}

bool ReadAhead::fetch(std::size_t thread) noexcept {
  const std::uint8_t* const from = wanted_[thread].from.load(std::memory_order_relaxed);
  Fetched& fetched = fetched_[thread];
  if (from != fetched.from) fetched = {from, 0};
  if (fetched.bytes >= wanted_[thread].bytes.load(std::memory_order_relaxed)) return false;
  for (std::size_t i = 0; i < kPiece; i += kLine) __builtin_prefetch(from + fetched.bytes + i, 0, 2);
  fetched.bytes += kPiece;
  return true;
}

}  // namespace kernels
