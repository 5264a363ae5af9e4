// Labels and texts of errors.
#include "refserver/checkpoint/checkpoint_error.hpp"

#include <fmt/format.h>

namespace refserver {

const char* label(CheckpointErrc code) noexcept {
  switch (code) {
    case CheckpointErrc::unreadable:
      return "unreadable";
    case CheckpointErrc::bad_json:
      return "bad_json";
    case CheckpointErrc::bad_field:
      return "bad_field";
    case CheckpointErrc::unsupported:
      return "unsupported";
    case CheckpointErrc::bad_header:
      return "bad_header";
    case CheckpointErrc::bad_index:
      return "bad_index";
    case CheckpointErrc::missing_tensor:
      return "missing_tensor";
    case CheckpointErrc::bad_tensor:
      return "bad_tensor";
  }
  return "unknown";
}

std::string CheckpointError::message() const {
  return where.empty() ? fmt::format("{}: {}", file, text) : fmt::format("{}: {}: {}", file, printable(where), text);
}

std::string printable(const std::string& text) {
  constexpr std::size_t longest = 120;
  std::string out;
  for (const char c : text) {
    if (out.size() >= longest) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace refserver
