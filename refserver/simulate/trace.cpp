// Line by line, each with its number in messages.
#include "refserver/simulate/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMostBytes = 256U * 1024 * 1024;
constexpr std::size_t kMostRequests = 1'000'000;
constexpr std::uint64_t kMostTokens = 1'000'000;
constexpr double kLongestMs = 7 * 24 * 3600e3;

CheckpointResult<RequestSize> parse_line(std::string_view line, const std::string& where,
                                         std::chrono::nanoseconds& time) {
  const auto document = parse_json(line, where);
  if (document.has_error()) return document.error();
  ConfigFailure failure;
  const ConfigFields fields(*document, where, "", failure);
  const auto at_ms = fields.number("at_ms", 0, kLongestMs);
  if (!at_ms) fields.fail("at_ms", CheckpointErrc::bad_field, "is missing");
  RequestSize size;
  size.prompt = static_cast<std::uint32_t>(fields.needed("prompt", 1, kMostTokens));
  size.answer = static_cast<std::uint32_t>(fields.needed("answer", 1, kMostTokens));
  size.allowed = static_cast<std::uint32_t>(fields.integer("allowed", 1, kMostTokens).value_or(size.answer));
  if (size.allowed < size.answer) fields.fail("allowed", CheckpointErrc::bad_field, "is less than answer");
  const std::chrono::nanoseconds at(std::llround(at_ms.value_or(0) * 1e6));
  if (at < time) fields.fail("at_ms", CheckpointErrc::bad_field, "is earlier than on the line before");
  time = at;
  if (failure.error) return *failure.error;
  return size;
}

}  // namespace

CheckpointResult<RequestTrace> parse_trace(std::string_view text, const std::string& file) {
  RequestTrace trace;
  std::chrono::nanoseconds time{0};
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto size = parse_line(line, fmt::format("{}:{}", file, number), time);
    if (size.has_error()) return size.error();
    if (trace.sizes.size() >= kMostRequests) {
      return CheckpointError{CheckpointErrc::bad_field, file, "", fmt::format("has over {} requests", kMostRequests)};
    }
    trace.times.push_back(time);
    trace.sizes.push_back(*size);
  }
  if (trace.sizes.empty()) return CheckpointError{CheckpointErrc::bad_field, file, "", "has no requests"};
  return trace;
}

CheckpointResult<RequestTrace> load_trace(const std::string& file) {
  if (file.empty()) return parse_trace(embedded::trace_chat, "chat.jsonl");
  const auto text = read_small_file(file, kMostBytes);
  if (text.has_error()) return text.error();
  return parse_trace(*text, file);
}

std::uint64_t longest_of(const RequestTrace& trace) {
  std::uint64_t longest = 0;
  for (const RequestSize& size : trace.sizes)
    longest = std::max<std::uint64_t>(longest, std::uint64_t{size.prompt} + size.allowed);
  return longest;
}

}  // namespace refserver
