// The request's words in those of the kernels, and back.
#include "refserver/transformer/sampler.hpp"

#include <cassert>
#include <utility>

namespace refserver {

Sampler::Sampler(std::size_t usable, std::vector<TokenId> end_tokens)
    : usable_(usable), end_tokens_(end_tokens.begin(), end_tokens.end()), counts_(usable, 0) {
  assert(usable > 0);
}

kernels::SampleRow Sampler::row_of(const Choice& choice, std::vector<kernels::TokenCount>& counts) {
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
  counts.clear();
  if (row.has_penalty()) count(choice, counts);
  row.context = counts;
  row.context_length = static_cast<std::uint32_t>(choice.context.size() + choice.drafts.size());
  if (choice.end_tokens == EndTokens::masked) row.forbidden = end_tokens_;
  return row;
}

std::optional<SampledToken> Sampler::token_of(const kernels::SampledId& chosen) {
  if (chosen.id < 0) return std::nullopt;
  const double log_probability = kernels::log_probability(chosen.surprise, chosen.total);
  return SampledToken{static_cast<TokenId>(chosen.id), static_cast<float>(log_probability), {}};
}

std::optional<SampledToken> Sampler::sample(std::span<const float> logits, const Choice& choice) {
  assert(logits.size() >= usable_);
  const kernels::SampledId chosen = sampler_.sample(logits.first(usable_), row_of(choice, context_), choice.top_n);
  auto token = token_of(chosen);
  if (!token || choice.top_n == 0) return token;
  for (const auto& one : sampler_.likeliest()) {
    token->top.emplace_back(one.id, static_cast<float>(kernels::log_probability(one.surprise, chosen.total)));
  }
  return token;
}

/// Each token of the context once.
void Sampler::count(const Choice& choice, std::vector<kernels::TokenCount>& counts) {
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
    if (times > 0) counts.push_back({static_cast<std::int32_t>(id), times});
  });
}

}  // namespace refserver
