// Packing is the definition in gptq_format.hpp read from right to left.
#include "kernels/gptq_pack.hpp"

#include <cassert>
#include <utility>

namespace kernels {

GptqTensors GptqPacked::tensors() const {
  const std::size_t groups = scales.size() / out;
  return GptqTensors{.name = name,
                     .qweight = {qweight, in / kCodesPerWord, out},
                     .qzeros = {qzeros, groups, out / kCodesPerWord},
                     .scales = {scales, groups, out},
                     .g_idx = g_idx,
                     .version = version};
}

GptqPacked pack_gptq(const GptqPlain& plain, GptqVersion version, std::string name) {
  assert(plain.in % kCodesPerWord == 0 && plain.out % kCodesPerWord == 0 && plain.out > 0);
  assert(plain.codes.size() == plain.in * plain.out && plain.zeros.size() == plain.scales.size());
  assert(plain.zeros.size() % plain.out == 0);
  GptqPacked packed{.name = std::move(name),
                    .in = plain.in,
                    .out = plain.out,
                    .qweight = std::vector<std::uint32_t>(plain.codes.size() / kCodesPerWord),
                    .qzeros = std::vector<std::uint32_t>(plain.zeros.size() / kCodesPerWord),
                    .scales = {},
                    .g_idx = plain.g_idx,
                    .version = version};
  for (std::size_t i = 0; i < plain.codes.size(); ++i) {  // words run along the rows
    const std::size_t k = i / plain.out;
    packed.qweight[k / kCodesPerWord * plain.out + i % plain.out] |= (plain.codes[i] & 15U) << 4 * (k % kCodesPerWord);
  }
  const std::uint32_t offset = version == GptqVersion::v1 ? 15 : 0;  // minus one, modulo 16
  for (std::size_t i = 0; i < plain.zeros.size(); ++i) {             // words run along the columns
    packed.qzeros[i / kCodesPerWord] |= ((plain.zeros[i] + offset) & 15U) << 4 * (i % kCodesPerWord);
  }
  packed.scales.reserve(plain.scales.size());
  for (const float scale : plain.scales) packed.scales.push_back(to_half(scale));
  return packed;
}

}  // namespace kernels
