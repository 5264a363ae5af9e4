#include "tokenizer/bpe/seams.hpp"

#include <bit>

namespace tokenizer {

void Seams::add_token(std::string_view token) {
  for (std::size_t at = 1; at < token.size(); ++at) {
    if (!is_place(token[at])) continue;
    const std::size_t l = std::min<std::size_t>(at, kReach);
    const std::size_t r = std::min<std::size_t>(token.size() - at, kReach);
    contexts_.push_back(context_of(token.data() + at, l, r));
    if (r >= 2) {
      may_reach_.set(rough_place(token[at - 1], token[at], token[at + 1]));
    } else {  // whatever the second byte may be
      for (int second = 0; second < 256; ++second) {
        may_reach_.set(rough_place(token[at - 1], token[at], static_cast<char>(second)));
      }
    }
  }
}

void Seams::finish() {
  std::sort(contexts_.begin(), contexts_.end());
  contexts_.erase(std::unique(contexts_.begin(), contexts_.end()), contexts_.end());
  mask_ = std::bit_ceil(2 * contexts_.size() + 2) - 1;
  shift_ = 64U - static_cast<unsigned>(std::popcount(mask_));
  prints_.assign(mask_ + 1, 0);
  for (const std::uint64_t context : contexts_) {
    if (has(context)) continue;
    std::size_t at = context >> shift_;
    while (prints_[at] != 0) at = (at + 1) & mask_;
    prints_[at] = print_of(context);
  }
  contexts_ = {};
}

}  // namespace tokenizer
