// Random numbers as a pure function of a key and a counter: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As
// Easy as 1, 2, 3", 2011). The same on a CPU and in a CUDA kernel, and independent of what else runs in a batch.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define PLUMBLINE_HOST_DEVICE __host__ __device__
#else
#define PLUMBLINE_HOST_DEVICE
#endif

namespace kernels {

struct PhiloxCounter {
  std::uint32_t word[4];
};
struct PhiloxKey {
  std::uint32_t word[2];
};

/// Four independent uniform 32-bit words for this counter and key.
PLUMBLINE_HOST_DEVICE constexpr PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t left = std::uint64_t{0xD2511F53U} * counter.word[0];
    const std::uint64_t right = std::uint64_t{0xCD9E8D57U} * counter.word[2];
    counter = {
        {static_cast<std::uint32_t>(right >> 32U) ^ counter.word[1] ^ key.word[0], static_cast<std::uint32_t>(right),
         static_cast<std::uint32_t>(left >> 32U) ^ counter.word[3] ^ key.word[1], static_cast<std::uint32_t>(left)}};
    key.word[0] += 0x9E3779B9U;  // the golden ratio and sqrt(3) - 1, modulo 2^32
    key.word[1] += 0xBB67AE85U;
  }
  return counter;
}

/// The draw of a request: 64 uniform bits. The same seed, position and stream give the same number whatever the batch;
/// streams are for independent draws at one position.
PLUMBLINE_HOST_DEVICE constexpr std::uint64_t draw_bits(std::uint64_t seed, std::uint64_t position,
                                                        std::uint64_t stream) noexcept {
  const PhiloxCounter words =
      philox({{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32U),
               static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32U)}},
             {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)}});
  return std::uint64_t{words.word[0]} << 32U | words.word[1];
}

/// The same as a number in [0, 1), a multiple of 2^-53.
PLUMBLINE_HOST_DEVICE constexpr double uniform_draw(std::uint64_t seed, std::uint64_t position,
                                                    std::uint64_t stream) noexcept {
  return static_cast<double>(draw_bits(seed, position, stream) >> 11U) * 0x1p-53;
}

}  // namespace kernels
