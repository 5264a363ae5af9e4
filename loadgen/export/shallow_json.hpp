// JSON of files and servers that may be anything. The library copies, compares and writes values by recursion: what is
// nested a million deep would end the program by its stack.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace loadgen {

inline constexpr std::size_t max_json_depth = 64;  ///< no file of ours comes near it

/// Whether `text`, if it is JSON, is nested no deeper than that.
bool is_shallow_json(std::string_view text) noexcept;

/// `text` as a value; discarded where it is no JSON or is nested deeper than that.
nlohmann::json parse_shallow_json(std::string_view text);

}  // namespace loadgen
