// One prompt per line, inside the scenario's folder.
#include "loadgen/plan/prompts_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "loadgen/plan/text.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

constexpr std::size_t max_file_bytes = 64 * 1024 * 1024;
constexpr std::size_t max_prompts = 1'000'000;
constexpr std::size_t max_prompt_bytes = 1024 * 1024;

struct Lines {
  std::vector<std::string> prompts;
  std::string error;
};

Lines split(std::string_view text) {
  Lines lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (line.size() > max_prompt_bytes) return {{}, fmt::format("has a prompt longer than 1 MiB in line {}", number)};
    if (!is_utf8(line) || line.find('\0') != std::string_view::npos)
      return {{}, fmt::format("is not UTF-8 text in line {}", number)};
    if (lines.prompts.size() == max_prompts) return {{}, fmt::format("has more than {} prompts", max_prompts)};
    lines.prompts.emplace_back(line);
  }
  if (lines.prompts.empty()) lines.error = "has no prompts; write one per line";
  return lines;
}

}  // namespace

Result<std::vector<std::string>, std::string> read_prompts_file(const std::filesystem::path& folder,
                                                                const std::string& file) {
  const auto refuse = [&](const std::string& why) -> Result<std::vector<std::string>, std::string> {
    return {boost::system::in_place_error, fmt::format("'{}' {}", file, why)};
  };
  const TextFile read = read_text_beside(folder, file, max_file_bytes);
  if (!read.error.empty()) return refuse(read.error);
  std::string_view text = read.text;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  Lines lines = split(text);
  if (!lines.error.empty()) return refuse(lines.error);
  return std::move(lines.prompts);
}

}  // namespace loadgen
