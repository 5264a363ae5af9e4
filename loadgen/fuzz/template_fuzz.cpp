// libFuzzer target for the extraction of fields by a template. The lines before the first empty one are JSON pointers,
// as a hostile scenario may hold them; the rest is JSON, as a hostile server may send it. Whatever the JSON library
// takes for an object of moderate depth must be read, and however it is cut into reads the lines stay the same.
//
// Not part of the normal build. With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/template_fuzz.cpp \
//     loadgen/drive/answer_fields.cpp loadgen/plan/field_paths.cpp -o template_fuzz
//   ./template_fuzz -max_len=8192 CORPUS loadgen/fuzz/seeds/template
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/drive/answer_fields.hpp"
#include "loadgen/drive/line_parser.hpp"

namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

loadgen::FieldPaths read_paths(std::string_view& text) {
  loadgen::FieldPaths paths;
  for (std::uint8_t field = 1; field <= static_cast<std::uint8_t>(loadgen::Field::end); ++field) {
    const std::string_view pointer = take_line(text);
    if (pointer.empty()) break;
    paths.add(pointer, static_cast<loadgen::Field>(field));
  }
  return paths;
}

std::vector<std::string> lines_of(std::string_view text, std::size_t piece) {
  loadgen::LineParser parser(512);
  std::vector<std::string> lines;
  const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!parser.feed(text.substr(at, piece), keep)) return lines;
  }
  parser.finish(keep);
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const loadgen::FieldPaths paths = read_paths(text);
  loadgen::AnswerFields fields;
  const bool was_read = loadgen::read_answer_fields(text, paths, "true", fields);
  // The library takes a zero byte for the end of the text and skips a byte order mark; neither is JSON.
  const bool is_plain = text.find('\0') == std::string_view::npos && text.substr(0, 1) != "\xef";
  const auto depth = std::count_if(text.begin(), text.end(), [](char c) { return c == '{' || c == '['; });
  if (!was_read && is_plain && depth < 60 && nlohmann::json::parse(text, nullptr, false).is_object()) std::abort();
  if (was_read && fields.text.data() != nullptr) loadgen::unescaped(fields.text);
  if (size > 0 && lines_of(text, text.size() + 1) != lines_of(text, 1 + data[0] % 5)) std::abort();
  return 0;
}
