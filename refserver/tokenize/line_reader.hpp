// Lines of a file or pipe as they arrive, of bounded length. Knows nothing of what is in them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "refserver/result.hpp"

namespace refserver::tokenize {

/// What is wrong with the input, as a sentence.
struct Problem {
  std::string text;
};

class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{256} << 20U;

  /// Reads the open file descriptor, which stays open.
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  /// The next line without its end (\n or \r\n), valid until the next call; the last one may lack its end. False at the
  /// end of the input.
  Result<bool, Problem> next(std::string_view& line);
  /// The number of the line that `next` gave last, from 1.
  std::size_t number() const { return number_; }
  /// True if `next` would have to wait for more input.
  bool would_wait() const { return buffer_.find('\n', used_) == std::string::npos; }

 private:
  int descriptor_;
  std::string buffer_;
  std::size_t used_ = 0;
  std::size_t number_ = 0;
  bool at_end_ = false;
};

}  // namespace refserver::tokenize
