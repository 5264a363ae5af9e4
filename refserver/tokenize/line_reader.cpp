#include "refserver/tokenize/line_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace refserver::tokenize {

Result<bool, Problem> LineReader::next(std::string_view& line) {
  constexpr std::size_t kBlock = 1U << 16U;
  std::size_t searched = used_;
  std::size_t end = buffer_.find('\n', searched);
  while (end == std::string::npos && !at_end_) {
    if (used_ > 0) buffer_.erase(0, used_);
    used_ = 0;
    searched = buffer_.size();
    if (searched > kMaxLineBytes) return Problem{fmt::format("line {} is longer than 256 MiB", number_ + 1)};
    buffer_.resize(searched + kBlock);
    const ssize_t got = ::read(descriptor_, buffer_.data() + searched, kBlock);
    buffer_.resize(searched + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && errno != EINTR) return Problem{fmt::format("cannot read the input: {}", std::strerror(errno))};
    at_end_ = got == 0;
    end = buffer_.find('\n', searched);
  }
  if (end == std::string::npos) end = buffer_.size();
  if (used_ == buffer_.size()) return false;
  ++number_;
  line = std::string_view(buffer_).substr(used_, end - used_);
  used_ = end == buffer_.size() ? end : end + 1;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

}  // namespace refserver::tokenize
