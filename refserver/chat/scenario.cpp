// Picks the file of a scenario and a language and fills in the user's text.
#include "refserver/chat/scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

namespace refserver {
namespace {

constexpr std::string_view kPlaceholder = "{inputs}";
constexpr std::string_view kDivider = "\n---\n";

bool is_latin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// More Chinese characters (U+4E00..U+9FFF, three bytes from E4 to E9 in UTF-8) than Latin words.
bool is_mostly_chinese(std::string_view text) {
  std::size_t characters = 0;
  std::size_t words = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0xE4 && byte <= 0xE9) ++characters;
    if (is_latin(text[i]) && (i == 0 || !is_latin(text[i - 1]))) ++words;
  }
  return characters > words;
}

std::string_view trim_line_end(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::string fill(std::string_view pattern, std::string_view inputs) {
  const std::size_t at = pattern.find(kPlaceholder);
  if (at == std::string_view::npos) return fmt::format("{}\n{}", pattern, inputs);
  return fmt::format("{}{}{}", pattern.substr(0, at), inputs, pattern.substr(at + kPlaceholder.size()));
}

}  // namespace

std::vector<std::string> scenario_names() {
  std::set<std::string> names;
  for (const ScenarioFile& file : embedded_scenario_files()) names.emplace(file.name.substr(0, file.name.find('.')));
  return {names.begin(), names.end()};
}

Result<std::vector<Message>, Error> make_scenario_messages(std::string_view scenario, std::string_view inputs) {
  const std::string wanted = fmt::format("{}.{}.txt", scenario, is_mostly_chinese(inputs) ? "zh" : "en");
  for (const ScenarioFile& file : embedded_scenario_files()) {
    if (file.name != wanted) continue;
    const std::size_t at = file.text.find(kDivider);
    const std::string_view system = at == std::string_view::npos ? "" : file.text.substr(0, at);
    const std::string_view user = at == std::string_view::npos ? file.text : file.text.substr(at + kDivider.size());
    return std::vector<Message>{{"system", std::string(trim_line_end(system))},
                                {"user", fill(trim_line_end(user), inputs)}};
  }
  return Error{ErrorType::unknown_scenario,
               fmt::format("unknown scenario `{}`, expected one of: {}", scenario, fmt::join(scenario_names(), ", "))};
}

}  // namespace refserver
