// The tokens of simulated engines: " t1", " t2", ... by id, and for alternatives " a2", " a3", ... None is special.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

class SimulatedVocabulary final : public Vocabulary {
 public:
  /// The token that ends a sequence, for engines whose answers have a length of their own.
  static constexpr TokenId kEos = 0;
  /// The token offered in place of the one chosen; ranks begin with 2.
  static constexpr TokenId alternative(std::uint32_t rank) { return kFirstAlternative + rank; }

  std::unique_ptr<TokenText> start_text() const override;
  std::string text(TokenId id) const override;
  bool is_special(TokenId id) const override { return id == kEos; }
  bool is_eos(TokenId id) const override { return id == kEos; }

 private:
  static constexpr TokenId kFirstAlternative = 1'000'000;
  static constexpr std::uint32_t kMostAlternatives = 1000;
};

}  // namespace refserver
