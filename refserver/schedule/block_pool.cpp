// Block 0 is the sentinel of a circular free list; blocks of equal content are chained under one index entry.
#include "refserver/schedule/block_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <utility>

namespace refserver {

BlockPool::BlockPool(BlockPoolConfig config) : config_(std::move(config)) {
  if (config_.blocks < 2 || config_.block_size < 1) {
    throw std::invalid_argument(fmt::format("a pool needs at least 2 blocks of at least 1 slot, not {} of {}",
                                            config_.blocks, config_.block_size));
  }
  blocks_.resize(config_.blocks);
  tokens_.resize(std::size_t{config_.blocks} * config_.block_size);
  for (BlockId id = 1; id < config_.blocks; ++id) append_free(id);
}

std::uint32_t BlockPool::blocks_for(std::uint64_t tokens) const {
  return static_cast<std::uint32_t>((tokens + config_.block_size - 1) / config_.block_size);
}

// ---- the free list --------------------------------------------------------------------------------------------------

void BlockPool::append_free(BlockId id) {
  Block& block = blocks_[id];
  block.previous = blocks_[kPaddingBlock].previous;
  block.next = kPaddingBlock;
  blocks_[block.previous].next = id;
  blocks_[kPaddingBlock].previous = id;
  ++free_;
  if (block.is_published) ++free_published_;
  ++version_;
}

void BlockPool::remove_free(BlockId id) {
  Block& block = blocks_[id];
  blocks_[block.previous].next = block.next;
  blocks_[block.next].previous = block.previous;
  --free_;
  if (block.is_published) --free_published_;
  ++version_;
}

void BlockPool::reference(BlockId id) {
  Block& block = blocks_[id];
  if (block.references++ > 0) return;
  remove_free(id);
  written_slots_ += block.written;
  if (!block.is_published) return;
  Content& content = index_.at(block.name);
  remove_twin(content, id);
  prepend_twin(content, id);
}

void BlockPool::unreference(BlockId id) {
  Block& block = blocks_[id];
  assert(id != kPaddingBlock && block.references > 0);
  if (--block.references > 0) return;
  written_slots_ -= block.written;
  append_free(id);
  if (!block.is_published) return;
  Content& content = index_.at(block.name);
  remove_twin(content, id);
  append_twin(content, id);
}

bool BlockPool::try_allocate(std::uint32_t count, std::vector<BlockId>& table) {
  if (count > free_) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const BlockId id = blocks_[kPaddingBlock].next;
    if (blocks_[id].is_published) unpublish(id);
    blocks_[id].written = 0;
    reference(id);
    table.push_back(id);
  }
  return true;
}

void BlockPool::release(std::vector<BlockId>& table) {
  for (auto id = table.rbegin(); id != table.rend(); ++id) unreference(*id);
  table.clear();
}

std::optional<Fork> BlockPool::try_fork(std::span<const BlockId> table, std::uint32_t computed) {
  Fork fork;
  const std::uint32_t full = computed / config_.block_size;
  const std::uint32_t rest = computed % config_.block_size;
  assert(full + (rest > 0 ? 1 : 0) <= table.size());
  if (rest > 0) {
    if (!try_allocate(1, fork.table)) return std::nullopt;
    fork.copy_from = table[full];
    fork.copy_to = fork.table[0];
    fork.copy_slots = rest;
    set_written(fork.copy_to, rest);
  }
  for (const BlockId id : table.first(full)) reference(id);
  fork.table.insert(fork.table.begin(), table.begin(), table.begin() + full);
  return fork;
}

void BlockPool::set_written(BlockId block, std::uint32_t slots) {
  Block& of = blocks_[block];
  assert(of.references > 0 && slots <= config_.block_size);
  written_slots_ = written_slots_ - of.written + slots;
  of.written = slots;
}

// ---- the prefix cache -----------------------------------------------------------------------------------------------

void BlockPool::prepend_twin(Content& content, BlockId id) {
  Block& block = blocks_[id];
  block.previous_twin = kPaddingBlock;
  block.next_twin = content.first;
  (content.first == kPaddingBlock ? content.last : blocks_[content.first].previous_twin) = id;
  content.first = id;
}

void BlockPool::append_twin(Content& content, BlockId id) {
  Block& block = blocks_[id];
  block.next_twin = kPaddingBlock;
  block.previous_twin = content.last;
  (content.last == kPaddingBlock ? content.first : blocks_[content.last].next_twin) = id;
  content.last = id;
}

void BlockPool::remove_twin(Content& content, BlockId id) {
  const Block& block = blocks_[id];
  (block.previous_twin == kPaddingBlock ? content.first : blocks_[block.previous_twin].next_twin) = block.next_twin;
  (block.next_twin == kPaddingBlock ? content.last : blocks_[block.next_twin].previous_twin) = block.previous_twin;
}

void BlockPool::unpublish(BlockId id) {
  Block& block = blocks_[id];
  assert(block.references == 0);
  const auto at = index_.find(block.name);
  remove_twin(at->second, id);
  if (at->second.first == kPaddingBlock) index_.erase(at);
  block.is_published = false;
  --free_published_;
  ++evictions_;
}

std::span<const TokenId> BlockPool::tokens_of(BlockId id) const {
  return std::span(tokens_).subspan(std::size_t{id} * config_.block_size, config_.block_size);
}

void BlockPool::extend(PrefixChain& chain, std::span<const TokenId> tokens, std::size_t blocks) const {
  if (chain.generation != generation_) {
    chain.names.clear();
    chain.generation = generation_;
  }
  while (chain.names.size() < blocks) {
    const std::size_t done = chain.names.size();
    const std::uint64_t parent = done > 0 ? chain.names.back() : chain_root(config_.model, chain.salt, generation_);
    const auto block = tokens.subspan(done * config_.block_size, config_.block_size);
    chain.names.push_back(chain_link(parent, block) & config_.name_mask);
  }
}

bool BlockPool::holds(const Content& content, std::uint64_t parent, std::span<const TokenId> tokens,
                      const PrefixChain& chain) const {
  return content.parent == parent && (parent != 0 || content.salt == chain.salt) &&
         std::ranges::equal(tokens_of(content.first), tokens);
}

PrefixHit BlockPool::find_prefix(std::span<const TokenId> tokens, std::uint32_t max_tokens, PrefixChain& chain) const {
  PrefixHit hit;
  const std::size_t most = std::min<std::size_t>(tokens.size(), max_tokens) / config_.block_size;
  std::uint64_t parent = 0;
  for (std::size_t i = 0; i < most; ++i) {
    extend(chain, tokens, i + 1);
    const auto found = index_.find(chain.names[i]);
    if (found == index_.end()) break;
    const auto block = tokens.subspan(i * config_.block_size, config_.block_size);
    if (!holds(found->second, parent, block, chain)) break;
    parent = found->second.number;
    hit.blocks.push_back(found->second.first);
    if (blocks_[found->second.first].references == 0) ++hit.unreferenced;
  }
  hit.tokens = static_cast<std::uint32_t>(hit.blocks.size()) * config_.block_size;
  return hit;
}

void BlockPool::take(const PrefixHit& hit, std::vector<BlockId>& table) {
  assert(table.empty());
  for (const BlockId id : hit.blocks) reference(id);
  table = hit.blocks;
}

bool BlockPool::try_publish(BlockId id, std::uint64_t parent, std::uint64_t name, std::span<const TokenId> tokens,
                            const PrefixChain& chain) {
  Block& block = blocks_[id];
  const auto [at, is_new] = index_.try_emplace(name);
  Content& content = at->second;
  if (is_new) {
    content.number = ++contents_;
    content.parent = parent;
    if (parent == 0) content.salt = chain.salt;
  } else if (!holds(content, parent, tokens, chain)) {
    ++collisions_;
    return false;
  }
  std::ranges::copy(tokens, tokens_.begin() + std::ptrdiff_t{id} * config_.block_size);
  block.is_published = true;
  block.name = name;
  prepend_twin(content, id);
  ++version_;
  return true;
}

std::uint32_t BlockPool::publish(std::span<const BlockId> table, std::span<const TokenId> tokens,
                                 std::uint32_t published, std::uint32_t computed, PrefixChain& chain) {
  const std::uint32_t full = computed / config_.block_size;
  if (published >= full) return published;
  extend(chain, tokens, full);
  for (; published < full; ++published) {
    Block& block = blocks_[table[published]];
    assert(block.references > 0 && block.written == config_.block_size);
    if (block.is_published) continue;  // a fork's other half was first
    std::uint64_t parent = 0;
    if (published > 0) {
      const Block& before = blocks_[table[published - 1]];
      if (!before.is_published) continue;  // its name was taken by other content: nothing after it can be found
      parent = index_.at(before.name).number;
    }
    const auto of_block = tokens.subspan(std::size_t{published} * config_.block_size, config_.block_size);
    try_publish(table[published], parent, chain.names[published], of_block, chain);
  }
  return published;
}

void BlockPool::reset() {
  assert(used_blocks() == 0);
  for (BlockId id = blocks_[kPaddingBlock].next; id != kPaddingBlock; id = blocks_[id].next) {
    blocks_[id].is_published = false;
  }
  index_.clear();
  free_published_ = 0;
  ++generation_;
  ++version_;
}

BlockFacts BlockPool::describe(BlockId block) const {
  const Block& of = blocks_[block];
  BlockFacts facts{of.references, of.written, of.is_published, 0, 0, of.name, {}};
  if (of.is_published) {
    const Content& content = index_.at(of.name);
    facts.content = content.number;
    facts.parent = content.parent;
    facts.tokens = tokens_of(block);
  }
  return facts;
}

std::vector<BlockId> BlockPool::free_order() const {
  std::vector<BlockId> order;
  for (BlockId id = blocks_[kPaddingBlock].next; id != kPaddingBlock; id = blocks_[id].next) order.push_back(id);
  return order;
}

}  // namespace refserver
