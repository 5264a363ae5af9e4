// libFuzzer target for the files that come back to loadgen line by line: requests.jsonl, line protocol, and the truth
// log of a server, which may stand on any machine. Any bytes end in a request, a row, a time or a reason; records of
// line protocol are the text again and are cut alike however much of it was there.
//
// Not part of the normal build. With clang, from the project root, with the libraries of build/fuzz that shard_fuzz.cpp
// describes:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/run_files_fuzz.cpp \
//     build/fuzz/loadgen/libplumbline_loadgen.a build/fuzz/exporters/libplumbline_exporters.a \
//     -lfmt -lyaml-cpp -lpcre2-8 -lcurl -lz -lssl -lcrypto -o run_files_fuzz
//   ./run_files_fuzz -max_len=16384 -timeout=10 CORPUS loadgen/fuzz/seeds/run_files
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/export/point_file.hpp"
#include "loadgen/export/points.hpp"
#include "loadgen/export/request_reader.hpp"
#include "loadgen/export/truth_file.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// A request that was read is one that a point can be made of: one record, cut where it ends.
void check_request(std::string_view line) {
  const auto request = loadgen::parse_request_line(line);
  if (!request) return require(!request.error().empty());
  static const loadgen::Scenario scenario;
  loadgen::PointRenderer renderer(scenario);
  exporters::Batch batch;
  const auto& words = request->words;
  renderer.append_request(batch, {}, {words.entry, words.scenario, words.route, words.target, words.model},
                          request->row);
  require(batch.bytes.empty() || loadgen::point_end(batch.bytes, 0) == batch.bytes.size());
}

/// A row has as many cells as the header, whatever is in them.
void check_row(std::string_view line) {
  std::string row;
  if (const auto added = loadgen::append_csv_row(row, line); !added) return require(!added.error().empty());
  require(row.ends_with("\r\n"));
  bool is_quoted = false;
  std::size_t commas = 0;
  for (const char c : row) {
    if (c == '"') is_quoted = !is_quoted;
    commas += c == ',' && !is_quoted ? 1 : 0;
  }
  static const std::string header = loadgen::csv_header();
  require(!is_quoted && commas == static_cast<std::size_t>(std::count(header.begin(), header.end(), ',')));
}

void check_truth(std::string_view line) {
  bool is_damaged = false;
  const auto entry = loadgen::parse_truth_line(line, "run", is_damaged);
  if (!entry) return;
  require(!is_damaged && entry->times.ttft && entry->times.e2e);
  require(*entry->times.ttft >= 0 && *entry->times.e2e >= *entry->times.ttft && entry->times.tpot.value_or(0) >= 0);
}

/// Where a record ends may not depend on what comes after it.
void check_points(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t end = loadgen::point_end(text, 0); end != std::string::npos; end = loadgen::point_end(text, begin)) {
    require(end > begin && end <= text.size() && text[end - 1] == '\n');
    require(loadgen::point_end(text.substr(0, end), begin) == end);
    require(loadgen::point_end(text.substr(0, end - 1), begin) == std::string::npos);
    begin = end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_points(text);
  for (std::size_t begin = 0; begin < size;) {
    const std::size_t end = std::min(text.find('\n', begin), size);
    const std::string_view line = text.substr(begin, end - begin);
    check_request(line);
    check_row(line);
    check_truth(line);
    begin = end + 1;
  }
  return 0;
}
