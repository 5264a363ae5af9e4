#include "loadgen/plan/draw_call.hpp"

#include "loadgen/plan/units.hpp"

namespace loadgen {

std::string_view without_blanks(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<DrawCall> draw_call_in(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || text.back() != ')') return std::nullopt;
  DrawCall call{without_blanks(text.substr(0, open)), {}};
  std::string_view rest = text.substr(open + 1, text.size() - open - 2);
  for (std::size_t comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
    call.arguments.push_back(rest.substr(0, comma));
    rest.remove_prefix(comma + 1);
  }
  call.arguments.push_back(rest);
  return call;
}

std::optional<double> cv_in(std::string_view text) {
  constexpr double largest_cv = 100;
  text = without_blanks(text);
  const auto number = take_number(text);
  if (!number || !text.empty() || *number <= 0 || *number > largest_cv) return std::nullopt;
  return number;
}

}  // namespace loadgen
