// From the logits of one row to the next token: TGI's processors in TGI's order, and a draw that depends on the request
// alone. What a request asks for becomes what kernels/sampling.hpp computes. Knows no batch and no model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/token_sampler.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/schedule/ids.hpp"
#include "refserver/schedule/step.hpp"

namespace refserver {

/// Whether a token that ends the sequence may come now.
enum class EndTokens : std::uint8_t { allowed, masked };

/// What one choice depends on besides the logits.
struct Choice {
  const Sampling& sampling;
  std::uint64_t seed = 0;            ///< of the request
  std::uint64_t position = 0;        ///< of the token in the answer, from 0: the draw is keyed by (seed, position)
  std::span<const TokenId> context;  ///< all tokens before it, the prompt's too: what penalties count
  std::span<const TokenId> drafts;   ///< and what follows those
  std::uint32_t top_n = 0;           ///< alternatives wanted
  EndTokens end_tokens = EndTokens::allowed;
};

/// Holds workspace: one thread at a time.
class Sampler {
 public:
  /// Only ids below `usable` are ever chosen: rows of the head that no token belongs to are not. `end_tokens` are those
  /// that EndTokens::masked forbids.
  Sampler(std::size_t usable, std::vector<TokenId> end_tokens);

  /// Repetition penalty, frequency penalty (relative to the context's length), temperature, top_k, top_p, typical_p;
  /// then the greatest (of equal ones the lowest id), or a draw by inverse distribution over descending probability.
  /// Log-probabilities are those after all of these. The `top_n` alternatives come with all that are as likely as the
  /// last of them. Empty when there is nothing to choose from: a logit that is NaN or +infinity, or none that is
  /// finite.
  std::optional<SampledToken> sample(std::span<const float> logits, const Choice& choice);

  /// The same for kernels that choose where the logits are: what to ask of them (`counts`, and this object, are
  /// viewed), without alternatives.
  kernels::SampleRow row_of(const Choice& choice, std::vector<kernels::TokenCount>& counts);
  /// What they chose.
  static std::optional<SampledToken> token_of(const kernels::SampledId& chosen);
  std::size_t usable() const noexcept { return usable_; }

 private:
  void count(const Choice& choice, std::vector<kernels::TokenCount>& counts);

  std::size_t usable_;
  std::vector<std::int32_t> end_tokens_;
  std::vector<std::uint32_t> counts_;  ///< per id, zero between calls
  std::vector<kernels::TokenCount> context_;
  kernels::TokenSampler sampler_;
};

}  // namespace refserver
