// Who sends what: how one plan is dealt to several processes, and in each to several threads. Pure; the same answer on
// every machine, so nobody has to ask.
#pragma once

#include <cstdint>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// One thread's place in a run: thread `thread` of `threads` in process `shard` of `shards`.
struct Share {
  std::uint32_t shard = 0, shards = 1;
  std::uint32_t thread = 0, threads = 1;
};

/// How many of `total` fall to `index` of `count` when they are dealt one by one.
constexpr std::uint64_t share_of(std::uint64_t total, std::uint32_t index, std::uint32_t count) noexcept {
  return total / count + (index < total % count ? 1 : 0);
}

/// Deals the requests of an open loop. Constant arrivals go round, so that each process is evenly spaced too; all
/// others by a random draw per index: then each process of a Poisson plan is itself Poisson, and what is left of the
/// plan when one is lost still is. In a process its threads take turns.
class OpenDeal {
 public:
  OpenDeal(Arrivals arrivals, std::uint64_t seed, Share share) noexcept
      : arrivals_(arrivals), seed_(seed), share_(share) {}

  /// Which process sends this request.
  std::uint32_t shard_of(std::uint64_t index) const noexcept;

  /// To be asked for every index in turn, from 0: is it this thread's?
  bool is_mine(std::uint64_t index) noexcept;

 private:
  Arrivals arrivals_;
  std::uint64_t seed_;
  Share share_;
  std::uint64_t dealt_ = 0;  ///< requests of this process so far
};

/// Deals the users of a closed loop, which go round over processes and then over the threads of each. User u's turn n
/// is request n * users + u of the plan, whenever and wherever it is sent.
class ClosedDeal {
 public:
  ClosedDeal(std::uint32_t users, Share share) noexcept : users_(users), share_(share) {}

  /// Users of this thread.
  std::uint32_t slots() const noexcept;
  /// The user in the thread's slot.
  std::uint32_t user(std::uint32_t slot) const noexcept;
  std::uint64_t request(std::uint32_t slot, std::uint64_t turn) const noexcept;

 private:
  std::uint32_t users_;
  Share share_;
};

}  // namespace loadgen
