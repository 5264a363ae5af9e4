// One part of the text after the other; cuts are even, then moved.
#include "refserver/api/chunking.hpp"

#include <fmt/format.h>

#include <charconv>

#include "refserver/duration.hpp"

namespace refserver {
namespace {

constexpr std::uint32_t kMostOfAny = 1000;
constexpr std::string_view kParts = "tokens=N, events=N, pieces=N, cut-characters, comments=TIME";

std::optional<std::string> read_count(std::string_view name, std::string_view value, std::uint32_t& out) {
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (ec == std::errc() && end == value.data() + value.size() && out >= 1 && out <= kMostOfAny) return std::nullopt;
  return fmt::format("{}: '{}' is not a whole number from 1 to {}", name, value, kMostOfAny);
}

std::optional<std::string> read_part(std::string_view part, Chunking& out) {
  const std::size_t equals = part.find('=');
  const std::string_view name = part.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
  if (name == "tokens") return read_count(name, value, out.tokens_per_event);
  if (name == "events") return read_count(name, value, out.events_per_write);
  if (name == "pieces") return read_count(name, value, out.pieces_per_write);
  if (part == "cut-characters") {
    out.cuts_characters = true;
    return std::nullopt;
  }
  if (name != "comments") return fmt::format("'{}' is not a part of it; there are {}", part, kParts);
  const auto time = parse_duration(std::string(value));
  if (!time || *time < std::chrono::milliseconds(1)) {
    return fmt::format("comments: '{}' is not a duration from 1ms on, such as 50ms or 2s", value);
  }
  out.comment_every = *time;
  return std::nullopt;
}

bool is_inside_character(std::string_view bytes, std::size_t at) {
  return (static_cast<unsigned char>(bytes[at]) & 0xC0U) == 0x80U;
}

/// The nearest place inside a character in (from, bytes.size()); `at` itself if there is none.
std::size_t move_into_character(std::string_view bytes, std::size_t from, std::size_t at) {
  for (std::size_t distance = 0; distance < bytes.size(); ++distance) {
    if (at + distance < bytes.size() && is_inside_character(bytes, at + distance)) return at + distance;
    if (at > from + distance && is_inside_character(bytes, at - distance)) return at - distance;
  }
  return at;
}

}  // namespace

Result<Chunking, std::string> parse_chunking(std::string_view text) {
  Chunking out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (auto problem = read_part(text.substr(0, comma), out)) return *problem;
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
    if (comma != std::string_view::npos && text.empty()) return fmt::format("ends with a comma; there are {}", kParts);
  }
  if (out.cuts_characters && out.pieces_per_write == 1) out.pieces_per_write = 2;
  return out;
}

void merge_token(TokenEvent& into, const TokenEvent& later) {
  const std::string text = into.token.is_special    ? later.token.text
                           : later.token.is_special ? into.token.text
                                                    : into.token.text + later.token.text;
  const float logprob = into.token.logprob + later.token.logprob;
  const bool is_special = into.token.is_special && later.token.is_special;
  into = later;
  into.token.text = text;
  into.token.logprob = logprob;
  into.token.is_special = is_special;
}

std::vector<std::size_t> piece_ends(std::string_view bytes, const Chunking& chunking) {
  std::vector<std::size_t> ends;
  std::size_t from = 0;
  for (std::size_t i = 1; i < chunking.pieces_per_write; ++i) {
    std::size_t at = bytes.size() * i / chunking.pieces_per_write;
    if (at <= from || at >= bytes.size()) continue;
    if (chunking.cuts_characters) at = move_into_character(bytes, from, at);
    if (at <= from) continue;
    ends.push_back(at);
    from = at;
  }
  ends.push_back(bytes.size());
  return ends;
}

}  // namespace refserver
