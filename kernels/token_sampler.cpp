// Masses are whole numbers: neither the order of candidates nor the order of sums changes what is chosen.
#include "kernels/token_sampler.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <optional>

#include "kernels/cpu/choice.hpp"

namespace kernels {
namespace {

constexpr std::size_t kBins = 1024;
constexpr float kBinsPerUnit = 32;  ///< of rank: e^-32 is nothing beside the greatest

constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.surprise != b.surprise ? a.surprise < b.surprise : a.id < b.id;
};

/// Rank by likelihood.
constexpr auto kSurprise = [](const auto& candidate) { return candidate.surprise; };

/// Nothing if one of them is NaN or +infinity, or none is finite.
std::optional<float> greatest_of(std::span<const float> logits) {
  float greatest = -INFINITY;
  bool has_nan = false;
  for (const float logit : logits) {
    has_nan = has_nan || std::isnan(logit);
    greatest = std::max(greatest, logit);
  }
  if (has_nan || !std::isfinite(greatest)) return std::nullopt;
  return greatest;
}

bool is_plain(const SampleRow& row) {
  return row.rule == ChoiceRule::greatest && row.temperature == 1.0F && row.top_k == 0 && row.top_p >= 1.0F &&
         row.typical_p >= 1.0F && !row.has_penalty() && row.forbidden.empty();
}

}  // namespace

SampledId TokenSampler::sample(std::span<const float> logits, const SampleRow& row, std::size_t alternatives) {
  assert(!logits.empty() && logits.size() <= kMaxVocabulary);
  candidates_.clear();
  if (is_plain(row) && alternatives == 0) return choose_greatest(logits);
  if (!list_candidates(logits, row)) return {};
  if (row.top_k > 0) keep_top_k(row.top_k);
  for (Candidate& candidate : candidates_) candidate.mass = sampling::mass_of(candidate.surprise);
  add_up();
  if (row.top_p < 1.0F) keep_top_p(row.top_p);
  if (row.typical_p < 1.0F) keep_typical(row.typical_p);
  const Candidate chosen =
      row.rule == ChoiceRule::greatest
          ? *std::ranges::min_element(candidates_, kLikelier)
          : candidates_[prefix_of_mass(sampling::drawn_mass(total_, row.seed, row.position), kSurprise) - 1];
  const SampledId result{static_cast<std::int32_t>(chosen.id), chosen.surprise, total_};
  if (alternatives > 0) list_likeliest(alternatives);
  return result;
}

/// False if nothing can be chosen.
bool TokenSampler::list_candidates(std::span<const float> logits, const SampleRow& row) {
  if (row.has_penalty() || !row.forbidden.empty()) {
    logits_.assign(logits.begin(), logits.end());
    penalise(row);
    logits = logits_;
  }
  const auto greatest = greatest_of(logits);
  if (!greatest) return false;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (std::isinf(logits[id])) continue;
    candidates_.push_back(
        {sampling::surprise_of(logits[id], *greatest, row.temperature), static_cast<std::uint32_t>(id), 0});
  }
  return true;
}

void TokenSampler::penalise(const SampleRow& row) {
  const auto is_usable = [&](std::int32_t id) { return id >= 0 && static_cast<std::size_t>(id) < logits_.size(); };
  for (const std::int32_t id : row.forbidden) {
    if (is_usable(id)) logits_[static_cast<std::size_t>(id)] = -INFINITY;
  }
  if (!row.has_penalty()) return;
  for (const TokenCount& one : row.context) {
    if (!is_usable(one.id)) continue;
    float& logit = logits_[static_cast<std::size_t>(one.id)];
    logit = sampling::penalised(logit, one.count, row.repetition_penalty, row.frequency_penalty, row.context_length);
  }
}

/// Those as likely as the k-th stay too.
void TokenSampler::keep_top_k(std::size_t k) {
  if (k >= candidates_.size()) return;
  const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::ranges::nth_element(candidates_, last, kLikelier);
  const float most = last->surprise;
  std::erase_if(candidates_, [=](const Candidate& candidate) { return candidate.surprise > most; });
}

void TokenSampler::add_up() {
  total_ = 0;
  for (const Candidate& candidate : candidates_) total_ += candidate.mass;
}

/// How many candidates, by ascending rank and id, together have a mass of at least `target`: the fewest. They are moved
/// to the front, the last of them to its place. Masses are added up in bins of rank; only the bin that reaches the
/// target is put in order.
template <class Rank>
std::size_t TokenSampler::prefix_of_mass(std::uint64_t target, Rank rank) {
  const auto bin_of = [rank](const Candidate& candidate) {
    return static_cast<std::size_t>(std::min(rank(candidate) * kBinsPerUnit, kBins - 1.0F));
  };
  std::array<std::uint64_t, kBins> bins{};
  for (const Candidate& candidate : candidates_) bins[bin_of(candidate)] += candidate.mass;
  std::size_t bin = 0;
  std::uint64_t mass = 0;  // of those in front
  for (; mass + bins[bin] < target; ++bin) mass += bins[bin];
  const auto first = std::partition(candidates_.begin(), candidates_.end(),
                                    [&](const Candidate& candidate) { return bin_of(candidate) < bin; });
  const auto last =
      std::partition(first, candidates_.end(), [&](const Candidate& candidate) { return bin_of(candidate) == bin; });
  std::sort(first, last, [rank](const Candidate& a, const Candidate& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.id < b.id;
  });
  auto candidate = first;
  while (mass + candidate->mass < target) mass += (candidate++)->mass;
  return static_cast<std::size_t>(candidate - candidates_.begin()) + 1;
}

void TokenSampler::keep_top_p(float share) {
  candidates_.resize(prefix_of_mass(sampling::share_of(total_, share), kSurprise));
  add_up();
}

/// Those whose surprise is nearest to what is to be expected of this distribution; at the limit, all equal ones.
void TokenSampler::keep_typical(float share) {
  sampling::SurpriseSums sums;
  for (const Candidate& candidate : candidates_) sums.add(candidate.mass, candidate.surprise);
  const float mean = sums.mean(total_);
  const auto rank = [mean](const Candidate& candidate) { return sampling::untypical(candidate.surprise, mean); };
  const float most = rank(candidates_[prefix_of_mass(sampling::share_of(total_, share), rank) - 1]);
  std::erase_if(candidates_, [&](const Candidate& candidate) { return rank(candidate) > most; });
  add_up();
}

void TokenSampler::list_likeliest(std::size_t n) {
  keep_top_k(n);
  std::ranges::sort(candidates_, kLikelier);
}

}  // namespace kernels
