// Histograms per interval as lines of the HDR interval log, format 1.3, readable by every HdrHistogram implementation.
// Text only: whoever writes the file writes each returned piece at once and in time order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/metrics/hdr_histogram.hpp"

namespace exporters {

/// The lines before the first interval; `tool` is named in a comment. Stamps of the lines that follow are relative to
/// `unix_start_ms` (milliseconds since 1970, not negative: asserted).
std::string hdr_log_header(std::string_view tool, std::int64_t unix_start_ms);

/// A stretch of the run in milliseconds since the log's start; neither is negative (asserted).
struct HdrLogInterval {
  std::int64_t start_ms = 0;
  std::int64_t length_ms = 0;
};

/// Appends one interval of one series. Values are taken to be microseconds; the line's maximum is in milliseconds. The
/// main series has no tag, since a plain run of the Java processor fails on a log of tagged lines only; in other tags
/// commas, white space and control characters become '_'.
void append_hdr_log_line(std::string& out, std::string_view tag, HdrLogInterval interval,
                         const HdrHistogram& histogram);

}  // namespace exporters
