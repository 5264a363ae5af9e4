// Bytes of a streamed answer: server-sent events, each in an HTTP chunk of its own where the connection uses chunks.
// One buffer, reused; appending an event costs no allocation once it has grown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace refserver {

enum class Framing : std::uint8_t {
  chunked,  ///< HTTP/1.1
  plain,    ///< HTTP/1.0: the end of the connection ends the body
};

class SseBuffer {
 public:
  explicit SseBuffer(Framing framing) : framing_(framing) {}

  /// Starts "data: ..."; write the payload into the returned buffer, then close the event.
  std::string& open_event();
  void close_event();
  /// A whole event with this payload.
  void add_event(std::string_view payload);
  /// A comment that keeps proxies from giving up: ":\n\n".
  void add_keep_alive();
  /// A comment with text, without line ends: ": text\n\n".
  void add_comment(std::string_view text);
  /// Ends the body.
  void finish();

  std::string& bytes() { return bytes_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void open_chunk() { chunk_start_ = bytes_.size(); }
  void close_chunk();

  Framing framing_;
  std::size_t chunk_start_ = 0;
  std::string bytes_;
};

}  // namespace refserver
