// Packing is the definition in gptq_format.hpp read from right to left.
#include "kernels/gptq_pack.hpp"

#include <cassert>
#include <utility>

namespace kernels {

GptqTensors GptqPacked::tensors() const {
  const std::size_t groups = scales.size() / out;
  const std::size_t per_word = codes_per_word(bits);
  return GptqTensors{.name = name,
                     .qweight = {qweight, in / per_word, out},
                     .qzeros = {qzeros, groups, out / per_word},
                     .scales = {scales, groups, out},
                     .g_idx = g_idx,
                     .version = version,
                     .bits = bits};
}

GptqPacked pack_gptq(const GptqPlain& plain, GptqVersion version, std::string name) {
  const unsigned bits = plain.bits;
  const std::size_t per_word = codes_per_word(bits);
  const std::uint32_t mask = (1U << bits) - 1;
  assert(bits == 4 || bits == 8);
  assert(plain.in % per_word == 0 && plain.out % per_word == 0 && plain.out > 0);
  assert(plain.codes.size() == plain.in * plain.out && plain.zeros.size() == plain.scales.size());
  assert(plain.zeros.size() % plain.out == 0);
  GptqPacked packed{.name = std::move(name),
                    .in = plain.in,
                    .out = plain.out,
                    .qweight = std::vector<std::uint32_t>(plain.codes.size() / per_word),
                    .qzeros = std::vector<std::uint32_t>(plain.zeros.size() / per_word),
                    .scales = {},
                    .g_idx = plain.g_idx,
                    .version = version,
                    .bits = bits};
  for (std::size_t i = 0; i < plain.codes.size(); ++i) {  // words run along the rows
    const std::size_t k = i / plain.out;
    packed.qweight[k / per_word * plain.out + i % plain.out] |= (plain.codes[i] & mask) << bits * (k % per_word);
  }
  for (std::size_t i = 0; i < plain.zeros.size(); ++i) {  // words run along the columns
    packed.qzeros[i / per_word] |= stored_zero(plain.zeros[i], version, bits) << bits * (i % per_word);
  }
  packed.scales.reserve(plain.scales.size());
  for (const float scale : plain.scales) packed.scales.push_back(to_half(scale));
  return packed;
}

}  // namespace kernels
