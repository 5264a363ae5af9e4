// What can be wrong with a model folder: the one error type of this folder, always naming the file and what is in it.
#pragma once

#include <cstdint>
#include <string>

#include "refserver/result.hpp"

namespace refserver {

enum class CheckpointErrc : std::uint8_t {
  unreadable,      ///< a file is missing, is no file, is too large or cannot be read
  bad_json,        ///< not JSON, or JSON beyond the limits
  bad_field,       ///< a field of a JSON file is missing, of the wrong kind or out of range
  unsupported,     ///< well-formed, but nothing here can run it
  bad_header,      ///< a safetensors header that does not describe its file
  bad_index,       ///< the index of shards does not fit the shards
  missing_tensor,  ///< the architecture needs it, the files do not have it
  bad_tensor,      ///< its dtype, shape or content is not what it must be
};

/// A fixed short word per value.
const char* label(CheckpointErrc code) noexcept;

struct CheckpointError {
  CheckpointErrc code = CheckpointErrc::unreadable;
  std::string file;   ///< path of the file (or folder)
  std::string where;  ///< the tensor or field in it; empty: the file as a whole
  std::string text;   ///< what is there, and what was expected

  /// "FILE: WHERE: TEXT".
  std::string message() const;
};

template <class T>
using CheckpointResult = Result<T, CheckpointError>;

/// `text` with control characters as \xNN and at most 120 bytes of it: names in messages come from hostile files.
std::string printable(const std::string& text);

}  // namespace refserver
