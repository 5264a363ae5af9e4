// libFuzzer entry for what the gateway reads: bodies of clients and answers of backends. Any bytes end in a request
// that a backend can read, an answer that is JSON, a way to go, or an error with a text; a stream passes alike however
// it is cut. The first byte says where it is cut and which model is asked for.
// Not part of the build (g++ has no libFuzzer). With clang, from the project root:
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DPLUMBLINE_TESTS=OFF
//     -DCMAKE_CXX_FLAGS="-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function -Wno-error"
//   ninja -C build/fuzz plumbline_refserver
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize=function -I.
//     refserver/fuzz/gateway_fuzz.cpp build/fuzz/refserver/libplumbline_refserver.a
//     build/fuzz/tokenizer/libplumbline_tokenizer.a -lfmt -o gateway_fuzz
//   ./gateway_fuzz -max_len=16384 -timeout=10 CORPUS refserver/fuzz/seeds/gateway
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/chat/chat_template.hpp"
#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/event_stream.hpp"
#include "refserver/gateway/routing.hpp"
#include "refserver/gateway/scenario_call.hpp"

namespace {

using nlohmann::json;

void require(bool holds) {
  if (!holds) std::abort();
}

const std::vector<refserver::Backend>& backends() {
  static const std::vector<refserver::Backend> made = [] {
    std::vector<refserver::Backend> out(2);
    out[0].address = {"qwen2", "127.0.0.1", 1};
    out[1].address = {"llama3", "127.0.0.1", 2};
    out[0].chat_template = *refserver::ChatTemplate::built_in("qwen2");
    out[1].chat_template = *refserver::ChatTemplate::built_in("llama3");
    out[1].begin_text = "<|begin_of_text|>";
    return out;
  }();
  return made;
}

/// What a backend is sent is one JSON object that says what it must.
void check_call(std::string_view body, const refserver::Backend& backend) {
  const auto call = refserver::read_scenario_call(body);
  if (!call) return require(!call.error().text.empty());
  const auto sent = refserver::make_backend_body(*call, backend);
  if (!sent) return require(!sent.error().text.empty());
  const json read = json::parse(*sent, nullptr, false);
  require(read.is_object() && read["inputs"].is_string() && read["parameters"].is_object());
  require(read["parameters"]["details"] == true);
}

void check_answer(std::string_view body) {
  for (const bool wants_details : {false, true}) {
    const auto answer = refserver::make_scenario_answer(body, "qwen2", wants_details);
    if (!answer) continue;
    const json read = json::parse(*answer, nullptr, false);
    require(read.is_object() && read.contains("generated_text") && read["model"] == "qwen2");
    require(read["tokens"].is_number_unsigned() && read.contains("details") == wants_details);
  }
}

void check_way(std::string_view bytes) {
  const std::size_t line = std::min(bytes.find('\n'), bytes.size());
  for (const std::string_view method : {"GET", "POST"}) {
    refserver::RequestLine request{method, bytes.substr(0, line)};
    request.body = bytes.substr(std::min(line + 1, bytes.size()));
    const auto way = refserver::find_way(request, backends());
    if (!way) {
      require(!way.error().text.empty());
      continue;
    }
    require(way->kind != refserver::Way::Kind::forward || way->backend < backends().size());
  }
}

struct Passed {
  std::string out;
  std::string rest;
  std::optional<std::uint64_t> input, output;
  bool has_error = false;
  bool operator==(const Passed&) const = default;
};

Passed pass(std::string_view bytes, std::size_t piece, bool wants_details) {
  refserver::StreamWatcher watcher;
  refserver::ScenarioStream stream("qwen2", wants_details);
  Passed passed;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    watcher.see(bytes.substr(at, piece));
    require(stream.rewrite(bytes.substr(at, piece), passed.out));
  }
  passed.rest = stream.rest();
  passed.input = watcher.tally().input;
  passed.output = watcher.tally().output;
  passed.has_error = watcher.has_error();
  return passed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_call(bytes, backends()[data[0] % 2]);
  check_answer(bytes);
  check_way(bytes);
  const bool wants_details = data[0] % 2 == 1;
  const Passed whole = pass(bytes, bytes.size() + 1, wants_details);
  require(pass(bytes, 1 + data[0] / 8, wants_details) == whole);
  require(pass(bytes, 1, wants_details) == whole);
  (void)refserver::parse_backend(bytes);
  return 0;
}
