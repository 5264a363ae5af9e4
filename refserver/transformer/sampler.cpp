// The request's words in those of the kernels, and back.
#include "refserver/transformer/sampler.hpp"

#include <cassert>
#include <utility>

namespace refserver {

Sampler::Sampler(std::size_t usable, std::vector<TokenId> end_tokens)
    : usable_(usable), end_tokens_(end_tokens.begin(), end_tokens.end()), counts_(usable, 0) {
  assert(usable > 0);
}

std::optional<SampledToken> Sampler::sample(std::span<const float> logits, const Choice& choice) {
  assert(logits.size() >= usable_);
  const Sampling& sampling = choice.sampling;
  kernels::SampleRow row{.rule = sampling.is_greedy ? kernels::ChoiceRule::greatest : kernels::ChoiceRule::draw,
                         .temperature = sampling.temperature,
                         .repetition_penalty = sampling.repetition_penalty,
                         .frequency_penalty = sampling.frequency_penalty,
                         .top_k = sampling.top_k,
                         .top_p = sampling.top_p,
                         .typical_p = sampling.typical_p,
                         .seed = choice.seed,
                         .position = choice.position};
  if (row.has_penalty()) count(choice);
  row.context = context_;
  row.context_length = static_cast<std::uint32_t>(choice.context.size() + choice.drafts.size());
  if (choice.end_tokens == EndTokens::masked) row.forbidden = end_tokens_;
  const kernels::SampledId chosen = sampler_.sample(logits.first(usable_), row, choice.top_n);
  if (chosen.id < 0) return std::nullopt;
  const auto log_probability = [&](float surprise) {
    return static_cast<float>(kernels::log_probability(surprise, chosen.total));
  };
  SampledToken token{static_cast<TokenId>(chosen.id), log_probability(chosen.surprise), {}};
  if (choice.top_n == 0) return token;
  for (const auto& one : sampler_.likeliest()) token.top.emplace_back(one.id, log_probability(one.surprise));
  return token;
}

/// Each token of the context once.
void Sampler::count(const Choice& choice) {
  context_.clear();
  const auto each = [&](auto&& body) {
    for (const std::span<const TokenId> part : {choice.context, choice.drafts}) {
      for (const TokenId id : part) {
        if (id < usable_) body(id);
      }
    }
  };
  each([&](TokenId id) { ++counts_[id]; });
  each([&](TokenId id) {
    const std::uint32_t times = std::exchange(counts_[id], 0);
    if (times > 0) context_.push_back({static_cast<std::int32_t>(id), times});
  });
}

}  // namespace refserver
