// Scores are taken relative to the greatest before anything is divided: no temperature makes them overflow.
#include "refserver/transformer/sampler.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/philox.hpp"

namespace refserver {
namespace {

constexpr std::uint64_t kTokenStream = 0;  ///< of random numbers: the choice of a token
constexpr std::size_t kBins = 1024;
constexpr double kBinsPerUnit = 32;  ///< of rank: e^-32 is nothing beside the greatest

constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
};

/// Rank by likelihood.
constexpr auto kSurprise = [](const auto& candidate) { return -candidate.score; };

}  // namespace

Sampler::Sampler(std::size_t usable, std::vector<TokenId> end_tokens)
    : usable_(usable), end_tokens_(std::move(end_tokens)), counts_(usable, 0) {
  assert(usable > 0);
}

std::optional<SampledToken> Sampler::sample(std::span<const float> logits, const Choice& choice) {
  assert(logits.size() >= usable_);
  const Sampling& sampling = choice.sampling;
  const bool has_penalty = sampling.repetition_penalty != 1.0F || sampling.frequency_penalty != 0.0F;
  if (sampling.is_greedy && !has_penalty && choice.top_n == 0 && choice.end_tokens == EndTokens::allowed) {
    return sample_plainly(logits.first(usable_));
  }
  list_candidates(logits, choice);
  if (has_penalty) penalise(choice);
  if (!scale(sampling.temperature)) return std::nullopt;
  if (sampling.top_k > 0) keep_top_k(sampling.top_k);
  weigh();
  if (sampling.top_p < 1.0F) keep_top_p(sampling.top_p);
  if (sampling.typical_p < 1.0F) keep_typical(sampling.typical_p);
  const Candidate chosen = choose(choice);
  SampledToken token{chosen.id, static_cast<float>(chosen.score - std::log(total_)), {}};
  if (choice.top_n > 0) list_top(choice.top_n, token);
  return token;
}

/// The greatest and its log-probability, without a list of candidates.
std::optional<SampledToken> Sampler::sample_plainly(std::span<const float> logits) const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best] || std::isnan(logits[best])) best = i;
  }
  const float greatest = logits[best];
  if (!std::isfinite(greatest)) return std::nullopt;
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - greatest);
  if (!std::isfinite(total)) return std::nullopt;  // a NaN among them
  return SampledToken{static_cast<TokenId>(best), static_cast<float>(-std::log(total)), {}};
}

void Sampler::list_candidates(std::span<const float> logits, const Choice& choice) {
  candidates_.resize(usable_);
  for (std::size_t id = 0; id < usable_; ++id) candidates_[id] = {logits[id], 0, static_cast<TokenId>(id)};
  if (choice.end_tokens == EndTokens::allowed) return;
  for (const TokenId id : end_tokens_) {
    if (id < usable_) candidates_[id].score = -std::numeric_limits<double>::infinity();
  }
}

/// candidates_[id] is still that of `id`.
void Sampler::penalise(const Choice& choice) {
  const double repetition = choice.sampling.repetition_penalty;
  const double frequency = choice.sampling.frequency_penalty;
  const auto length = static_cast<double>(choice.context.size() + choice.drafts.size());
  const auto each = [&](auto&& body) {
    for (const std::span<const TokenId> part : {choice.context, choice.drafts}) {
      for (const TokenId id : part) {
        if (id < usable_) body(id);
      }
    }
  };
  each([&](TokenId id) { ++counts_[id]; });
  each([&](TokenId id) {
    const std::uint32_t count = std::exchange(counts_[id], 0);
    if (count == 0) return;  // was dealt with already
    double& logit = candidates_[id].score;
    logit = logit < 0 ? logit * repetition : logit / repetition;
    logit -= frequency * count / length;
  });
}

/// False if nothing can be chosen.
bool Sampler::scale(double temperature) {
  double greatest = -std::numeric_limits<double>::infinity();
  bool has_nan = false;
  for (const Candidate& candidate : candidates_) {
    has_nan = has_nan || std::isnan(candidate.score);
    greatest = std::max(greatest, candidate.score);
  }
  if (has_nan || !std::isfinite(greatest)) return false;
  std::erase_if(candidates_, [](const Candidate& candidate) { return std::isinf(candidate.score); });
  for (Candidate& candidate : candidates_) candidate.score = (candidate.score - greatest) / temperature;
  return true;
}

/// Those as likely as the k-th stay too.
void Sampler::keep_top_k(std::size_t k) {
  if (k >= candidates_.size()) return;
  const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::ranges::nth_element(candidates_, last, kLikelier);
  const double least = last->score;
  std::erase_if(candidates_, [=](const Candidate& candidate) { return candidate.score < least; });
}

void Sampler::weigh() {
  for (Candidate& candidate : candidates_) candidate.mass = std::exp(candidate.score);
  add_up();
}

void Sampler::add_up() {
  total_ = 0;
  for (const Candidate& candidate : candidates_) total_ += candidate.mass;
}

/// How many candidates, by ascending rank (from 0) and id, together have a mass of at least `target`: the fewest, at
/// least one. They are moved to the front, the last of them to its place. Masses are added up in bins of rank; only the
/// bin that reaches the target is put in order.
template <class Rank>
std::size_t Sampler::prefix_of_mass(double target, Rank rank) {
  const auto bin_of = [rank](const Candidate& candidate) {
    return static_cast<std::size_t>(std::min(rank(candidate) * kBinsPerUnit, kBins - 1.0));
  };
  std::array<double, kBins> bins{};
  for (const Candidate& candidate : candidates_) bins[bin_of(candidate)] += candidate.mass;
  std::size_t bin = 0, last_bin = kBins - 1;
  while (last_bin > 0 && bins[last_bin] == 0) --last_bin;
  double mass = 0;  // of those in front
  for (; bin < last_bin && mass + bins[bin] < target; ++bin) mass += bins[bin];
  const auto first = std::partition(candidates_.begin(), candidates_.end(),
                                    [&](const Candidate& candidate) { return bin_of(candidate) < bin; });
  const auto last =
      std::partition(first, candidates_.end(), [&](const Candidate& candidate) { return bin_of(candidate) == bin; });
  std::sort(first, last, [rank](const Candidate& a, const Candidate& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.id < b.id;
  });
  for (auto candidate = first; candidate != last; ++candidate) {
    mass += candidate->mass;
    if (mass >= target) return static_cast<std::size_t>(candidate - candidates_.begin()) + 1;
  }
  return static_cast<std::size_t>(last - candidates_.begin());
}

void Sampler::keep_top_p(double p) {
  // Of n candidates, those below a mass of (1 - p) / n together have less than 1 - p: the tail, which is most of a
  // vocabulary, goes without being put in order.
  const double least = (1 - p) * total_ / static_cast<double>(candidates_.size());
  std::erase_if(candidates_, [=](const Candidate& candidate) { return candidate.mass < least; });
  candidates_.resize(prefix_of_mass(p * total_, kSurprise));
  add_up();
}

/// Those whose surprise is nearest to what is to be expected of this distribution; at the limit, all equal ones.
void Sampler::keep_typical(double p) {
  const double log_total = std::log(total_);
  double entropy = 0;
  for (const Candidate& candidate : candidates_) {
    entropy -= candidate.mass / total_ * (candidate.score - log_total);
  }
  const auto distance = [=](const Candidate& candidate) { return std::abs(log_total - candidate.score - entropy); };
  const std::size_t kept = prefix_of_mass(p * total_, distance);
  const double most = distance(candidates_[kept - 1]);
  std::erase_if(candidates_, [=](const Candidate& candidate) { return distance(candidate) > most; });
  add_up();
}

Sampler::Candidate Sampler::choose(const Choice& choice) {
  if (choice.sampling.is_greedy) return *std::ranges::min_element(candidates_, kLikelier);
  const double draw = kernels::uniform_draw(choice.seed, choice.position, kTokenStream);
  return candidates_[prefix_of_mass(draw * total_, kSurprise) - 1];
}

void Sampler::list_top(std::size_t n, SampledToken& token) {
  if (n < candidates_.size()) keep_top_k(n);
  std::ranges::sort(candidates_, kLikelier);
  const double log_total = std::log(total_);  // of all that could have been chosen, not of these
  for (const Candidate& candidate : candidates_) {
    token.top.emplace_back(candidate.id, static_cast<float>(candidate.score - log_total));
  }
}

}  // namespace refserver
