// Incremental HTTP/1.1 response parser (RFC 9112): bytes in, head fields and body parts out. No I/O, no allocation per
// part. Written for the hot path: a streamed token is one small chunk, and its bytes are handed on where they lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/drive/head_memory.hpp"

namespace loadgen {

/// What the load generator needs of a response head.
struct ResponseHead {
  int status = 0;
  bool keep_alive = true;
  std::string content_type;                       ///< lower case, without parameters
  std::string content_encoding;                   ///< as sent; empty: none
  std::string location;                           ///< where a 3xx points
  std::optional<std::uint32_t> prompt_tokens;     ///< x-prompt-tokens
  std::optional<std::uint32_t> generated_tokens;  ///< x-generated-tokens
  std::string truth;  ///< x-plumbline-truth: the server's own record of a whole answer; empty: none
};

class HttpParser {
 public:
  enum class State : std::uint8_t {
    head,       ///< waiting for the end of the head
    body,       ///< head complete, body under way
    complete,   ///< the whole response has been read
    malformed,  ///< not HTTP/1.1, or over a limit; `error()` says what
  };

  static constexpr std::size_t head_limit_bytes = 64 * 1024;

  /// With a memory (which outlives it) a head like the one before is known without being read.
  explicit HttpParser(HeadMemory* memory = nullptr) noexcept : memory_(memory) {}

  /// Makes ready for the next response on the connection.
  void reset();

  /// Consumes `bytes`, calling `on_body(std::string_view)` for each run of body bytes in order. Stops at the end of the
  /// response; returns how many bytes were consumed. Interim 1xx heads are skipped.
  template <class OnBody>
  std::size_t feed(std::string_view bytes, OnBody&& on_body);

  /// The peer closed: a body without a length is complete now, anything else stays as it is.
  void feed_eof() noexcept;

  State state() const noexcept { return state_; }
  bool has_head() const noexcept { return has_head_; }
  const ResponseHead& head() const noexcept { return head_; }
  /// Within `on_body`: this run is all that was left of a body of known length.
  bool is_rest_of_body(std::string_view run) const noexcept {
    return framing_ == Framing::length && run.size() == remaining_;
  }
  const std::string& error() const noexcept { return error_; }

 private:
  enum class Framing : std::uint8_t { length, chunked, until_close };
  enum class ChunkState : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_skip,
    trailer_lf
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t recall_head(std::string_view bytes);
  void remember_head(std::string_view head);
  void take_head(std::string_view head);
  bool parse_head(std::string_view head);
  void clear_head();
  bool parse_status_line(std::string_view line);
  bool parse_field(std::string_view line);
  void parse_rare_field(std::string_view name, std::string_view value);
  void start_body();
  bool fail(std::string why);
  /// Advances over framing bytes of a chunked body; returns the bytes consumed. `part` is set when data comes next.
  std::size_t feed_chunk_framing(std::string_view bytes);
  std::size_t take_usual_framing(std::string_view bytes) noexcept;
  bool on_chunk_byte(char c);

  HeadMemory* memory_;
  State state_ = State::head;
  bool has_head_ = false;
  Framing framing_ = Framing::until_close;
  ChunkState chunk_ = ChunkState::size;
  unsigned chunk_digits_ = 0;
  std::uint64_t remaining_ = 0;  ///< of the body (length) or of the current chunk
  std::optional<std::uint64_t> content_length_;
  bool chunked_ = false;
  ResponseHead head_;
  std::string_view length_digits_;  ///< while a head is being read: where it says `content_length_`
  bool is_plain_ = true;            ///< it says nothing that a `HeadMemory` does not keep
  std::string buffer_;              ///< head bytes so far
  std::string error_;
};

template <class OnBody>
std::size_t HttpParser::feed(std::string_view bytes, OnBody&& on_body) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::complete && state_ != State::malformed) {
    const std::string_view rest = bytes.substr(used);
    if (state_ == State::head) {
      used += feed_head(rest);
    } else if (framing_ == Framing::until_close) {
      on_body(rest);
      used = bytes.size();
    } else if (framing_ == Framing::chunked && chunk_ != ChunkState::data) {
      used += feed_chunk_framing(rest);
    } else {
      const std::size_t n = remaining_ < rest.size() ? static_cast<std::size_t>(remaining_) : rest.size();
      on_body(rest.substr(0, n));
      remaining_ -= n;
      used += n;
      if (remaining_ == 0) {
        if (framing_ == Framing::length) {
          state_ = State::complete;
        } else {
          chunk_ = ChunkState::data_cr;
        }
      }
    }
  }
  return used;
}

}  // namespace loadgen
