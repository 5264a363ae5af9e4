// Every half there is, and the roundings that go wrong first.
#include "kernels/fp16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kernels {
namespace {

TEST(Fp16, EveryFiniteHalfComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<half_bits>(bits);
    if ((half & 0x7C00U) == 0x7C00U && (half & 0x3FFU) != 0) {
      EXPECT_TRUE(std::isnan(to_float(half))) << bits;
      EXPECT_TRUE(std::isnan(to_float(to_half(to_float(half))))) << bits;
    } else {
      ASSERT_EQ(to_half(to_float(half)), half) << bits;
    }
  }
}

TEST(Fp16, ValuesByDefinition) {
  // (-1)^s * 2^(e-15) * (1 + f/1024), or 2^-14 * f/1024 where e is 0.
  for (std::uint32_t bits = 0; bits < 0x7C00U; ++bits) {
    const int exponent = static_cast<int>(bits >> 10U);
    const double fraction = static_cast<double>(bits & 0x3FFU) / 1024.0;
    const double value = exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
    ASSERT_EQ(static_cast<double>(to_float(static_cast<half_bits>(bits))), value) << bits;
    ASSERT_EQ(static_cast<double>(to_float(static_cast<half_bits>(bits | 0x8000U))), -value) << bits;
  }
}

TEST(Fp16, BetweenTwoHalvesTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits + 1 < 0x7C00U; ++bits) {
    const float low = to_float(static_cast<half_bits>(bits));
    const float high = to_float(static_cast<half_bits>(bits + 1));
    const float middle = (low + high) / 2;  // exact: one more bit of fraction
    ASSERT_EQ(to_half(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(to_half(std::nextafter(middle, low)), bits) << bits;
    ASSERT_EQ(to_half(std::nextafter(middle, high)), bits + 1) << bits;
  }
}

TEST(Fp16, Extremes) {
  EXPECT_EQ(to_half(65504.0F), 0x7BFF);
  EXPECT_EQ(to_half(65519.996F), 0x7BFF);
  EXPECT_EQ(to_half(65520.0F), 0x7C00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(to_half(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(to_half(-0.0F), 0x8000);
}

}  // namespace
}  // namespace kernels
