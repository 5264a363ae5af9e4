// The two numbers everything below the API speaks in.
#pragma once

#include <cstdint>

namespace refserver {

/// An index into a model's vocabulary.
using TokenId = std::uint32_t;

/// A block of KV slots. Block 0 exists and is never given out: rows that only fill up a fixed-size batch write there.
using BlockId = std::uint32_t;
inline constexpr BlockId kPaddingBlock = 0;

}  // namespace refserver
