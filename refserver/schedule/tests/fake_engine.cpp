// All rows write first, then all read, as the kernels of one layer do.
#include "refserver/schedule/tests/fake_engine.hpp"

#include <fmt/format.h>

#include <functional>

namespace refserver {
namespace {

constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

class PlainText final : public TokenText {
 public:
  std::string push(TokenId id) override { return " w" + std::to_string(id); }
  std::string finish() override { return ""; }
};

}  // namespace

TokenId next_token(std::span<const TokenId> history) {
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (const TokenId token : history) hash = mix(hash + token + 1);
  return static_cast<TokenId>(hash % kVocabularySize);
}

std::unique_ptr<TokenText> TestVocabulary::start_text() const {
  return std::make_unique<PlainText>();
}

FakeEngine::FakeEngine(const BlockPoolConfig& pool, FakeOptions options)
    : pool_(pool), options_(options), slots_(std::size_t{pool.blocks} * pool.block_size) {}

std::optional<TimePoint> FakeEngine::admit(const RequestSpec& spec) {
  if (!known_.insert(spec.id).second) fault_ = fmt::format("request {} admitted twice", spec.id);
  return std::nullopt;
}

void FakeEngine::release(RequestId sequence) {
  if (known_.erase(sequence) == 0) fault_ = fmt::format("request {} released twice or never admitted", sequence);
}

std::uint32_t FakeEngine::random(std::uint32_t below) {
  return static_cast<std::uint32_t>(mix(options_.seed * 0x9e3779b97f4a7c15U + ++draws_) % below);
}

void FakeEngine::blame(const Row& row, std::uint32_t position, const std::string& what) {
  if (fault_.empty()) fault_ = fmt::format("request {}, position {}: {}", row.sequence, position, what);
}

FakeEngine::Slot* FakeEngine::slot_of(const Row& row, std::uint32_t position) {
  const std::size_t index = position / pool_.block_size;
  if (index >= row.blocks.size()) {
    blame(row, position, "beyond the block table");
    return nullptr;
  }
  const BlockId block = row.blocks[index];
  if (block == kPaddingBlock || block >= pool_.blocks) blame(row, position, "not a block of the pool");
  return &slots_[std::size_t{block} * pool_.block_size + position % pool_.block_size];
}

void FakeEngine::write(const Row& row) {
  const std::uint64_t salt = std::hash<std::string>()(row.spec->cache_salt);
  for (std::uint32_t i = 0; i < row.count; ++i) {
    Slot* const slot = slot_of(row, row.position + i);
    if (slot == nullptr) return;
    if (slot->run == runs_) blame(row, row.position + i, "written twice in one step");
    *slot = {row.token(i), row.position + i, salt, runs_};
  }
  computed_tokens_ += row.count;
}

/// What attention sees: every position up to the row's last.
std::vector<TokenId> FakeEngine::read(const Row& row) {
  const std::uint64_t salt = std::hash<std::string>()(row.spec->cache_salt);
  std::vector<TokenId> history;
  for (std::uint32_t position = 0; position < row.position + row.count; ++position) {
    const Slot* const slot = slot_of(row, position);
    if (slot == nullptr) return history;
    const TokenId expected =
        position < row.tokens.size() ? row.tokens[position] : row.drafts[position - row.tokens.size()];
    if (slot->position != position) blame(row, position, fmt::format("the slot holds position {}", slot->position));
    if (slot->token != expected) blame(row, position, fmt::format("token {} for {}", slot->token, expected));
    if (slot->salt != salt) blame(row, position, "computed under another salt");
    history.push_back(slot->token);
  }
  return history;
}

void FakeEngine::sample(const Row& row, std::vector<TokenId> history, RowResult& result) {
  if (!row.wants_token) return;
  history.resize(row.tokens.size());
  for (const TokenId draft : row.drafts) {
    if (next_token(history) != draft) break;
    result.accepted.push_back({draft, -0.5F, {}});
    history.push_back(draft);
  }
  result.token = {next_token(history), -0.25F, {}};
  history.push_back(result.token.id);
  for (std::uint32_t i = 0; i < row.spec->top_n_tokens; ++i) result.token.top.emplace_back(i, -1.0F);
  propose(std::move(history), result);
}

void FakeEngine::propose(std::vector<TokenId> history, RowResult& result) {
  const std::uint32_t count = options_.drafts > 0 ? random(options_.drafts + 1) : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const TokenId right = next_token(history);
    const bool is_right = random(100) < options_.accuracy_percent;
    history.push_back(is_right ? right : (right + 1) % kVocabularySize);
    result.drafts.push_back(history.back());
  }
}

void FakeEngine::run(const StepPlan& plan, TimePoint start, StepResult& result) {
  result.rows.assign(plan.rows.size(), {});
  ++runs_;
  for (const Row& row : plan.rows) {
    if (!known_.contains(row.sequence)) blame(row, row.position, "the engine was not told of the request");
    write(row);
  }
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    if (options_.failing_permille > 0 && random(1000) < options_.failing_permille) {
      result.rows[i].has_failed = true;
      continue;
    }
    sample(plan.rows[i], read(plan.rows[i]), result.rows[i]);
  }
  result.end = start + options_.step_cost + plan.tokens * options_.token_cost;
}

}  // namespace refserver
