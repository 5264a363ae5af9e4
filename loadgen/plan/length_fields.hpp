// A number of tokens, or how it is drawn, out of a document.
#pragma once

#include <filesystem>
#include <optional>

#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/object_reader.hpp"

namespace loadgen {

/// The value of `key`: a whole number becomes a draw that always gives it; the file of a histogram is read from
/// `folder`. Nothing where the key is absent, or wrong, which is noted as an error.
std::optional<LengthDraw> read_length(const ObjectReader& reader, const char* key, const std::filesystem::path& folder);

}  // namespace loadgen
