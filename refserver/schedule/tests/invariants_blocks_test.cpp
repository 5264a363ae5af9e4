// What holds of blocks after every plan and every commit of random traces.
#include <algorithm>
#include <map>
#include <set>

#include "refserver/schedule/prefix_chain.hpp"
#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

/// Runs a random trace with `check` after every plan and every commit.
template <class Check>
void check_always(World& world, const Check& check) {
  world.after_plan = check;
  world.after_commit = check;
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant01_free_and_referenced_partition_the_pool, ()) {
  World world(arbitrary_trace({.has_deadlines = true, .has_due_times = true}));
  check_always(world, [](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    const std::vector<BlockId> free = pool.free_order();
    const std::set<BlockId> free_set(free.begin(), free.end());
    RC_ASSERT(free_set.size() == free.size());
    for (BlockId id = 1; id <= pool.capacity(); ++id) {
      RC_ASSERT(free_set.contains(id) == (pool.describe(id).references == 0));
    }
    RC_ASSERT(free.size() + pool.used_blocks() == pool.capacity());
    RC_ASSERT(!free_set.contains(kPaddingBlock));
  });
}

RC_GTEST_PROP(Invariants, Invariant02_references_count_the_tables, ()) {
  World world(arbitrary_trace({.has_deadlines = true, .has_failures = true}));
  check_always(world, [](World& w) {
    std::map<BlockId, std::uint32_t> tables;
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      for (const BlockId id : sequence->table) ++tables[id];
    }
    const BlockPool& pool = w.scheduler.pool();
    for (BlockId id = 0; id <= pool.capacity(); ++id) RC_ASSERT(pool.describe(id).references == tables[id]);
  });
}

RC_GTEST_PROP(Invariants, Invariant03_tables_hold_what_is_reserved_and_no_more, ()) {
  World world(arbitrary_trace());
  struct Reserved {
    std::uint32_t preemptions = ~0U;
    std::uint32_t slots = 0;
  };
  std::map<RequestId, Reserved> reserved;
  world.after_plan = [&reserved](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    const SchedulerConfig& config = w.scheduler.config();
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      Reserved& of = reserved[sequence->spec.id];
      if (of.preemptions != sequence->preemptions) of = {sequence->preemptions, sequence->computed};
      if (config.admission == AdmissionKind::reserve) {
        const std::uint32_t longest = sequence->prompt_tokens + sequence->spec.max_new_tokens - 1 + config.max_drafts;
        of.slots = std::min(longest, pool.capacity() * pool.block_size());
      } else if (sequence->row != Sequence::kNoRow) {
        of.slots = std::max(of.slots, w.plan->rows[sequence->row].position + w.plan->rows[sequence->row].count);
      }
      RC_ASSERT(sequence->table.size() == pool.blocks_for(of.slots));
      RC_ASSERT(of.slots >= sequence->computed);
    }
    for (const Row& row : w.plan->rows) {
      RC_ASSERT(row.blocks.size() * pool.block_size() >= row.position + row.count);
    }
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant04_slots_are_written_once_and_only_in_private_unpublished_blocks, ()) {
  World world(arbitrary_trace());
  world.after_plan = [](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    std::set<std::pair<BlockId, std::uint32_t>> written;
    for (const Row& row : w.plan->rows) {
      for (std::uint32_t position = row.position; position < row.position + row.count; ++position) {
        const BlockId block = row.blocks[position / pool.block_size()];
        RC_ASSERT(written.insert({block, position % pool.block_size()}).second);
        RC_ASSERT(pool.describe(block).references == 1U);
        RC_ASSERT(!pool.describe(block).is_published);
      }
    }
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant05_index_entries_match_their_keys, ()) {
  World world(arbitrary_trace());
  check_always(world, [](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    const std::uint64_t mask = w.trace.config.pool.name_mask;
    std::map<std::uint64_t, std::uint64_t> names;  // by content
    for (BlockId id = 1; id <= pool.capacity(); ++id) {
      const BlockFacts facts = pool.describe(id);
      if (!facts.is_published) continue;
      const auto [at, is_new] = names.emplace(facts.content, facts.name);
      RC_ASSERT((is_new || at->second == facts.name));
    }
    for (BlockId id = 1; id <= pool.capacity(); ++id) {
      const BlockFacts facts = pool.describe(id);
      if (!facts.is_published) continue;
      std::set<std::uint64_t> expected;  // a first block may be of any of the trace's salts
      if (facts.parent != 0) {
        expected.insert(chain_link(names.at(facts.parent), facts.tokens) & mask);
      } else {
        for (const char* const salt : {"", "salt1", "salt2"}) {
          expected.insert(chain_link(chain_root("m", salt, pool.generation()), facts.tokens) & mask);
        }
      }
      RC_ASSERT(expected.contains(facts.name));
    }
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      for (std::size_t i = 0; i < sequence->table.size(); ++i) {
        const BlockFacts facts = pool.describe(sequence->table[i]);
        if (!facts.is_published) continue;
        const auto tokens = std::span(sequence->tokens).subspan(i * pool.block_size(), pool.block_size());
        RC_ASSERT(std::ranges::equal(facts.tokens, tokens));
        RC_ASSERT(facts.parent == (i == 0 ? 0 : pool.describe(sequence->table[i - 1]).content));
      }
    }
  });
}

RC_GTEST_PROP(Invariants, Invariant06_published_blocks_hold_only_accepted_text, ()) {
  World world(arbitrary_trace());
  std::set<std::uint64_t> checked;  // contents keep their number, and accepted text is never taken back
  world.after_commit = [&checked](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    std::map<std::uint64_t, BlockFacts> contents;
    for (BlockId id = 1; id <= pool.capacity(); ++id) {
      const BlockFacts facts = pool.describe(id);
      if (facts.is_published) contents[facts.content] = facts;
    }
    for (const auto& entry : contents) {
      if (!checked.insert(entry.first).second) continue;
      std::vector<TokenId> text;
      for (const BlockFacts* at = &entry.second; at != nullptr;
           at = at->parent == 0 ? nullptr : &contents.at(at->parent)) {
        text.insert(text.begin(), at->tokens.begin(), at->tokens.end());
      }
      const bool is_accepted = std::ranges::any_of(w.outcomes, [&](const auto& outcome) {
        std::vector<TokenId> own = prompt_of(w.trace.arrivals[outcome.first - 1], outcome.first);
        own.insert(own.end(), outcome.second.tokens.begin(), outcome.second.tokens.end());
        return own.size() >= text.size() && std::equal(text.begin(), text.end(), own.begin());
      });
      RC_ASSERT(is_accepted);
    }
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      for (std::size_t i = sequence->computed / pool.block_size(); i < sequence->table.size(); ++i) {
        RC_ASSERT(!pool.describe(sequence->table[i]).is_published);
      }
    }
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant07_nothing_is_used_when_nothing_runs, ()) {
  World world(arbitrary_trace({.has_deadlines = true, .has_failures = true}));
  const auto check = [](const World& w) {
    const BlockPool& pool = w.scheduler.pool();
    RC_ASSERT((w.scheduler.running() > 0 || pool.free_blocks() == pool.capacity()));
    RC_ASSERT((w.scheduler.running() > 0 || pool.written_slots() == 0));
  };
  check_always(world, check);
  check(world);
  RC_ASSERT(world.scheduler.reset_prefix_cache());
  RC_ASSERT(world.scheduler.pool().cached_contents() == 0U);
  RC_ASSERT(world.scheduler.pool().cached_blocks() == 0U);
}

RC_GTEST_PROP(Invariants, Invariant08_only_unused_blocks_are_evicted_and_children_never_outlive_parents, ()) {
  World world(arbitrary_trace());
  struct Seen {
    std::uint32_t preemptions = 0;
    std::vector<std::pair<BlockId, std::uint64_t>> blocks;  // and their content
  };
  std::map<RequestId, Seen> seen;
  check_always(world, [&seen](World& w) {
    const BlockPool& pool = w.scheduler.pool();
    std::map<RequestId, Seen> current;
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      Seen& now = current[sequence->spec.id];
      now.preemptions = sequence->preemptions;
      for (const BlockId id : sequence->table) now.blocks.emplace_back(id, pool.describe(id).content);
      const auto before = seen.find(sequence->spec.id);
      if (before == seen.end() || before->second.preemptions != now.preemptions) continue;
      RC_ASSERT(now.blocks.size() >= before->second.blocks.size());  // tables only grow
      for (std::size_t i = 0; i < before->second.blocks.size(); ++i) {
        RC_ASSERT(now.blocks[i].first == before->second.blocks[i].first);
        const std::uint64_t content = before->second.blocks[i].second;
        RC_ASSERT((content == 0 || now.blocks[i].second == content));
      }
    }
    seen = std::move(current);
    std::set<std::uint64_t> contents{0};
    for (BlockId id = 1; id <= pool.capacity(); ++id) contents.insert(pool.describe(id).content);
    for (BlockId id = 1; id <= pool.capacity(); ++id) RC_ASSERT(contents.contains(pool.describe(id).parent));
  });
}

}  // namespace
}  // namespace refserver
