// The layout against golden words, and every shape that must be refused.
#include "kernels/gptq_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/gptq_pack.hpp"
#include "kernels/tests/golden_gptq.hpp"

namespace kernels {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

GptqPlain golden_layer(std::span<const std::uint8_t> zeros) {
  return GptqPlain{.in = golden::kIn,
                   .out = golden::kOut,
                   .codes = {golden::kCodes.begin(), golden::kCodes.end()},
                   .zeros = {zeros.begin(), zeros.end()},
                   .scales = {golden::kScales.begin(), golden::kScales.end()},
                   .g_idx = {}};
}

TEST(GptqPack, WritesTheGoldenWords) {
  const GptqPacked packed = pack_gptq(golden_layer(golden::kSymmetricZeros), GptqVersion::v1, "l");
  EXPECT_THAT(packed.qweight, ElementsAreArray(golden::kQweight));
  EXPECT_THAT(packed.scales, ElementsAreArray(golden::kScaleBits));
  EXPECT_THAT(packed.qzeros, ElementsAreArray(golden::kSymmetricV1));
  const GptqPlain asymmetric = golden_layer(golden::kAsymmetricZeros);
  EXPECT_THAT(pack_gptq(asymmetric, GptqVersion::v1, "l").qzeros, ElementsAreArray(golden::kAsymmetricV1));
  EXPECT_THAT(pack_gptq(asymmetric, GptqVersion::v2, "l").qzeros, ElementsAreArray(golden::kAsymmetricV2));
}

TEST(GptqFormat, ReadsBackWhatWasPacked) {
  for (const GptqVersion version : {GptqVersion::v1, GptqVersion::v2}) {
    const GptqPacked packed = pack_gptq(golden_layer(golden::kAsymmetricZeros), version, "l");
    const auto matrix = make_gptq_matrix(packed.tensors(), golden::kGroupSize);
    ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
    EXPECT_EQ(matrix->in(), golden::kIn);
    EXPECT_EQ(matrix->out(), golden::kOut);
    EXPECT_EQ(matrix->groups(), 3U);
    for (std::size_t k = 0; k < golden::kIn; ++k) {
      EXPECT_EQ(matrix->group(k), k / 8);
      for (std::size_t n = 0; n < golden::kOut; ++n) {
        EXPECT_EQ(matrix->code(k, n), golden::kCodes[k * golden::kOut + n]);
        EXPECT_EQ(matrix->zero(k / 8, n), golden::kAsymmetricZeros[k / 8 * golden::kOut + n]);
        EXPECT_EQ(matrix->scale(k / 8, n), golden::kScales[k / 8 * golden::kOut + n]);
      }
    }
  }
}

TEST(GptqFormat, StoredFifteenIsZeroPointZeroInVersionOne) {
  // Zero points 0,1,8,15,15,0,7,3: adding 0x11111111 to the word instead of each field would carry.
  const std::vector<std::uint32_t> words(1, 0x26FEE70FU), codes(8, 0);
  const std::vector<half_bits> scales(8, 0x3C00);
  const auto matrix = make_gptq_matrix(
      GptqTensors{
          .name = "l", .qweight = {codes, 1, 8}, .qzeros = {words, 1, 1}, .scales = {scales, 1, 8}, .g_idx = {}},
      0);
  ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
  const std::vector<std::uint32_t> expected{0, 1, 8, 15, 15, 0, 7, 3};
  for (std::size_t n = 0; n < 8; ++n) EXPECT_EQ(matrix->zero(0, n), expected[n]) << n;
}

TEST(GptqFormat, EightBitsPackFourCodesToAWord) {
  GptqPlain plain{
      .in = 8, .out = 4, .codes = {}, .zeros = {0, 1, 128, 255}, .scales = {1, 0.5F, 2, 0.25F}, .g_idx = {}};
  plain.bits = 8;
  for (std::size_t i = 0; i < 32; ++i) plain.codes.push_back(static_cast<std::uint8_t>(i * 37));
  for (const auto& [version, zeros] : {std::pair{GptqVersion::v1, 0xFE7F00FFU}, {GptqVersion::v2, 0xFF800100U}}) {
    const GptqPacked packed = pack_gptq(plain, version, "l");
    EXPECT_EQ(packed.qzeros, std::vector{zeros});
    EXPECT_EQ(packed.qweight.at(0), 0xBC289400U);  // rows 0..3 of column 0: codes 0, 148, 40, 188
    const auto matrix = make_gptq_matrix(packed.tensors(), 0);
    ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
    EXPECT_EQ(matrix->in(), 8U);
    EXPECT_EQ(matrix->bits(), 8U);
    for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(matrix->code(i / 4, i % 4), plain.codes[i]) << i;
    for (std::size_t n = 0; n < 4; ++n) EXPECT_EQ(matrix->zero(0, n), plain.zeros[n]) << n;
    EXPECT_EQ(matrix->weight(7, 3), 0.25F * (static_cast<float>(plain.codes[31]) - 255));
  }
}

/// A layer of 24 x 16 in groups of 8 with one thing wrong.
struct Sad {
  const char* what;
  std::function<void(GptqTensors&)> spoil;
  Errc code;
  const char* message;
};

class GptqRefusal : public ::testing::TestWithParam<Sad> {};

TEST_P(GptqRefusal, NamesTensorAndShape) {
  GptqPacked packed = pack_gptq(golden_layer(golden::kSymmetricZeros), GptqVersion::v1, "layer.q_proj");
  packed.g_idx.assign(golden::kScattered.begin(), golden::kScattered.end());
  GptqTensors tensors = packed.tensors();
  ASSERT_TRUE(make_gptq_matrix(tensors, golden::kGroupSize).has_value());
  GetParam().spoil(tensors);
  const auto refused = make_gptq_matrix(tensors, golden::kGroupSize);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, GetParam().code);
  EXPECT_THAT(refused.error().message, HasSubstr(GetParam().message));
}

const std::vector<std::int32_t> kOutOfRange{0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1};
const std::vector<std::int32_t> kNegative(golden::kIn, -1);
const std::vector<std::int32_t> kCrowded(golden::kIn, 0);
const std::vector<half_bits> kInfinite(3 * golden::kOut, 0x7C00);
constexpr std::size_t kHuge = std::size_t{1} << 61U;  // times 8 wraps to 0

INSTANTIATE_TEST_SUITE_P(
    Sad, GptqRefusal,
    ::testing::Values(
        Sad{"short_data", [](auto& layer) { layer.qweight.data = layer.qweight.data.first(47); }, Errc::bad_shape,
            "layer.q_proj.qweight: shape [3, 16] does not fit its 47 elements"},
        Sad{"wrapping_shape",
            [](auto& layer) {
              layer.qweight = {{}, kHuge, 8};
            },
            Errc::bad_shape, "layer.q_proj.qweight: shape [2305843009213693952, 8] does not fit its 0 elements"},
        Sad{"no_rows",
            [](auto& layer) {
              layer.qweight = {{}, 0, 16};
            },
            Errc::bad_shape, "layer.q_proj.qweight: shape [0, 16]"},
        Sad{"odd_columns",
            [](auto& layer) {
              layer.qweight = {layer.qweight.data.first(12), 1, 12};
            },
            Errc::unaligned, "layer.q_proj.qweight: shape [1, 12] has 12 columns, which is no multiple of 8"},
        Sad{"scales_rows",
            [](auto& layer) {
              layer.scales = {layer.scales.data.first(32), 2, 16};
            },
            Errc::bad_shape, "layer.q_proj.scales: shape [2, 16] should be [3, 16]"},
        Sad{"zeros_unpacked",
            [](auto& layer) {
              layer.qzeros = {layer.qweight.data, 3, 16};
            },
            Errc::bad_shape, "layer.q_proj.qzeros: shape [3, 16] should be [3, 2]"},
        Sad{"three_bits", [](auto& layer) { layer.bits = 3; }, Errc::bad_bits, "layer.q_proj: codes of 3 bits"},
        Sad{"g_idx_length", [](auto& layer) { layer.g_idx = layer.g_idx.first(8); }, Errc::bad_shape,
            "layer.q_proj.g_idx: shape [8] should be [24]"},
        Sad{"g_idx_range", [](auto& layer) { layer.g_idx = kOutOfRange; }, Errc::bad_group,
            "layer.q_proj.g_idx: row 3 is in group 3, and there are 3 groups"},
        Sad{"g_idx_negative", [](auto& layer) { layer.g_idx = kNegative; }, Errc::bad_group, "row 0 is in group -1"},
        Sad{"g_idx_crowded", [](auto& layer) { layer.g_idx = kCrowded; }, Errc::bad_group,
            "layer.q_proj.g_idx: group 0 has more than 8 rows"},
        Sad{"infinite_scale", [](auto& layer) { layer.scales.data = kInfinite; }, Errc::scale_not_finite,
            "layer.q_proj.scales: [0, 0] of shape [3, 16] is not finite"}),
    [](const auto& instance) { return std::string(instance.param.what); });

}  // namespace
}  // namespace kernels
