// The slow path of the event-stream parser: lines that were split over reads, and events of several lines.
#include "loadgen/drive/sse_parser.hpp"

namespace loadgen {

void SseParser::reset() noexcept {
  constexpr std::size_t kept = 64 * 1024;  // one huge event must not cost its size for ever
  for (std::string* buffer : {&line_, &data_, &truth_}) {
    buffer->clear();
    if (buffer->capacity() > kept) *buffer = std::string();
  }
  has_data_ = after_cr_ = overflow_ = false;
}

bool SseParser::on_line(std::string_view line) {
  if (line.empty()) return has_data_;
  constexpr std::string_view truth_mark = ": truth ";
  constexpr std::size_t truth_limit = 1 << 20;
  std::string_view value;
  if (sse_data_value(line, value)) {
    overflow_ = !append_data(value);
  } else if (line.starts_with(truth_mark) && line.size() <= truth_limit) {
    truth_.assign(line.substr(truth_mark.size()));
  }
  return false;  // other comments, event:, id:, retry: and unknown fields carry no data
}

bool SseParser::append_data(std::string_view value) {
  if (data_.size() + value.size() + 1 > limit_) return false;
  if (has_data_) data_.push_back('\n');
  data_.append(value);
  has_data_ = true;
  return true;
}

}  // namespace loadgen
