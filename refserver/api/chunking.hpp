// How a stream is cut into events, writes and pieces: servers, proxies and networks differ in it, and clients must
// cope. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/result.hpp"

namespace refserver {

struct Chunking {
  std::uint32_t tokens_per_event = 1;
  std::uint32_t events_per_write = 1;
  std::uint32_t pieces_per_write = 1;  ///< of about equal length, each a write of its own
  bool cuts_characters = false;        ///< pieces end inside a character of several bytes where there is one
  std::optional<std::chrono::nanoseconds> comment_every;  ///< comments between the events, this often

  bool operator==(const Chunking&) const = default;
};

/// Reads "tokens=4,events=2,pieces=3,cut-characters,comments=50ms": any of them, in any order. The error names the part
/// and what would be right.
Result<Chunking, std::string> parse_chunking(std::string_view text);

/// Adds a token to an event that already holds some: texts one after the other, log-probs added up, the rest as the
/// later one has it.
void merge_token(TokenEvent& into, const TokenEvent& later);

/// Where the pieces of `bytes` end; ascending, the last one is the length. Fewer where there are too few bytes.
std::vector<std::size_t> piece_ends(std::string_view bytes, const Chunking& chunking);

}  // namespace refserver
