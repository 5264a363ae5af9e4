// The JSON of a safetensors header as a list of entries, read without building a document: it may be 100 MB long.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/safetensors.hpp"

namespace refserver {

/// The entries as they stand, in the order of the header; nothing is said yet about whether they fit a file.
CheckpointResult<std::vector<TensorEntry>> read_header_entries(std::string_view json, const std::string& file);

}  // namespace refserver
