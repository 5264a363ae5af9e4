// When a sequence ends. TGI's rules in TGI's order: length, end of sequence, stop string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/api/token_event.hpp"

namespace refserver {

struct StopLimits {
  std::uint32_t max_new_tokens = 1;
  std::uint32_t min_new_tokens = 0;
  bool ignores_eos = false;
};

/// What is known of the token just produced.
struct NewToken {
  std::uint32_t index = 0;  ///< 1 for the first
  bool is_eos = false;
  std::string_view text;
};

/// One sequence's state: the end of its text, as long as the longest stop string needs.
class StopRules {
 public:
  StopRules() = default;
  StopRules(StopLimits limits, std::vector<std::string> stop);

  /// To be called for every token in order. A stop string counts when the text so far ends with it, not where it ends
  /// inside a token, and stays part of the answer; so does an empty one, at once.
  std::optional<FinishReason> after(const NewToken& token);

 private:
  bool ends_with_stop(std::string_view text);

  StopLimits limits_;
  std::vector<std::string> stop_;
  std::size_t longest_ = 0;
  std::string tail_;
};

}  // namespace refserver
