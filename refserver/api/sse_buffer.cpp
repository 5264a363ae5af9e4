// The size goes in front of a chunk after its bytes are known: moving a few hundred bytes is cheaper than a second
// buffer.
#include "refserver/api/sse_buffer.hpp"

#include <array>
#include <charconv>

namespace refserver {

std::string& SseBuffer::open_event() {
  open_chunk();
  bytes_ += "data: ";
  return bytes_;
}

void SseBuffer::close_event() {
  bytes_ += "\n\n";
  close_chunk();
}

void SseBuffer::add_event(std::string_view payload) {
  open_event() += payload;
  close_event();
}

void SseBuffer::add_keep_alive() {
  open_chunk();
  bytes_ += ":\n\n";
  close_chunk();
}

void SseBuffer::add_comment(std::string_view text) {
  open_chunk();
  bytes_ += ": ";
  bytes_ += text;
  bytes_ += "\n\n";
  close_chunk();
}

void SseBuffer::finish() {
  if (framing_ == Framing::chunked) bytes_ += "0\r\n\r\n";
}

void SseBuffer::close_chunk() {
  if (framing_ == Framing::plain) return;
  std::array<char, 20> head{};
  char* const last = head.data() + head.size() - 2;
  char* end = std::to_chars(head.data(), last, bytes_.size() - chunk_start_, 16).ptr;
  for (char* c = head.data(); c != end; ++c) {
    if (*c >= 'a') *c = static_cast<char>(*c - 'a' + 'A');
  }
  *end++ = '\r';
  *end++ = '\n';
  bytes_.insert(chunk_start_, head.data(), static_cast<std::size_t>(end - head.data()));
  bytes_ += "\r\n";
}

}  // namespace refserver
