// The KV blocks of one model: who holds which, what they contain, which to give away next. Knows block ids and token
// ids only; the memory behind a block belongs to the engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "refserver/schedule/ids.hpp"
#include "refserver/schedule/prefix_chain.hpp"

namespace refserver {

struct BlockPoolConfig {
  std::string model;              ///< part of every cached prefix's name
  std::uint32_t blocks = 0;       ///< with the padding block, at least 2
  std::uint32_t block_size = 16;  ///< token slots per block, at least 1
  /// Applied to the names of prefixes. Tests clear bits to make collisions common; a collision costs a miss.
  std::uint64_t name_mask = ~std::uint64_t{0};
};

/// The leading blocks of a sequence that are already computed.
struct PrefixHit {
  std::vector<BlockId> blocks;
  std::uint32_t tokens = 0;
  std::uint32_t unreferenced = 0;  ///< of the blocks, those that taking the hit removes from the free ones
};

/// What a forked sequence starts with. If `copy_slots` > 0, the engine must copy that many slots before the next step.
struct Fork {
  std::vector<BlockId> table;
  BlockId copy_from = kPaddingBlock;
  BlockId copy_to = kPaddingBlock;
  std::uint32_t copy_slots = 0;
};

/// One block as it stands, for tests and dumps.
struct BlockFacts {
  std::uint32_t references = 0;
  std::uint32_t written = 0;        ///< slots holding valid K/V
  bool is_published = false;        ///< the prefix cache may hand it out
  std::uint64_t content = 0;        ///< equal for published blocks of equal context; 0: unpublished
  std::uint64_t parent = 0;         ///< the content before it; 0: it starts a sequence
  std::uint64_t name = 0;           ///< of the content; meaningful if published
  std::span<const TokenId> tokens;  ///< of a published block, else empty
};

/// Blocks with references are used; all others are free, whether or not they still hold something the cache could hand
/// out. The free ones are kept in the order in which they will be given away.
class BlockPool {
 public:
  /// Throws std::invalid_argument if the config is out of range.
  explicit BlockPool(BlockPoolConfig config);

  std::uint32_t block_size() const { return config_.block_size; }
  /// Blocks that can be used: all but the padding block.
  std::uint32_t capacity() const { return config_.blocks - 1; }
  std::uint32_t free_blocks() const { return free_; }
  std::uint32_t used_blocks() const { return capacity() - free_; }
  /// Free blocks the prefix cache can still hand out.
  std::uint32_t cached_blocks() const { return free_published_; }
  /// Blocks that hold `tokens` slots.
  std::uint32_t blocks_for(std::uint64_t tokens) const;

  /// Appends `count` blocks, holding one reference each, to `table`; false and nothing changed if fewer are free.
  bool try_allocate(std::uint32_t count, std::vector<BlockId>& table);
  /// Drops one reference of each block and empties the table. The last block becomes the first to be given away, so
  /// that a cached block never outlives the one it continues.
  void release(std::vector<BlockId>& table);
  /// A second table for a sequence of which `computed` tokens are computed: full blocks are shared, a partly filled
  /// one is to be copied. Empty and nothing changed if the copy finds no block.
  std::optional<Fork> try_fork(std::span<const BlockId> table, std::uint32_t computed);

  /// The longest cached prefix of `tokens` made of whole blocks, at most `max_tokens` long. Takes nothing.
  PrefixHit find_prefix(std::span<const TokenId> tokens, std::uint32_t max_tokens, PrefixChain& chain) const;
  /// Adds a reference to each block of a hit and puts them into an empty table. Valid until the pool next changes.
  void take(const PrefixHit& hit, std::vector<BlockId>& table);
  /// Makes blocks [published, computed / block_size) of the sequence available to others; returns how many leading
  /// blocks are dealt with, to be passed the next time. To be called only after the step that computed them.
  std::uint32_t publish(std::span<const BlockId> table, std::span<const TokenId> tokens, std::uint32_t published,
                        std::uint32_t computed, PrefixChain& chain);
  /// Forgets all cached content. Only while nothing is used.
  void reset();

  /// Says that the first `slots` slots of a used block hold valid K/V. For the utilisation only.
  void set_written(BlockId block, std::uint32_t slots);
  /// Written slots of the used blocks, shared blocks counted once. Their share of used_blocks() * block_size() is the
  /// KV utilisation.
  std::uint64_t written_slots() const { return written_slots_; }

  std::uint64_t generation() const { return generation_; }
  std::uint64_t evictions() const { return evictions_; }    ///< published blocks given away
  std::uint64_t collisions() const { return collisions_; }  ///< blocks left unpublished because of their name
  /// Grows with every change after which a look-up or an allocation may turn out differently.
  std::uint64_t version() const { return version_; }

  BlockFacts describe(BlockId block) const;
  std::vector<BlockId> free_order() const;  ///< next to be given away first
  std::size_t cached_contents() const { return index_.size(); }

 private:
  struct Block {
    std::uint32_t references = 0;
    std::uint32_t written = 0;
    BlockId previous = kPaddingBlock;  ///< in the free list
    BlockId next = kPaddingBlock;
    BlockId previous_twin = kPaddingBlock;  ///< among the blocks of equal content
    BlockId next_twin = kPaddingBlock;
    bool is_published = false;
    std::uint64_t name = 0;
  };
  /// What one or more blocks hold. `number` is never used twice, so a link to a parent cannot come to mean another.
  struct Content {
    std::uint64_t number = 0;
    std::uint64_t parent = 0;
    std::string salt;               ///< of contents without a parent
    BlockId first = kPaddingBlock;  ///< used blocks come before free ones
    BlockId last = kPaddingBlock;
  };

  void reference(BlockId id);
  void unreference(BlockId id);
  void append_free(BlockId id);
  void remove_free(BlockId id);
  void unpublish(BlockId id);
  void append_twin(Content& content, BlockId id);
  void prepend_twin(Content& content, BlockId id);
  void remove_twin(Content& content, BlockId id);
  void extend(PrefixChain& chain, std::span<const TokenId> tokens, std::size_t blocks) const;
  bool try_publish(BlockId id, std::uint64_t parent, std::uint64_t name, std::span<const TokenId> tokens,
                   const PrefixChain& chain);
  bool holds(const Content& content, std::uint64_t parent, std::span<const TokenId> tokens,
             const PrefixChain& chain) const;
  std::span<const TokenId> tokens_of(BlockId id) const;

  BlockPoolConfig config_;
  std::vector<Block> blocks_;    ///< block 0 is the sentinel of the free list
  std::vector<TokenId> tokens_;  ///< block_size per block
  std::unordered_map<std::uint64_t, Content> index_;
  std::uint32_t free_ = 0;
  std::uint32_t free_published_ = 0;
  std::uint64_t written_slots_ = 0;
  std::uint64_t contents_ = 0;
  std::uint64_t generation_ = 1;
  std::uint64_t evictions_ = 0;
  std::uint64_t collisions_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace refserver
