// From the logits of one row to the next token: TGI's processors in TGI's order, and a draw that depends on the request
// alone. Knows no batch and no model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

 private:
  struct Candidate {
    double score = 0;  ///< logit less the greatest, divided by the temperature
    double mass = 0;   ///< e^score, or 0 until it is known
    TokenId id = 0;
  };
  template <class Rank>
  std::size_t prefix_of_mass(double target, Rank rank);

  std::optional<SampledToken> sample_plainly(std::span<const float> logits) const;
  void list_candidates(std::span<const float> logits, const Choice& choice);
  void penalise(const Choice& choice);
  bool scale(double temperature);
  void keep_top_k(std::size_t k);
  void weigh();
  void add_up();
  void keep_top_p(double p);
  void keep_typical(double p);
  Candidate choose(const Choice& choice);
  void list_top(std::size_t n, SampledToken& token);

  std::size_t usable_;
  std::vector<TokenId> end_tokens_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> counts_;  ///< per id, zero between calls
  double total_ = 0;                   ///< mass of all candidates
};

}  // namespace refserver
