// The tail is kept just long enough to see the longest stop string.
#include "refserver/schedule/stop_rules.hpp"

#include <algorithm>
#include <utility>

namespace refserver {

StopRules::StopRules(StopLimits limits, std::vector<std::string> stop) : limits_(limits), stop_(std::move(stop)) {
  for (const std::string& text : stop_) longest_ = std::max(longest_, text.size());
}

std::optional<FinishReason> StopRules::after(const NewToken& token) {
  if (token.index >= limits_.max_new_tokens) return FinishReason::length;
  if (token.is_eos && !limits_.ignores_eos && token.index > limits_.min_new_tokens) return FinishReason::eos_token;
  if (!stop_.empty() && ends_with_stop(token.text)) return FinishReason::stop_sequence;
  return std::nullopt;
}

bool StopRules::ends_with_stop(std::string_view text) {
  tail_ += text;
  const bool ends =
      std::ranges::any_of(stop_, [this](const std::string& stop) { return std::string_view(tail_).ends_with(stop); });
  if (tail_.size() > longest_) tail_.erase(0, tail_.size() - longest_);
  return ends;
}

}  // namespace refserver
