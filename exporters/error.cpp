#include "exporters/error.hpp"

#include <string>

namespace exporters {
namespace {

const char* explain(Error error) noexcept {
  switch (error) {
    case Error::base64_malformed:
      return "histogram text is not base64: expected A-Z a-z 0-9 + / in groups of four, padded with =";
    case Error::hdr_cookie_unknown:
      return "not a compressed V2 histogram: its text must begin with HISTF";
    case Error::hdr_truncated:
      return "histogram is cut short: fewer bytes than its lengths state";
    case Error::hdr_stream_corrupt:
      return "histogram's zlib stream is damaged";
    case Error::hdr_shape_invalid:
      return "histogram's lowest, highest or digits field is out of range (digits 1 to 5, highest >= 2 * lowest)";
    case Error::hdr_too_large:
      return "histogram's highest and digits fields ask for more slots than the reader allows";
    case Error::hdr_payload_invalid:
      return "histogram's counts run past its last slot, are cut in two or overflow";
    case Error::hdr_trailing_bytes:
      return "histogram has bytes after its payload";
  }
  return "unknown exporters error";
}

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "exporters"; }
  std::string message(int value) const override { return explain(static_cast<Error>(value)); }
};

}  // namespace

std::string_view label(Error error) noexcept {
  switch (error) {
    case Error::base64_malformed:
      return "base64_malformed";
    case Error::hdr_cookie_unknown:
      return "hdr_cookie_unknown";
    case Error::hdr_truncated:
      return "hdr_truncated";
    case Error::hdr_stream_corrupt:
      return "hdr_stream_corrupt";
    case Error::hdr_shape_invalid:
      return "hdr_shape_invalid";
    case Error::hdr_too_large:
      return "hdr_too_large";
    case Error::hdr_payload_invalid:
      return "hdr_payload_invalid";
    case Error::hdr_trailing_bytes:
      return "hdr_trailing_bytes";
  }
  return "unknown";
}

boost::system::error_code make_error_code(Error error) noexcept {
  static const Category category;
  return {static_cast<int>(error), category};
}

}  // namespace exporters
