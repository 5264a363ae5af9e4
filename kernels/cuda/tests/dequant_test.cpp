// The conversion of codes to halves: every code, every zero point, and the bit tricks against plain arithmetic.
#include "kernels/cuda/dequant.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kernels/cuda/fragments.hpp"
#include "kernels/cuda/kv_pages.hpp"
#include "kernels/cuda/row_kernels.hpp"

namespace kernels::cuda {
namespace {

float part(std::uint32_t word, unsigned h) {
  return to_float(static_cast<half_bits>(word >> 16U * h & 0xFFFFU));
}

TEST(Expand4, IsExactForEveryCodeAndZeroPoint) {
  for (std::uint32_t zero = 0; zero < 16; ++zero) {
    const std::uint32_t other = 15 - zero;
    for (std::uint32_t code = 0; code < 16; ++code) {
      for (unsigned r = 0; r < 4; ++r) {
        for (unsigned h = 0; h < 2; ++h) {
          const std::uint32_t noise = 0x9A5C3F17U & ~(15U << 4 * (r + 4 * h));
          std::uint32_t to[4];
          expand4(noise | code << 4 * (r + 4 * h), zero_point(zero), zero_point(other), to);
          const float expected = static_cast<float>(code) - static_cast<float>(r % 2 == 0 ? zero : other);
          ASSERT_EQ(part(to[r], h), expected) << "code " << code << " zero " << zero << " register " << r << "." << h;
        }
      }
    }
  }
}

TEST(Expand8, IsExactForEveryCodeAndZeroPoint) {
  for (std::uint32_t zero = 0; zero < 256; ++zero) {
    for (std::uint32_t code = 0; code < 256; ++code) {
      std::uint32_t to[4];
      const std::uint32_t word = code | (255 - code) << 8U | (code ^ 0x55U) << 16U | (code ^ 0xAAU) << 24U;
      expand8(word, ~word, zero_point(zero), zero_point(255 - zero), to);
      const auto f = [](std::uint32_t a, std::uint32_t b) { return static_cast<float>(a) - static_cast<float>(b); };
      ASSERT_EQ(part(to[0], 0), f(code, zero));
      ASSERT_EQ(part(to[0], 1), f(255 - code, zero));
      ASSERT_EQ(part(to[1], 0), f(code ^ 0x55U, 255 - zero));
      ASSERT_EQ(part(to[1], 1), f(code ^ 0xAAU, 255 - zero));
      ASSERT_EQ(part(to[2], 0), f(255 - code, zero));
      ASSERT_EQ(part(to[3], 1), f(255 - (code ^ 0xAAU), 255 - zero));
    }
  }
}

TEST(Lop3, IsEveryTable) {
  // 0xE2: (b ? a : c), and the one in use: (a & b) | c.
  const std::uint32_t a = 0x12345678U, b = 0xF0F00FF0U, c = 0x0A0B0C0DU;
  EXPECT_EQ((simt::lop3<0xEAU>(a, b, c)), (a & b) | c);
  EXPECT_EQ((simt::lop3<0xE2U>(a, b, c)), (a & b) | (c & ~b));
  EXPECT_EQ((simt::lop3<0x96U>(a, b, c)), a ^ b ^ c);
}

TEST(PermuteBytes, PicksFromBothWords) {
  EXPECT_EQ((simt::permute_bytes<0x7531>(0x03020100U, 0x07060504U)), 0x07050301U);
  EXPECT_EQ((simt::permute_bytes<0x4140>(0x44332211U, 0x64646464U)), 0x64226411U);
}

TEST(E4m3, RoundTripsEveryByteAndRoundsToTheNearest) {
  std::vector<float> all;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const float value = e4m3_to_float(static_cast<std::uint8_t>(byte));
    if ((byte & 0x7FU) == 0x7FU) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    EXPECT_EQ(float_to_e4m3(value), byte);
    all.push_back(value);
  }
  EXPECT_EQ(*std::ranges::max_element(all), 448.0F);
  std::mt19937 random(5);  // NOLINT: the same values every time
  std::uniform_real_distribution<float> exponent(-12.0F, 10.0F);
  for (int i = 0; i < 20000; ++i) {
    const float value = std::exp2(exponent(random)) * (i % 2 == 0 ? 1.0F : -1.0F);
    const float rounded = e4m3_to_float(float_to_e4m3(value));
    float best = all[0];
    for (const float one : all) {
      if (std::abs(one - value) < std::abs(best - value)) best = one;
    }
    ASSERT_EQ(std::abs(rounded - value), std::abs(best - value)) << value;
  }
  EXPECT_EQ(float_to_e4m3(1e9F), 0x7EU);
  EXPECT_EQ(float_to_e4m3(-INFINITY), 0xFEU);
  EXPECT_EQ(float_to_e4m3(NAN) & 0x7FU, 0x7FU);
}

TEST(RowExponent, PutsTheGreatestBelowTheLimitOfHalves) {
  for (const float value : {1e-30F, 0.001F, 1.0F, 1.999F, 2.0F, 60000.0F, 1e20F, 3e38F}) {
    const float scaled = value * exponent_factor(row_exponent(value));
    EXPECT_GE(scaled, value < 1e-29F ? 0.5F : 16384.0F) << value;
    EXPECT_LT(scaled, 32768.0F) << value;
    EXPECT_EQ(scaled * exponent_factor(-row_exponent(value)), value);
  }
  EXPECT_EQ(row_exponent(0.0F), 0);
  EXPECT_EQ(row_exponent(INFINITY), 0);
}

}  // namespace
}  // namespace kernels::cuda
