// Codes to halves in a few instructions: the bits of a code are put into the fraction of 1024.0 and the constant is
// taken off again. Exact for every code and zero point.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

/// The zero point of one output in the forms that the conversions take off.
struct ZeroPoint {
  std::uint32_t low;   ///< 1024 + z, twice: what a code in the low bits is off by
  std::uint32_t high;  ///< -(64 + z), twice: the same after a sixteenth, for a code four bits up
};

PLUMBLINE_KERNEL ZeroPoint zero_point(std::uint32_t zero) {
  // Halves of 1024 + z have z in their lowest bits (z <= 255); 64 + z is exact too, z in units of 1/16 of 64's
  // fraction.
  const std::uint32_t low = 0x6400U + zero;
  const std::uint32_t high = 0xD400U + zero * 16;  // z <= 15 only: 4-bit codes
  return {low << 16U | low, high << 16U | high};
}

/// One word of eight 4-bit codes to the four registers of an A fragment (tile_place): code - zero. Registers 0 and 2
/// are of one output, 1 and 3 of the output eight further.
PLUMBLINE_KERNEL void expand4(std::uint32_t word, const ZeroPoint& first, const ZeroPoint& second,
                              std::uint32_t (&to)[4]) {
  constexpr std::uint32_t kLowMask = 0x000F000FU;
  constexpr std::uint32_t kHighMask = 0x00F000F0U;
  constexpr std::uint32_t kBase = 0x64006400U;       // 1024, twice
  constexpr std::uint32_t kSixteenth = 0x2C002C00U;  // 1/16, twice
  constexpr unsigned kAndOr = (0xF0U & 0xCCU) | 0xAAU;
  const std::uint32_t shifted = word >> 8U;
  to[0] = simt::sub_halves(simt::lop3<kAndOr>(word, kLowMask, kBase), first.low);
  to[1] = simt::fused_halves(simt::lop3<kAndOr>(word, kHighMask, kBase), kSixteenth, second.high);
  to[2] = simt::sub_halves(simt::lop3<kAndOr>(shifted, kLowMask, kBase), first.low);
  to[3] = simt::fused_halves(simt::lop3<kAndOr>(shifted, kHighMask, kBase), kSixteenth, second.high);
}

/// Two words of four 8-bit codes each, as expand4.
PLUMBLINE_KERNEL void expand8(std::uint32_t word0, std::uint32_t word1, const ZeroPoint& first, const ZeroPoint& second,
                              std::uint32_t (&to)[4]) {
  constexpr std::uint32_t kBase = 0x64646464U;
  to[0] = simt::sub_halves(simt::permute_bytes<0x4140>(word0, kBase), first.low);
  to[1] = simt::sub_halves(simt::permute_bytes<0x4342>(word0, kBase), second.low);
  to[2] = simt::sub_halves(simt::permute_bytes<0x4140>(word1, kBase), first.low);
  to[3] = simt::sub_halves(simt::permute_bytes<0x4342>(word1, kBase), second.low);
}

/// How a lane's words of a half (tile_place) become A fragments, and how many tiles of such codes MatmulKernel keeps.
struct Int4Codec {
  static constexpr unsigned kBits = 4;
  static constexpr unsigned kStages = 4;
  static constexpr std::uint32_t kMiddle = 8;
  /// Fragment f of a half; of one vector: the first is 0.
  static PLUMBLINE_KERNEL void expand(const std::uint32_t* words, unsigned f, const ZeroPoint& first,
                                      const ZeroPoint& second, std::uint32_t (&to)[4]) {
    expand4(words[f], first, second, to);
  }
};
struct Int8Codec {
  static constexpr unsigned kBits = 8;
  static constexpr unsigned kStages = 3;
  static constexpr std::uint32_t kMiddle = 128;
  static PLUMBLINE_KERNEL void expand(const std::uint32_t* words, unsigned f, const ZeroPoint& first,
                                      const ZeroPoint& second, std::uint32_t (&to)[4]) {
    expand8(words[2 * f], words[2 * f + 1], first, second, to);
  }
};
struct HalfCodec {
  static constexpr unsigned kBits = 16;
  static constexpr unsigned kStages = 2;
  static constexpr std::uint32_t kMiddle = 0;
  static PLUMBLINE_KERNEL void expand(const std::uint32_t* words, unsigned f, const ZeroPoint&, const ZeroPoint&,
                                      std::uint32_t (&to)[4]) {
    PLUMBLINE_UNROLL
    for (unsigned r = 0; r < 4; ++r) to[r] = words[4 * f + r];
  }
};

}  // namespace kernels::cuda
