// The pool under random operations, against the obvious model: a list of sequences that hold tables.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "refserver/schedule/block_pool.hpp"
#include "refserver/schedule/tests/property.hpp"

namespace refserver {
namespace {

constexpr std::uint32_t kBlockSize = 4;

struct Held {
  std::vector<TokenId> tokens;
  std::vector<BlockId> table;
  PrefixChain chain;
  std::uint32_t computed = 0;
  std::uint32_t published = 0;
};

struct Operation {
  int kind = 0;
  std::uint32_t which = 0;
  std::uint32_t amount = 0;
};

/// What a slot of the memory behind the pool holds: the context up to and with its token.
using Memory = std::map<std::pair<BlockId, std::uint32_t>, std::vector<TokenId>>;

class Model {
 public:
  explicit Model(std::uint32_t blocks, std::uint64_t name_mask) : pool_({"m", blocks, kBlockSize, name_mask}) {}

  void apply(const Operation& operation) {
    switch (operation.kind) {
      case 0:
        return start(operation.which % 3, 1 + operation.amount % 24, operation.amount % 2 == 0 ? "" : "other");
      case 1:
      case 2:
        return grow(operation.which, 1 + operation.amount % 6);
      case 3:
        return fork(operation.which);
      default:
        return stop(operation.which);
    }
  }

  void check() const {
    check_references();
    check_index();
    std::uint64_t written = 0;
    for (BlockId id = 1; id <= pool_.capacity(); ++id) {
      if (pool_.describe(id).references > 0) written += pool_.describe(id).written;
    }
    RC_ASSERT(pool_.written_slots() == written);
  }

  void stop_all() {
    while (!held_.empty()) stop(0);
  }
  BlockPool& pool() { return pool_; }

 private:
  /// Tokens are chosen so that prompts of one kind begin alike.
  void start(TokenId kind, std::uint32_t length, const std::string& salt) {
    Held held;
    for (std::uint32_t i = 0; i < length; ++i) held.tokens.push_back(i < 12 ? kind : kind + i + length);
    held.chain.salt = salt;
    const PrefixHit hit = pool_.find_prefix(held.tokens, length - 1, held.chain);
    const std::uint32_t fresh = pool_.blocks_for(length) - static_cast<std::uint32_t>(hit.blocks.size());
    if (fresh + hit.unreferenced > pool_.free_blocks()) return;
    pool_.take(hit, held.table);
    for (std::uint32_t i = 0; i < hit.tokens; ++i) RC_ASSERT(memory_.at(slot(held, i)) == context(held, i));
    held.computed = hit.tokens;
    held.published = hit.tokens / kBlockSize;
    RC_ASSERT(pool_.try_allocate(fresh, held.table));
    compute(held);
    held_.push_back(std::move(held));
  }

  void grow(std::uint32_t which, std::uint32_t tokens) {
    if (held_.empty()) return;
    Held& held = held_[which % held_.size()];
    const auto length = static_cast<std::uint32_t>(held.tokens.size()) + tokens;
    const std::uint32_t before = pool_.free_blocks();
    const std::uint32_t more = pool_.blocks_for(length) - static_cast<std::uint32_t>(held.table.size());
    const std::vector<BlockId> table = held.table;
    RC_ASSERT(pool_.try_allocate(more, held.table) == (more <= before));
    if (more > before) {
      RC_ASSERT(held.table == table);
      RC_ASSERT(pool_.free_blocks() == before);
      return;
    }
    for (std::uint32_t i = 0; i < tokens; ++i) held.tokens.push_back(which % 2 + i);
    compute(held);
  }

  void fork(std::uint32_t which) {
    if (held_.empty()) return;
    Held other = held_[which % held_.size()];
    auto fork = pool_.try_fork(other.table, other.computed);
    if (!fork) return;
    for (std::uint32_t i = 0; i < fork->copy_slots; ++i) {
      memory_[{fork->copy_to, i}] = memory_.at({fork->copy_from, i});
    }
    other.table = std::move(fork->table);
    held_.push_back(std::move(other));
  }

  void stop(std::uint32_t which) {
    if (held_.empty()) return;
    const std::size_t at = which % held_.size();
    pool_.release(held_[at].table);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void compute(Held& held) {
    for (; held.computed < held.tokens.size(); ++held.computed) {
      const BlockFacts facts = pool_.describe(slot(held, held.computed).first);
      RC_ASSERT(facts.references == 1U);
      RC_ASSERT(!facts.is_published);
      memory_[slot(held, held.computed)] = context(held, held.computed);
      pool_.set_written(slot(held, held.computed).first, held.computed % kBlockSize + 1);
    }
    held.published = pool_.publish(held.table, held.tokens, held.published, held.computed, held.chain);
  }

  static std::pair<BlockId, std::uint32_t> slot(const Held& held, std::uint32_t position) {
    return {held.table.at(position / kBlockSize), position % kBlockSize};
  }
  /// The salt is part of the context, so that a hit across salts shows.
  static std::vector<TokenId> context(const Held& held, std::uint32_t position) {
    std::vector<TokenId> tokens{held.chain.salt.empty() ? 0U : 1U};
    tokens.insert(tokens.end(), held.tokens.begin(), held.tokens.begin() + position + 1);
    return tokens;
  }

  void check_references() const {
    std::map<BlockId, std::uint32_t> references;
    for (const Held& held : held_) {
      for (const BlockId id : held.table) ++references[id];
    }
    const std::vector<BlockId> free = pool_.free_order();
    const std::set<BlockId> free_set(free.begin(), free.end());
    RC_ASSERT(free_set.size() == free.size());
    RC_ASSERT(free.size() == pool_.free_blocks());
    for (BlockId id = 1; id <= pool_.capacity(); ++id) {
      RC_ASSERT(pool_.describe(id).references == references[id]);
      RC_ASSERT(free_set.contains(id) == (references[id] == 0));
    }
    RC_ASSERT(!free_set.contains(kPaddingBlock));
  }

  /// Every published block is named by the index, holds the tokens of its content, and its parent is there too.
  void check_index() const {
    std::map<std::uint64_t, std::uint64_t> parents;
    std::uint32_t cached = 0;
    for (BlockId id = 1; id <= pool_.capacity(); ++id) {
      const BlockFacts facts = pool_.describe(id);
      if (!facts.is_published) continue;
      parents[facts.content] = facts.parent;
      if (facts.references == 0) ++cached;
      for (std::uint32_t i = 0; i < kBlockSize; ++i) RC_ASSERT(memory_.at({id, i}).back() == facts.tokens[i]);
    }
    RC_ASSERT(parents.size() == pool_.cached_contents());
    RC_ASSERT(cached == pool_.cached_blocks());
    for (const auto& [content, parent] : parents) RC_ASSERT((parent == 0 || parents.contains(parent)));
  }

  BlockPool pool_;
  std::vector<Held> held_;
  Memory memory_;
};

void run(std::uint64_t name_mask) {
  const auto blocks = *rc::gen::inRange<std::uint32_t>(2, 40);
  const auto operations = *rc::gen::container<std::vector<Operation>>(
      rc::gen::build<Operation>(rc::gen::set(&Operation::kind, rc::gen::inRange(0, 6)),
                                rc::gen::set(&Operation::which, rc::gen::inRange<std::uint32_t>(0, 64)),
                                rc::gen::set(&Operation::amount, rc::gen::inRange<std::uint32_t>(0, 64))));
  Model model(blocks, name_mask);
  for (const Operation& operation : operations) {
    model.apply(operation);
    model.check();
  }
  model.stop_all();
  model.check();
  RC_ASSERT(model.pool().free_blocks() == model.pool().capacity());
  model.pool().reset();
  RC_ASSERT(model.pool().cached_contents() == 0U);
  model.check();
}

RC_GTEST_PROP(BlockPoolProperties, HoldsUnderRandomOperations, ()) {
  run(~std::uint64_t{0});
}

RC_GTEST_PROP(BlockPoolProperties, HoldsWhereNamesCollide, ()) {
  run(*rc::gen::element<std::uint64_t>(0, 1, 7));
}

}  // namespace
}  // namespace refserver
