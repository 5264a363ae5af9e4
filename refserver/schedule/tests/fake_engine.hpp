// Test support: an engine without a model. Its next token is a hash of all tokens before it, as read back through the
// block table from a memory that remembers what was written to each slot; any wrong table, slot or shared block shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "refserver/schedule/block_pool.hpp"
#include "refserver/schedule/step_engine.hpp"
#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

inline constexpr TokenId kEosToken = 0;
inline constexpr TokenId kVocabularySize = 61;

/// What every sequence with this history continues with.
TokenId next_token(std::span<const TokenId> history);

/// Token 7 is " w7"; token 0 ends a sequence.
class TestVocabulary final : public Vocabulary {
 public:
  std::unique_ptr<TokenText> start_text() const override;
  std::string text(TokenId id) const override { return " w" + std::to_string(id); }
  bool is_special(TokenId id) const override { return id == kEosToken; }
  bool is_eos(TokenId id) const override { return id == kEosToken; }
};

struct FakeOptions {
  std::uint32_t drafts = 0;  ///< most guesses per step
  std::uint32_t accuracy_percent = 60;
  std::uint64_t seed = 1;
  std::chrono::nanoseconds step_cost = std::chrono::milliseconds(1);
  std::chrono::nanoseconds token_cost = std::chrono::microseconds(100);
  std::uint32_t failing_permille = 0;  ///< of rows
};

class FakeEngine final : public StepEngine {
 public:
  FakeEngine(const BlockPoolConfig& pool, FakeOptions options);

  std::optional<TimePoint> admit(const RequestSpec& spec) override;
  void run(const StepPlan& plan, TimePoint start, StepResult& result) override;
  void release(RequestId sequence) override;

  /// What was wrong so far, empty if nothing.
  const std::string& fault() const { return fault_; }
  std::uint64_t computed_tokens() const { return computed_tokens_; }
  std::size_t known_sequences() const { return known_.size(); }

 private:
  struct Slot {
    TokenId token = 0;
    std::uint32_t position = ~0U;
    std::uint64_t salt = 0;
    std::uint64_t run = 0;  ///< in which it was last written
  };

  Slot* slot_of(const Row& row, std::uint32_t position);
  void write(const Row& row);
  std::vector<TokenId> read(const Row& row);
  void sample(const Row& row, std::vector<TokenId> history, RowResult& result);
  void propose(std::vector<TokenId> history, RowResult& result);
  std::uint32_t random(std::uint32_t below);
  void blame(const Row& row, std::uint32_t position, const std::string& what);

  BlockPoolConfig pool_;
  FakeOptions options_;
  std::vector<Slot> slots_;
  std::set<RequestId> known_;
  std::string fault_;
  std::uint64_t draws_ = 0;
  std::uint64_t runs_ = 0;
  std::uint64_t computed_tokens_ = 0;
};

}  // namespace refserver
