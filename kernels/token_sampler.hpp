// The choice of a token on the host, by the arithmetic of sampling.hpp. Knows no requests and no models.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/sampling.hpp"

namespace kernels {

/// Holds workspace: one thread at a time.
class TokenSampler {
 public:
  struct Candidate {
    float surprise = 0;
    std::uint32_t id = 0;
    std::uint64_t mass = 0;  ///< 0 until it is known
  };

  /// Chooses among the ids below logits.size(), which is at least 1 and at most kMaxVocabulary. Keeps a list of what
  /// could have been chosen where `alternatives` is above 0.
  SampledId sample(std::span<const float> logits, const SampleRow& row, std::size_t alternatives = 0);
  /// That list: as many of the likeliest as were asked for and all as likely as the last of them; likeliest first, of
  /// equal ones the lowest id. Until the next `sample`.
  std::span<const Candidate> likeliest() const noexcept { return candidates_; }

 private:
  template <class Rank>
  std::size_t prefix_of_mass(std::uint64_t target, Rank rank);

  bool list_candidates(std::span<const float> logits, const SampleRow& row);
  void penalise(const SampleRow& row);
  void keep_top_k(std::size_t k);
  void keep_top_p(float share);
  void keep_typical(float share);
  void list_likeliest(std::size_t n);
  void add_up();

  std::vector<float> logits_;  ///< after masks and penalties
  std::vector<Candidate> candidates_;
  std::uint64_t total_ = 0;  ///< mass of all candidates
};

}  // namespace kernels
