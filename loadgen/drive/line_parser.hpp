// Incremental reader of JSON lines (NDJSON): bytes in, lines out. No I/O. A line whole in one read is handed on where
// it lies; only what is split over reads is copied.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loadgen {

class LineParser {
 public:
  /// `line_limit_bytes`: a line may not grow past this.
  explicit LineParser(std::size_t line_limit_bytes = 16 * 1024 * 1024) : limit_(line_limit_bytes) {}

  void reset() noexcept {
    constexpr std::size_t kept = 64 * 1024;  // one huge line must not cost its size for ever
    line_.clear();
    if (line_.capacity() > kept) line_ = std::string();
    overflow_ = false;
  }

  /// Calls `on_line(std::string_view line)` for each line that is not blank, without its end (\n or \r\n). False once a
  /// line is over the limit.
  template <class OnLine>
  bool feed(std::string_view bytes, OnLine&& on_line);

  /// The body is over: what stands there without a line end is a line as well.
  template <class OnLine>
  void finish(OnLine&& on_line) {
    if (!overflow_) give(line_, on_line);
    line_.clear();
  }

 private:
  template <class OnLine>
  static void give(std::string_view line, OnLine& on_line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos) on_line(line);
  }

  std::size_t limit_;
  std::string line_;  ///< unfinished line from earlier reads
  bool overflow_ = false;
};

template <class OnLine>
bool LineParser::feed(std::string_view bytes, OnLine&& on_line) {
  while (!bytes.empty() && !overflow_) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() > limit_) {
      overflow_ = true;
      break;
    }
    if (end == std::string_view::npos) {
      line_.append(part);
      break;
    }
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      give(part, on_line);
    } else {
      line_.append(part);
      give(line_, on_line);
      line_.clear();
    }
  }
  return !overflow_;
}

}  // namespace loadgen
