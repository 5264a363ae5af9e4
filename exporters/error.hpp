// Every way in which pure code of this folder refuses its input, as one error category.
// Knows no I/O: files and servers report their failures as text with a name and a cause.
#pragma once

#include <string_view>
#include <system_error>

#include "exporters/result.hpp"

namespace exporters {

enum class Error {
  base64_malformed = 1,  ///< not RFC 4648 base64 with padding
  hdr_cookie_unknown,    ///< not a (compressed) V2 histogram
  hdr_truncated,         ///< ends before the lengths it states
  hdr_stream_corrupt,    ///< not a zlib stream, or a wrong checksum
  hdr_shape_invalid,     ///< lowest, highest or digits outside what a histogram can have
  hdr_too_large,         ///< needs more slots than the reader allows
  hdr_payload_invalid,   ///< counts past the last slot, a number cut in two, or a total above 2^63 - 1
  hdr_trailing_bytes,    ///< more bytes than the stated payload
};

/// Short fixed name for metrics and tests, such as "hdr_truncated".
std::string_view label(Error error) noexcept;

boost::system::error_code make_error_code(Error error) noexcept;

}  // namespace exporters

template <>
struct boost::system::is_error_code_enum<exporters::Error> : std::true_type {};
