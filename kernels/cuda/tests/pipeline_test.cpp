// Whether enough bytes of weights are on their way to a processor for the memory of the cards that matter: at least
// what it delivers while one access takes. Bandwidths by data sheet, a microsecond for an access under load.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/cuda/matmul_kernel.hpp"

namespace kernels::cuda {
namespace {

struct Card {
  const char* name;
  double bytes_per_second;
  unsigned processors;
  unsigned shared_bytes;  ///< of a processor; a block takes 1 KiB more than it asks for
};
constexpr double kAccessSeconds = 1e-6;
constexpr Card kCards[] = {{"4070 Super", 504e9, 56, 100 * 1024},
                           {"4090", 1008e9, 128, 100 * 1024},
                           {"A100", 2039e9, 108, 164 * 1024},
                           {"H200", 4800e9, 132, 228 * 1024}};

/// Of a grid of two blocks per processor. Registers leave room for two (cuda_resources).
template <class Kernel>
double bytes_on_their_way(const Card& card, unsigned stages) {
  const unsigned blocks = std::min(2U, card.shared_bytes / (Kernel::kSharedBytes + 1024));
  return static_cast<double>(blocks * (stages - 1) * (Kernel::kStageBytes - Kernel::kActivationBytes));
}

TEST(Pipeline, HasMoreOnItsWayThanTheMemoryDeliversMeanwhile) {
  for (const Card& card : kCards) {
    const double needed = card.bytes_per_second * kAccessSeconds / card.processors;
    const auto expect = [&](const char* kernel, double bytes) {
      EXPECT_GE(bytes, needed) << kernel << " on a " << card.name;
    };
    expect("4 bits, 8 tokens", bytes_on_their_way<MatmulKernel<Int4Codec, 8>>(card, Int4Codec::kStages));
    expect("8 bits, 8 tokens", bytes_on_their_way<MatmulKernel<Int8Codec, 8>>(card, Int8Codec::kStages));
    expect("halves, 8 tokens", bytes_on_their_way<MatmulKernel<HalfCodec, 8>>(card, HalfCodec::kStages));
    expect("4 bits, 16 tokens", bytes_on_their_way<MatmulKernel<Int4Codec, 16>>(card, Int4Codec::kStages));
    expect("8 bits, 16 tokens", bytes_on_their_way<MatmulKernel<Int8Codec, 16>>(card, Int8Codec::kStages));
  }
}

TEST(Pipeline, IsTwiceAsDeepWhereTwoOfItsBlocksFit) {
  const Card& h200 = kCards[3];
  const double needed = h200.bytes_per_second * kAccessSeconds / h200.processors;
  EXPECT_GE(bytes_on_their_way<DeepMatmulKernel<8>>(h200, 2 * Int4Codec::kStages), 3 * needed);
  EXPECT_GE(bytes_on_their_way<DeepMatmulKernel<16>>(h200, 2 * Int4Codec::kStages), 3 * needed);
}

}  // namespace
}  // namespace kernels::cuda
