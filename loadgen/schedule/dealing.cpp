// Round by round, or by a keyed draw.
#include "loadgen/schedule/dealing.hpp"

#include "loadgen/plan/keyed_random.hpp"

namespace loadgen {

std::uint32_t OpenDeal::shard_of(std::uint64_t index) const noexcept {
  if (share_.shards == 1) return 0;
  if (arrivals_ == Arrivals::constant) return static_cast<std::uint32_t>(index % share_.shards);
  return static_cast<std::uint32_t>(((keyed_bits(seed_, Draw::owner, index) >> 32) * share_.shards) >> 32);
}

bool OpenDeal::is_mine(std::uint64_t index) noexcept {
  return shard_of(index) == share_.shard && dealt_++ % share_.threads == share_.thread;
}

std::uint32_t ClosedDeal::slots() const noexcept {
  return static_cast<std::uint32_t>(
      share_of(share_of(users_, share_.shard, share_.shards), share_.thread, share_.threads));
}

std::uint32_t ClosedDeal::user(std::uint32_t slot) const noexcept {
  return share_.shard + (share_.thread + slot * share_.threads) * share_.shards;
}

std::uint64_t ClosedDeal::request(std::uint32_t slot, std::uint64_t turn) const noexcept {
  return turn * users_ + user(slot);
}

}  // namespace loadgen
