// Histograms as the V2 interchange form that every HdrHistogram library reads. Bytes only: no file, no log line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "exporters/metrics/hdr_histogram.hpp"
#include "exporters/result.hpp"

namespace exporters {

/// The uncompressed V2 form: 40-byte big-endian header, then the counts as ZigZag LEB128 with runs of zeros.
std::string encode_hdr(const HdrHistogram& histogram);

/// The compressed V2 form in base64, as interval logs carry it; begins with "HISTF". Counts above 2^63 - 1 are asserted
/// not to exist. The text depends on the zlib at hand: compare what it inflates to.
std::string encode_hdr_base64(const HdrHistogram& histogram);

struct HdrDecodeLimits {
  std::size_t max_slots = std::size_t{1} << 22;  ///< 32 MiB of counts; enough for five digits up to an hour in ns
};

/// Reads what encode_hdr_base64 or another library wrote. Takes the payload in slot order and ignores a normalizing
/// offset and the conversion ratio, as hdr-histogram-js needs; bytes after the compressed stream are padding. Never
/// allocates more than the limit allows, whatever the text claims. Errors: see exporters/error.hpp.
Result<HdrHistogram> decode_hdr_base64(std::string_view text, const HdrDecodeLimits& limits = {});

}  // namespace exporters
