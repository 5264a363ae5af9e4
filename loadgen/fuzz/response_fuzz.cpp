// libFuzzer target for everything that reads a server's bytes: HTTP head and framing, events or lines, answer JSON.
// The first byte says on which wire and how the rest is cut into reads; whatever the cut, the same events must come out
// and the same must be made of them.
//
// Not part of the normal build. With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/response_fuzz.cpp \
//     loadgen/drive/{http_parser,head_memory,sse_parser,answer,answer_fields,spelled_prefix,request_record}.cpp \
//     loadgen/plan/{scenario,field_paths,pattern}.cpp \
//     BUILD/tokenizer/libplumbline_tokenizer.a -lfmt -lpcre2-8 -lz -o response_fuzz
//   ./response_fuzz -max_len=16384 CORPUS loadgen/fuzz/seeds/response
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/drive/answer.hpp"
#include "loadgen/drive/http_parser.hpp"
#include "loadgen/drive/line_parser.hpp"
#include "loadgen/drive/sse_parser.hpp"
#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/pattern.hpp"

namespace {

using loadgen::HttpParser;

struct Result {
  HttpParser::State state = HttpParser::State::head;
  std::vector<std::string> events;
  loadgen::Outcome outcome = loadgen::Outcome::ok;
  std::uint32_t tokens = 0;
  bool operator==(const Result&) const = default;
};

/// A server behind a template: lines of JSON, everything the template can say in use.
std::shared_ptr<const loadgen::EndpointTemplate> make_template() {
  auto made = std::make_shared<loadgen::EndpointTemplate>();
  made->framing = loadgen::Framing::ndjson;
  made->paths.add("/response", loadgen::Field::text);
  made->paths.add("/done_reason", loadgen::Field::finish_reason);
  made->paths.add("/error", loadgen::Field::error);
  made->paths.add("/eval_count", loadgen::Field::output_tokens);
  made->paths.add("/model", loadgen::Field::model);
  made->paths.add("/done", loadgen::Field::end);
  made->end_value = "true";
  return made;
}

Result read_all(std::string_view bytes, std::size_t piece, loadgen::Route route) {
  static const auto endpoint = make_template();
  static const auto pattern = *loadgen::Pattern::compile("^[ -~]*a(b|c)+$");
  static loadgen::HeadMemory heads;  // a head that comes whole is known the second time
  HttpParser http(&heads);
  loadgen::SseParser sse(4096);
  loadgen::LineParser lines(4096);
  loadgen::MixEntry entry;
  entry.route = route;
  const bool is_custom = route == loadgen::Route::custom;
  if (is_custom) entry.endpoint = endpoint;
  entry.expect.matches = pattern;
  loadgen::RequestRecord record;
  record.streamed = true;
  loadgen::AnswerReader answer;
  answer.start(entry, record);
  Result result;
  std::size_t used = 0;
  const auto on_event = [&](std::string_view data) {
    result.events.emplace_back(data);
    answer.on_event(data, 1);
  };
  while (used < bytes.size() && http.state() != HttpParser::State::complete &&
         http.state() != HttpParser::State::malformed) {
    used += http.feed(bytes.substr(used, piece), [&](std::string_view part) {
      is_custom ? lines.feed(part, on_event) : sse.feed(part, on_event);
    });
  }
  http.feed_eof();
  if (is_custom && http.state() == HttpParser::State::complete) lines.finish(on_event);
  answer.finish_complete(2);
  result.state = http.state();
  result.outcome = record.outcome;
  result.tokens = record.output_tokens;
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto route = static_cast<loadgen::Route>(data[0] % 6);
  const Result whole = read_all(bytes, bytes.size(), route);
  const Result cut = read_all(bytes, 1 + data[0] % 7, route);
  // A malformed response may be noticed before or after its last good event, depending on the cut; a good one may not
  // differ.
  if (whole.state != HttpParser::State::malformed && cut.state != HttpParser::State::malformed && !(whole == cut))
    std::abort();
  return 0;
}
