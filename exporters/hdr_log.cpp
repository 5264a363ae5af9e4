#include "exporters/hdr_log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cassert>
#include <ctime>
#include <iterator>

#include "exporters/metrics/hdr_codec.hpp"

namespace exporters {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string clean_tag(std::string_view tag) {
  std::string clean(tag);
  for (char& c : clean)
    if (c == ',' || c == ' ' || is_control(c)) c = '_';
  return clean;
}

std::string clean_comment(std::string_view text) {
  std::string clean(text);
  for (char& c : clean)
    if (is_control(c)) c = ' ';
  return clean;
}

/// A thousandth of `thousandths` with three decimals, by integers: no locale, no exponent, no rounding.
std::string decimal(std::int64_t thousandths) {
  assert(thousandths >= 0);
  return fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
}

}  // namespace

std::string hdr_log_header(std::string_view tool, std::int64_t unix_start_ms) {
  const std::string start = decimal(unix_start_ms);
  const std::tm utc = fmt::gmtime(static_cast<std::time_t>(unix_start_ms / 1000));
  return fmt::format(
      "#[Logged with {}]\n"
      "#[Histogram log format version 1.3]\n"
      "#[StartTime: {} (seconds since epoch), {:%Y-%m-%dT%H:%M:%SZ}]\n"
      "#[BaseTime: {} (seconds since epoch)]\n"
      "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
      clean_comment(tool), start, utc, start);
}

void append_hdr_log_line(std::string& out, std::string_view tag, HdrLogInterval interval,
                         const HdrHistogram& histogram) {
  if (!tag.empty()) fmt::format_to(std::back_inserter(out), "Tag={},", clean_tag(tag));
  fmt::format_to(std::back_inserter(out), "{},{},{},{}\n", decimal(interval.start_ms), decimal(interval.length_ms),
                 decimal(histogram.max_value()), encode_hdr_base64(histogram));
}

}  // namespace exporters
