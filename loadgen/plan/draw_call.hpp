// How draws are written in scenarios: `name(a, b)`. Shared by durations and lengths. Internal to plan.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace loadgen {

struct DrawCall {
  std::string_view name;
  std::vector<std::string_view> arguments;  ///< as they stand, blanks around them included; at least one
};

/// `name(a, b)` in its parts; nothing for any other text.
std::optional<DrawCall> draw_call_in(std::string_view text);

/// A coefficient of variation, above 0 and at most 100; blanks around it are left aside.
std::optional<double> cv_in(std::string_view text);

std::string_view without_blanks(std::string_view text) noexcept;

}  // namespace loadgen
