// Errors as lines for people.
#include "loadgen/plan/scenario_errors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace loadgen {
namespace {

constexpr std::size_t shown = 10;

std::string line_of(const ScenarioError& error) {
  std::string text = error.source;
  if (error.line > 0) text += fmt::format(":{}", error.line);
  if (!error.field.empty()) text += ": " + error.field;
  text += ": " + error.message;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

std::string errors_text(const ScenarioErrors& errors) {
  std::string text;
  for (std::size_t i = 0; i < std::min(errors.size(), shown); ++i) text += line_of(errors[i]) + "\n";
  if (errors.size() > shown) text += fmt::format("... and {} more errors\n", errors.size() - shown);
  return text;
}

}  // namespace loadgen
