// The head and the chunk framing of RFC 9112, byte by byte where it must be and by whole runs where it can.
#include "loadgen/drive/http_parser.hpp"

#include <charconv>

namespace loadgen {
namespace {

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `b` is in lower case.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (a == b) return true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != b[i]) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

template <class Int>
std::optional<Int> to_number(std::string_view s) noexcept {
  Int value{};
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (ec != std::errc() || end != s.data() + s.size() || s.empty()) return std::nullopt;
  return value;
}

/// True if the comma-separated list names `token`.
bool list_has(std::string_view list, std::string_view token) noexcept {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (equals_ignoring_case(trimmed(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

}  // namespace

void HttpParser::reset() {
  state_ = State::head;
  has_head_ = false;
  framing_ = Framing::until_close;
  chunk_ = ChunkState::size;
  chunk_digits_ = 0;
  remaining_ = 0;
  content_length_.reset();
  chunked_ = false;
  clear_head();
  buffer_.clear();
  error_.clear();
}

void HttpParser::clear_head() {
  head_.status = 0;
  head_.keep_alive = true;
  head_.content_type.clear();  // keeps its memory: one answer is like the one before
  head_.content_encoding.clear();
  head_.location.clear();
  head_.prompt_tokens.reset();
  head_.generated_tokens.reset();
  head_.truth.clear();
}

bool HttpParser::fail(std::string why) {
  state_ = State::malformed;
  error_ = std::move(why);
  return false;
}

std::size_t HttpParser::feed_head(std::string_view bytes) {
  if (buffer_.empty()) {  // nearly always the head comes whole in one read, and is read where it lies
    if (const std::size_t known = recall_head(bytes); known > 0) return known;
    const auto end = bytes.substr(0, head_limit_bytes).find("\r\n\r\n");
    if (end != std::string_view::npos) {
      take_head(bytes.substr(0, end + 2));
      remember_head(bytes.substr(0, end + 4));
      return end + 4;
    }
  }
  // The terminator may straddle two reads: search from a little before the new bytes.
  const std::size_t before = buffer_.size();
  const std::size_t from = before < 3 ? 0 : before - 3;
  buffer_.append(bytes.substr(0, head_limit_bytes - before));
  const auto end = buffer_.find("\r\n\r\n", from);
  if (end == std::string::npos) {
    if (buffer_.size() >= head_limit_bytes) fail("response head is longer than 64 KiB");
    if (buffer_.size() >= 5 && buffer_.compare(0, 5, "HTTP/") != 0) fail("the answer is not HTTP");
    return buffer_.size() - before;
  }
  take_head(std::string_view(buffer_).substr(0, end + 2));
  buffer_.clear();
  return end + 4 - before;
}

/// The head before once more, but for its length: how many bytes it has, or 0.
std::size_t HttpParser::recall_head(std::string_view bytes) {
  const std::size_t size = memory_ != nullptr ? memory_->find(bytes) : 0;
  if (size == 0) return 0;
  const HeadMemory::Said& said = memory_->said();
  head_.status = said.status;
  head_.keep_alive = said.keep_alive;
  head_.content_type.assign(said.content_type);
  content_length_ = said.content_length;
  chunked_ = said.is_chunked;
  has_head_ = true;
  start_body();
  return size;
}

/// `head` has just been taken.
void HttpParser::remember_head(std::string_view head) {
  if (memory_ == nullptr || !has_head_ || !is_plain_) return;
  memory_->keep(head, length_digits_, {head_.status, head_.keep_alive, chunked_, head_.content_type, content_length_});
}

/// A whole head, up to and with the end of its last line.
void HttpParser::take_head(std::string_view head) {
  if (!parse_head(head)) return;
  if (head_.status == 101) {
    fail("the server switched protocols (101), which nobody asked for");
    return;
  }
  if (head_.status >= 100 && head_.status < 200) {
    clear_head();
    content_length_.reset();
    chunked_ = false;
  } else {
    has_head_ = true;
    start_body();
  }
}

bool HttpParser::parse_head(std::string_view head) {
  bool first = true;
  length_digits_ = {};
  is_plain_ = true;
  while (!head.empty()) {
    const auto eol = head.find("\r\n");
    const std::string_view line = head.substr(0, eol);
    if (!(first ? parse_status_line(line) : parse_field(line))) return false;
    first = false;
    head.remove_prefix(eol + 2);
  }
  return !first || fail("empty response head");
}

bool HttpParser::parse_status_line(std::string_view line) {
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || line[8] != ' ') return fail("the answer is not HTTP/1.x");
  const auto status = to_number<int>(line.substr(9, 3));
  if (!status || *status < 100) return fail("bad HTTP status line");
  head_.status = *status;
  head_.keep_alive = line[7] != '0';
  return true;
}

bool HttpParser::parse_field(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return fail("bad header line in the response");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (equals_ignoring_case(name, "content-length")) {
    const auto length = to_number<std::uint64_t>(value);
    if (!length || (content_length_ && *content_length_ != *length)) return fail("bad content-length in the response");
    is_plain_ = is_plain_ && !content_length_;
    content_length_ = length;
    length_digits_ = value;
  } else if (equals_ignoring_case(name, "transfer-encoding")) {
    if (!equals_ignoring_case(value, "chunked")) return fail("unknown transfer-encoding in the response");
    chunked_ = true;
  } else if (equals_ignoring_case(name, "connection")) {
    if (list_has(value, "close")) head_.keep_alive = false;
    if (list_has(value, "keep-alive")) head_.keep_alive = true;
  } else if (equals_ignoring_case(name, "content-type")) {
    head_.content_type.assign(trimmed(value.substr(0, value.find(';'))));
    for (char& c : head_.content_type) c = lower(c);
  } else {
    parse_rare_field(name, value);
  }
  return true;
}

/// What only some answers say. A head that says it is read anew each time.
void HttpParser::parse_rare_field(std::string_view name, std::string_view value) {
  bool is_rare = true;
  if (equals_ignoring_case(name, "content-encoding")) {
    if (!equals_ignoring_case(value, "identity")) head_.content_encoding.assign(value);
  } else if (head_.status / 100 == 3 && equals_ignoring_case(name, "location")) {
    head_.location.assign(value);
  } else if (equals_ignoring_case(name, "x-prompt-tokens")) {
    head_.prompt_tokens = to_number<std::uint32_t>(value);
  } else if (equals_ignoring_case(name, "x-generated-tokens")) {
    head_.generated_tokens = to_number<std::uint32_t>(value);
  } else if (equals_ignoring_case(name, "x-plumbline-truth")) {
    head_.truth.assign(value);
  } else {
    is_rare = false;
  }
  is_plain_ = is_plain_ && !is_rare;
}

void HttpParser::start_body() {
  state_ = State::body;
  if (head_.status == 204 || head_.status == 304) {
    state_ = State::complete;
  } else if (chunked_) {
    framing_ = Framing::chunked;
  } else if (content_length_) {
    framing_ = Framing::length;
    remaining_ = *content_length_;
    if (remaining_ == 0) state_ = State::complete;
  } else {
    framing_ = Framing::until_close;
    head_.keep_alive = false;
  }
}

std::size_t HttpParser::feed_chunk_framing(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::body && chunk_ != ChunkState::data) {
    if (const std::size_t usual = take_usual_framing(bytes.substr(used)); usual > 0) {
      used += usual;
    } else if (!on_chunk_byte(bytes[used++])) {
      break;
    }
  }
  return used;
}

/// The end of a chunk, or the line of its size, where it is whole and nothing unusual: the bytes it takes, or 0.
std::size_t HttpParser::take_usual_framing(std::string_view bytes) noexcept {
  if (chunk_ == ChunkState::data_cr) {
    if (!bytes.starts_with("\r\n")) return 0;
    chunk_ = ChunkState::size;
    return 2;
  }
  if (chunk_ != ChunkState::size || chunk_digits_ != 0) return 0;
  constexpr std::size_t digits_limit = 15;
  std::uint64_t size = 0;
  std::size_t at = 0;
  for (; at < bytes.size() && at < digits_limit; ++at) {
    const int digit = hex_digit(bytes[at]);
    if (digit < 0) break;
    size = size * 16 + static_cast<std::uint64_t>(digit);
  }
  if (size == 0 || !bytes.substr(at).starts_with("\r\n")) return 0;
  remaining_ = size;
  chunk_ = ChunkState::data;
  return at + 2;
}

bool HttpParser::on_chunk_byte(char c) {
  switch (chunk_) {
    case ChunkState::size: {
      const int digit = hex_digit(c);
      if (digit >= 0) {
        if (++chunk_digits_ > 15) return fail("chunk size is too large");
        remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        return true;
      }
      if (chunk_digits_ == 0) return fail("bad chunk size");
      if (c == '\r') {
        chunk_ = ChunkState::size_lf;
      } else if (c == ';' || c == ' ' || c == '\t') {
        chunk_ = ChunkState::extension;
      } else {
        return fail("bad chunk size");
      }
      return true;
    }
    case ChunkState::extension:
      if (c == '\r') chunk_ = ChunkState::size_lf;
      return true;
    case ChunkState::size_lf:
      if (c != '\n') return fail("bad line end after a chunk size");
      chunk_digits_ = 0;
      chunk_ = remaining_ == 0 ? ChunkState::trailer : ChunkState::data;
      return true;
    case ChunkState::data_cr:
      if (c != '\r') return fail("a chunk is longer than its size says");
      chunk_ = ChunkState::data_lf;
      return true;
    case ChunkState::data_lf:
      if (c != '\n') return fail("a chunk is longer than its size says");
      chunk_ = ChunkState::size;
      return true;
    case ChunkState::trailer:  // at the start of a trailer line
      chunk_ = c == '\r' ? ChunkState::trailer_lf : ChunkState::trailer_skip;
      return true;
    case ChunkState::trailer_skip:
      if (c == '\n') chunk_ = ChunkState::trailer;
      return true;
    case ChunkState::trailer_lf:
      if (c != '\n') return fail("bad end of a chunked body");
      state_ = State::complete;
      return true;
    case ChunkState::data:
      break;
  }
  return true;
}

void HttpParser::feed_eof() noexcept {
  if (state_ == State::body && framing_ == Framing::until_close) state_ = State::complete;
}

}  // namespace loadgen
