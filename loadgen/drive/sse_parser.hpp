// Incremental server-sent-events parser (WHATWG HTML §9.2.6, data fields only): bytes in, event data out. No I/O.
// The usual event, one `data:` line whole in one read, is handed on where it lies; everything else goes through a
// buffer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loadgen {

class SseParser {
 public:
  /// `limit_bytes`: neither a line nor an event's data may grow past this.
  explicit SseParser(std::size_t limit_bytes = 16 * 1024 * 1024) : limit_(limit_bytes) {}

  void reset() noexcept;

  /// What the last comment `: truth ...` said, from behind that word; empty: there was none.
  const std::string& truth() const noexcept { return truth_; }

  /// Calls `on_event(std::string_view data)` for each complete event that has data. Accepts \n, \r\n and \r line ends,
  /// data with and without the space, several data lines (joined by \n), comments, any split. False once a line or
  /// an event is over the limit, however it was cut.
  template <class OnEvent>
  bool feed(std::string_view bytes, OnEvent&& on_event);

 private:
  /// Takes one whole line without its end. True if it ends an event with data.
  bool on_line(std::string_view line);
  bool append_data(std::string_view value);

  std::size_t limit_;
  std::string line_;  ///< unfinished line from earlier reads
  std::string data_;  ///< data of the event so far, when it is not a plain single line
  std::string truth_;
  bool has_data_ = false;
  bool after_cr_ = false;  ///< the last byte was \r: a \n that follows belongs to it
  bool overflow_ = false;
};

/// The value of a `data` line (after the colon and one space), or nothing if the line is something else.
inline bool sse_data_value(std::string_view line, std::string_view& value) noexcept {
  if (line.size() < 4 || line.compare(0, 4, "data") != 0) return false;
  if (line.size() == 4) {
    value = {};
    return true;
  }
  if (line[4] != ':') return false;
  value = line.substr(5);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return true;
}

/// Position of the first line end at or after `at`, or npos. Lines that end in \n, as nearly all do, cost two memchr.
inline std::size_t sse_line_end(std::string_view bytes, std::size_t at) noexcept {
  const std::size_t lf = bytes.find('\n', at);
  const std::size_t cr = bytes.substr(0, lf).find('\r', at);
  return cr != std::string_view::npos ? cr : lf;
}

template <class OnEvent>
bool SseParser::feed(std::string_view bytes, OnEvent&& on_event) {
  std::size_t at = 0;
  if (after_cr_ && !bytes.empty()) {
    after_cr_ = false;
    if (bytes[0] == '\n') at = 1;
  }
  while (at < bytes.size() && !overflow_) {
    const std::size_t end = sse_line_end(bytes, at);
    if (end == std::string_view::npos) {
      line_.append(bytes.substr(at));
      if (line_.size() > limit_) overflow_ = true;
      break;
    }
    std::string_view line = bytes.substr(at, end - at);
    if (line_.size() + line.size() > limit_) {
      overflow_ = true;
      break;
    }
    at = end + 1;
    if (bytes[end] == '\r') {
      if (at == bytes.size()) {
        after_cr_ = true;
      } else if (bytes[at] == '\n') {
        ++at;
      }
    }
    // The usual shape: this line is the event's only data line and the blank line follows at once.
    std::string_view value;
    if (line_.empty() && !has_data_ && at < bytes.size() && bytes[at] == '\n' && sse_data_value(line, value)) {
      ++at;
      on_event(value);
      continue;
    }
    if (!line_.empty()) {
      line_.append(line);
      line = line_;
    }
    const bool ends_event = on_line(line);
    line_.clear();
    if (ends_event) {
      on_event(std::string_view(data_));
      data_.clear();
      has_data_ = false;
    }
  }
  return !overflow_;
}

}  // namespace loadgen
