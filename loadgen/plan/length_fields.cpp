#include "loadgen/plan/length_fields.hpp"

#include <fmt/format.h>

#include <utility>

#include "loadgen/plan/text_file.hpp"

namespace loadgen {

std::optional<LengthDraw> read_length(const ObjectReader& reader, const char* key,
                                      const std::filesystem::path& folder) {
  constexpr std::size_t histogram_bytes = 4 * 1024 * 1024;
  const Json* const value = reader.find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    const auto tokens = reader.integer(key, {1, longest_length});
    return tokens ? std::optional(fixed_length(static_cast<std::uint32_t>(*tokens))) : std::nullopt;
  }
  const auto fail = [&](const std::string& why) {
    reader.fail(key, why);
    return std::nullopt;
  };
  const auto text = reader.text(key, {1000, TextRange::Kind::line});
  if (!text) return std::nullopt;
  auto draw = parse_length_draw(*text);
  if (!draw) return fail(draw.error());
  if (draw->kind != LengthDraw::Kind::histogram) return std::move(*draw);
  const TextFile file = read_text_beside(folder, draw->file, histogram_bytes);
  if (!file.error.empty()) return fail(fmt::format("'{}' {}", draw->file, file.error));
  auto bins = parse_length_histogram(file.text);
  if (!bins) return fail(fmt::format("'{}' {}", draw->file, bins.error()));
  draw->bins = std::move(*bins);
  return std::move(*draw);
}

}  // namespace loadgen
