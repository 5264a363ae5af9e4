// Runs the scheduler's steps on a transformer: rows to passes, logits to tokens. Any step runs in the memory of one
// pass: what is more is computed in several.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "refserver/schedule/step_engine.hpp"
#include "refserver/transformer/sampler.hpp"
#include "refserver/transformer/transformer.hpp"

namespace refserver {

struct TransformerEngineOptions {
  std::size_t usable_tokens = 0;                ///< ids below are chosen from: the tokenizer's
  std::vector<TokenId> end_tokens;              ///< not chosen before a request's min_new_tokens
  std::function<TimePoint()> now = Clock::now;  ///< when a step is over; never goes back
};

class TransformerEngine final : public StepEngine {
 public:
  TransformerEngine(std::unique_ptr<Transformer> transformer, TransformerEngineOptions options);

  /// Blocks until the step is computed. A row whose logits are not numbers has failed. Ids must be the model's.
  void run(const StepPlan& plan, TimePoint start, StepResult& result) override;
  void release(RequestId /*sequence*/) override {}

 private:
  /// A row of logits that is wanted: of plan row `row`, after `drafts` of its guesses.
  struct Wanted {
    std::int32_t pass_row = 0;
    std::size_t row = 0;
    std::size_t drafts = 0;
  };

  void add(const StepPlan& plan, std::size_t index, StepResult& result);
  void run_pass(const StepPlan& plan, StepResult& result);
  static Choice choice_of(const Row& row, const Wanted& wanted);
  void choose(const StepPlan& plan, std::span<const Wanted> part, std::span<const std::int32_t> rows,
              StepResult& result);
  bool choose_in_place(const StepPlan& plan, std::span<const Wanted> part, std::span<const std::int32_t> rows,
                       StepResult& result);
  void settle(const Row& row, const Wanted& wanted, std::optional<SampledToken> token, RowResult& result);

  std::unique_ptr<Transformer> transformer_;
  std::function<TimePoint()> now_;
  Sampler sampler_;

  // The pass being put together.
  struct Slice {
    std::size_t position = 0, first_id = 0, ids = 0, first_block = 0, blocks = 0;
  };
  std::vector<Slice> slices_;
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> blocks_;
  std::vector<Wanted> wanted_;
  std::vector<SequenceSlice> views_;
  std::vector<bool> is_settled_;  ///< per row of the plan: its next token is known, later drafts are moot
};

}  // namespace refserver
