// One character after the other, escapes as RFC 8259 has them.
#include "loadgen/drive/spelled_prefix.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace loadgen {
namespace {

/// A character behind a backslash: its UTF-8, and how many bytes its escape took.
struct Escape {
  std::array<char, 4> utf8{};
  std::size_t size = 0;
  std::size_t raw = 0;

  std::string_view text() const noexcept { return {utf8.data(), size}; }
};

std::optional<std::uint32_t> read_unit(std::string_view raw) noexcept {
  if (raw.size() < 6 || raw[0] != '\\' || raw[1] != 'u') return std::nullopt;
  std::uint32_t unit = 0;
  const auto [end, error] = std::from_chars(raw.data() + 2, raw.data() + 6, unit, 16);
  return error == std::errc() && end == raw.data() + 6 ? std::optional(unit) : std::nullopt;
}

Escape encoded(std::uint32_t point, std::size_t raw) noexcept {
  const auto byte = [point](std::uint32_t lead, unsigned shift, std::uint32_t mask) {
    return static_cast<char>(lead | ((point >> shift) & mask));
  };
  if (point < 0x80) return {{byte(0, 0, 0x7f)}, 1, raw};
  if (point < 0x800) return {{byte(0xc0, 6, 0x1f), byte(0x80, 0, 0x3f)}, 2, raw};
  if (point < 0x10000) return {{byte(0xe0, 12, 0x0f), byte(0x80, 6, 0x3f), byte(0x80, 0, 0x3f)}, 3, raw};
  return {{byte(0xf0, 18, 0x07), byte(0x80, 12, 0x3f), byte(0x80, 6, 0x3f), byte(0x80, 0, 0x3f)}, 4, raw};
}

/// Nothing where `raw` does not begin with a whole escape.
std::optional<Escape> read_escape(std::string_view raw) noexcept {
  constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  if (raw.size() < 2) return std::nullopt;
  if (const std::size_t at = letters.find(raw[1]); at != std::string_view::npos) return Escape{{meanings[at]}, 1, 2};
  const auto high = read_unit(raw);
  if (!high || (*high >= 0xdc00 && *high < 0xe000)) return std::nullopt;
  if (*high < 0xd800 || *high >= 0xe000) return encoded(*high, 6);
  const auto low = read_unit(raw.substr(6));
  if (!low || *low < 0xdc00 || *low >= 0xe000) return std::nullopt;
  return encoded(0x10000 + ((*high - 0xd800) << 10U) + (*low - 0xdc00), 12);
}

}  // namespace

std::size_t spelled_prefix(std::string_view raw, std::string_view plain) noexcept {
  std::size_t at = 0;
  for (std::size_t done = 0; done < plain.size();) {
    if (at == raw.size()) return 0;
    if (raw[at] != '\\') {
      if (raw[at++] != plain[done++]) return 0;
      continue;
    }
    const auto escape = read_escape(raw.substr(at));
    if (!escape || !plain.substr(done).starts_with(escape->text())) return 0;
    at += escape->raw;
    done += escape->size;
  }
  return at;
}

}  // namespace loadgen
