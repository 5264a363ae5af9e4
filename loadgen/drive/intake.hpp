// What takes in the bytes of one answer, from the first to the last: the parsers, and the reader of what they find. An
// exchange has one only while its answer is coming: a thousand that wait for theirs share the few that are in use, and
// those are in the cache. Internal to drive.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/drive/answer.hpp"
#include "loadgen/drive/head_memory.hpp"
#include "loadgen/drive/http_parser.hpp"
#include "loadgen/drive/line_parser.hpp"
#include "loadgen/drive/sse_parser.hpp"

namespace loadgen {

struct Intake {
  /// `heads`, if there is one, outlives it.
  explicit Intake(HeadMemory* heads = nullptr) : http(heads) {}

  /// Makes ready for the answer to a request of `entry`; `record` outlives it.
  void start(const MixEntry& entry, RequestRecord& record) {
    http.reset();
    if (std::exchange(has_events, false)) {
      sse.reset();
      lines.reset();
    }
    answer.start(entry, record);
    constexpr std::size_t kept_bytes = 256 * 1024;  // memory kept from one answer to the next
    body.clear();
    if (body.capacity() > kept_bytes) body = std::string();
  }

  HttpParser http;
  SseParser sse;
  LineParser lines;
  AnswerReader answer;
  std::string body;         ///< of an answer that is not a stream and came in several reads
  bool has_events = false;  ///< `sse` or `lines` has been fed
};

/// The intakes of one thread that are not in use; the one used last is the next one.
class IntakePool {
 public:
  std::unique_ptr<Intake> take() {
    if (spare_.empty()) return std::make_unique<Intake>(&heads_);
    auto intake = std::move(spare_.back());
    spare_.pop_back();
    return intake;
  }
  void put_back(std::unique_ptr<Intake> intake) { spare_.push_back(std::move(intake)); }

 private:
  HeadMemory heads_;
  std::vector<std::unique_ptr<Intake>> spare_;
};

}  // namespace loadgen
