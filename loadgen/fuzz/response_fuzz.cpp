// libFuzzer target for everything that reads a server's bytes: HTTP head and framing, event stream, answer JSON.
// The first byte says how the rest is cut into reads; whatever the cut, the same events must come out.
//
// Not part of the normal build. With clang:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/response_fuzz.cpp
//     loadgen/drive/{http_parser,sse_parser,answer,answer_fields,request_record}.cpp loadgen/plan/scenario.cpp -lfmt -o
//     response_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "loadgen/drive/answer.hpp"
#include "loadgen/drive/http_parser.hpp"
#include "loadgen/drive/sse_parser.hpp"

namespace {

using loadgen::HttpParser;

struct Result {
  HttpParser::State state = HttpParser::State::head;
  std::vector<std::string> events;
  bool operator==(const Result&) const = default;
};

Result read_all(std::string_view bytes, std::size_t piece, loadgen::Route route) {
  HttpParser http;
  loadgen::SseParser sse(4096);
  loadgen::MixEntry entry;
  entry.route = route;
  loadgen::RequestRecord record;
  record.streamed = true;
  loadgen::AnswerReader answer;
  answer.start(entry, record);
  Result result;
  std::size_t used = 0;
  while (used < bytes.size() && http.state() != HttpParser::State::complete &&
         http.state() != HttpParser::State::malformed) {
    used += http.feed(bytes.substr(used, piece), [&](std::string_view part) {
      sse.feed(part, [&](std::string_view data) {
        result.events.emplace_back(data);
        answer.on_event(data, 1);
      });
    });
  }
  http.feed_eof();
  answer.finish_complete(2);
  result.state = http.state();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto route = static_cast<loadgen::Route>(data[0] % 5);
  const Result whole = read_all(bytes, bytes.size(), route);
  const Result cut = read_all(bytes, 1 + data[0] % 7, route);
  // A malformed response may be noticed before or after its last good event, depending on the cut; a good one may not
  // differ.
  if (whole.state != HttpParser::State::malformed && cut.state != HttpParser::State::malformed && !(whole == cut))
    std::abort();
  return 0;
}
