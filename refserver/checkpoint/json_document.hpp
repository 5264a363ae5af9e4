// Strict JSON of hostile origin as a document: duplicate names, depth and size are refused while reading, before memory
// is spent. Used by the sources of this folder only: it brings the JSON header along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "refserver/checkpoint/checkpoint_error.hpp"

namespace refserver {

struct JsonLimits {
  std::size_t depth = 32;
  std::size_t values = 2'000'000;
};

/// `file` is for messages. Texts end in the position the reader had reached.
CheckpointResult<nlohmann::json> parse_json(std::string_view text, const std::string& file, JsonLimits limits = {});

/// The reader's own words for a syntax error, without its library's prefix.
std::string plain_reason(const char* what);

}  // namespace refserver
