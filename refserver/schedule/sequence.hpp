// One request inside the scheduler: its tokens, how many of them are computed, the blocks that hold them, and where it
// stands. Plain state; the scheduler and its parts change it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "refserver/schedule/ids.hpp"
#include "refserver/schedule/prefix_chain.hpp"
#include "refserver/schedule/request_spec.hpp"
#include "refserver/schedule/stop_rules.hpp"
#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

struct Tenant;

/// Place in the waiting queue; smaller is earlier.
struct QueueKey {
  std::int64_t group = 0;
  std::int64_t weight = 0;
  std::uint64_t order = 0;
  auto operator<=>(const QueueKey&) const = default;
};

enum class Place : std::uint8_t { waiting, running };

/// Which list of the running set a sequence belongs to; `none` if it waits or its next token is not due.
enum class ReadyList : std::uint8_t { none, decoding, prefilling };

struct Sequence {
  static constexpr std::size_t kNoRow = ~std::size_t{0};

  RequestSpec spec;             ///< its prompt has moved to `tokens`
  std::vector<TokenId> tokens;  ///< prompt and accepted output
  std::vector<TokenId> drafts;  ///< guesses at what follows
  std::vector<BlockId> table;
  PrefixChain chain;

  std::uint32_t prompt_tokens = 0;
  std::uint32_t computed = 0;         ///< leading tokens whose K/V is in the table's blocks
  std::uint32_t furthest = 0;         ///< the most that `computed` ever was
  std::uint32_t published = 0;        ///< leading blocks offered to the prefix cache
  std::uint32_t cached_tokens = 0;    ///< never computed here, because the cache had them
  std::uint32_t promised_blocks = 0;  ///< of its prompt, still to be taken
  std::uint32_t preemptions = 0;

  std::uint64_t order = 0;  ///< of arrival
  TimePoint queued;
  std::optional<TimePoint> scheduled;   ///< when it was first given blocks
  std::optional<TimePoint> not_before;  ///< no row for it earlier

  Place place = Place::waiting;
  ReadyList list = ReadyList::none;
  bool is_decoding = false;   ///< running, and one token is left to compute
  bool was_bypassed = false;  ///< a later request was let in first, once
  bool is_cancelled = false;  ///< while a step with a row of it was under way
  std::size_t row = kNoRow;   ///< in the plan under way
  Tenant* tenant = nullptr;
  QueueKey key;

  StopRules stop;
  std::unique_ptr<TokenText> text;

  std::uint32_t known() const { return static_cast<std::uint32_t>(tokens.size()); }
  std::uint32_t to_compute() const { return known() - computed; }
  std::uint32_t produced() const { return known() - prompt_tokens; }
  std::uint32_t still_allowed() const { return spec.max_new_tokens - produced(); }
};

}  // namespace refserver
