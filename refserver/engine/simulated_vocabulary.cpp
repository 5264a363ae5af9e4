// Every token is whole words, so nothing is ever held back.
#include "refserver/engine/simulated_vocabulary.hpp"

namespace refserver {
namespace {

class SimulatedText final : public TokenText {
 public:
  std::string push(TokenId id) override {
    return id == SimulatedVocabulary::kEos ? std::string() : " t" + std::to_string(id);
  }
  std::string finish() override { return {}; }
};

}  // namespace

std::unique_ptr<TokenText> SimulatedVocabulary::start_text() const {
  return std::make_unique<SimulatedText>();
}

std::string SimulatedVocabulary::text(TokenId id) const {
  if (id == kEos) return "</s>";
  if (id >= alternative(2) && id <= alternative(kMostAlternatives)) return " a" + std::to_string(id - alternative(0));
  return " t" + std::to_string(id);
}

}  // namespace refserver
