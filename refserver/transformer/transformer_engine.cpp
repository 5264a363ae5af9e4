// Rows are cut where a pass is full; a sequence then goes on in the next pass as it would in the next step.
#include "refserver/transformer/transformer_engine.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace refserver {

TransformerEngine::TransformerEngine(std::unique_ptr<Transformer> transformer, TransformerEngineOptions options)
    : transformer_(std::move(transformer)),
      now_(std::move(options.now)),
      sampler_(std::min(options.usable_tokens, transformer_->config().vocab_size), std::move(options.end_tokens)) {
  ids_.reserve(transformer_->limits().rows);
}

void TransformerEngine::run(const StepPlan& plan, TimePoint start, StepResult& result) {
  result.rows.assign(plan.rows.size(), {});
  is_settled_.assign(plan.rows.size(), false);
  for (std::size_t i = 0; i < plan.rows.size(); ++i) add(plan, i, result);
  if (!ids_.empty()) run_pass(plan, result);
  result.end = std::max(start, now_());
}

/// Appends a row to the pass, running it whenever it is full.
void TransformerEngine::add(const StepPlan& plan, std::size_t index, StepResult& result) {
  const Row& row = plan.rows[index];
  const std::size_t most = transformer_->limits().rows;
  const std::size_t block_tokens = transformer_->limits().block_tokens;
  for (std::uint32_t done = 0; done < row.count;) {
    if (ids_.size() == most) run_pass(plan, result);
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(most - ids_.size(), row.count - done));
    const std::size_t position = std::size_t{row.position} + done;
    const std::size_t blocks = (position + count - 1) / block_tokens + 1;
    assert(blocks <= row.blocks.size());
    slices_.push_back({position, ids_.size(), count, blocks_.size(), blocks});
    for (std::size_t b = 0; b < blocks; ++b) blocks_.push_back(static_cast<std::int32_t>(row.blocks[b]));
    for (std::uint32_t i = done; i < done + count; ++i) {
      const std::size_t first_wanted = row.count - 1 - row.drafts.size();
      if (row.wants_token && i >= first_wanted) {
        wanted_.push_back({static_cast<std::int32_t>(ids_.size()), index, i - first_wanted});
      }
      ids_.push_back(static_cast<std::int32_t>(row.token(i)));
    }
    done += count;
  }
}

void TransformerEngine::run_pass(const StepPlan& plan, StepResult& result) {
  views_.clear();
  for (const Slice& slice : slices_) {
    views_.push_back({slice.position, std::span(ids_).subspan(slice.first_id, slice.ids),
                      std::span(blocks_).subspan(slice.first_block, slice.blocks)});
  }
  transformer_->run(views_);
  const std::size_t most = transformer_->limits().logit_rows;
  std::vector<std::int32_t> rows;
  for (std::size_t first = 0; first < wanted_.size(); first += most) {
    const std::span part = std::span(wanted_).subspan(first, std::min(most, wanted_.size() - first));
    rows.clear();
    for (const Wanted& wanted : part) rows.push_back(wanted.pass_row);
    if (!choose_in_place(plan, part, rows, result)) choose(plan, part, rows, result);
  }
  slices_.clear();
  ids_.clear();
  blocks_.clear();
  wanted_.clear();
}

/// What the choice after a row's tokens and the drafts before this one depends on.
Choice TransformerEngine::choice_of(const Row& row, const Wanted& wanted) {
  const RequestSpec& spec = *row.spec;
  const std::uint64_t position = std::uint64_t{row.produced} + wanted.drafts;
  return {.sampling = spec.sampling,
          .seed = spec.sampling.seed.value_or(spec.id),
          .position = position,
          .context = row.tokens,
          .drafts = row.drafts.first(wanted.drafts),
          .top_n = spec.top_n_tokens,
          .end_tokens = position < spec.min_new_tokens ? EndTokens::masked : EndTokens::allowed};
}

/// From logits in host memory.
void TransformerEngine::choose(const StepPlan& plan, std::span<const Wanted> part, std::span<const std::int32_t> rows,
                               StepResult& result) {
  const std::size_t vocabulary = transformer_->config().vocab_size;
  const std::span<const float> logits = transformer_->logits(rows);
  for (std::size_t i = 0; i < part.size(); ++i) {
    const Wanted& wanted = part[i];
    if (is_settled_[wanted.row]) continue;
    const Row& row = plan.rows[wanted.row];
    settle(row, wanted, sampler_.sample(logits.subspan(i * vocabulary, vocabulary), choice_of(row, wanted)),
           result.rows[wanted.row]);
  }
}

/// Where the logits are; false if that cannot be, for want of alternatives or of such a backend.
bool TransformerEngine::choose_in_place(const StepPlan& plan, std::span<const Wanted> part,
                                        std::span<const std::int32_t> rows, StepResult& result) {
  const auto wants_alternatives = [&](const Wanted& wanted) { return plan.rows[wanted.row].spec->top_n_tokens > 0; };
  if (!transformer_->samples_in_place() || std::ranges::any_of(part, wants_alternatives)) return false;
  std::vector<std::vector<kernels::TokenCount>> counts(part.size());
  std::vector<kernels::SampleRow> asked(part.size());
  std::vector<kernels::SampledId> chosen(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) {
    asked[i] = sampler_.row_of(choice_of(plan.rows[part[i].row], part[i]), counts[i]);
  }
  transformer_->sample(rows, sampler_.usable(), asked, chosen);
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::size_t row = part[i].row;
    if (!is_settled_[row]) settle(plan.rows[row], part[i], Sampler::token_of(chosen[i]), result.rows[row]);
  }
  return true;
}

/// The token that follows, unless a draft before it was wrong.
void TransformerEngine::settle(const Row& row, const Wanted& wanted, std::optional<SampledToken> token,
                               RowResult& result) {
  if (!token) {
    result.has_failed = is_settled_[wanted.row] = true;
    return;
  }
  if (wanted.drafts < row.drafts.size() && token->id == row.drafts[wanted.drafts]) {
    result.accepted.push_back(std::move(*token));
    return;
  }
  result.token = std::move(*token);
  is_settled_[wanted.row] = true;
}

}  // namespace refserver
