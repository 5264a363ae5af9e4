// The GPTQ checkpoint layout at 4 and 8 bits: non-owning views over the packed tensors of one linear layer, checked
// once. Knows nothing of files or backends. Source: the packing of AutoGPTQ / GPTQModel ("gptq" and "gptq_v2" formats).
//
//   W[k][n] = scale[g][n] * (code[k][n] - zero[g][n]),  g = g_idx[k],  y[n] = sum over k of x[k] * W[k][n]
//
//   qweight [in/8][out]      word (k/8, n) holds code[k][n] in bits 4*(k%8)
//   qzeros  [groups][out/8]  word (g, n/8) holds the zero point in bits 4*(n%8); version 1 stores zero - 1 modulo 16
//                            (at 8 bits a word holds 4 fields: read 4 for 8, 8 for 4 and 256 for 16)
//   scales  [groups][out]    binary16
//   g_idx   [in]             group of each row; in order (k / group_size) or scattered (desc_act)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/error.hpp"
#include "kernels/fp16.hpp"
#include "kernels/result.hpp"

namespace kernels {

inline constexpr std::size_t kCodesPerWord = 8;  ///< at 4 bits

/// Codes in one 32-bit word: 8 at 4 bits, 4 at 8 bits.
constexpr std::size_t codes_per_word(unsigned bits) noexcept {
  return 32 / bits;
}

/// A row-major matrix somebody else owns: `data.size()` is to be rows * cols.
template <class T>
struct MatrixView {
  std::span<const T> data;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

enum class GptqVersion : std::uint8_t {
  v1,  ///< "gptq" or no tag: qzeros hold zero - 1
  v2,  ///< "gptq_v2": qzeros hold zero
};

/// The tensors of one quantised layer as a checkpoint has them, unchecked.
struct GptqTensors {
  std::string_view name;  ///< the layer, for messages: "model.layers.3.mlp.down_proj"
  MatrixView<std::uint32_t> qweight;
  MatrixView<std::uint32_t> qzeros;
  MatrixView<half_bits> scales;
  std::span<const std::int32_t> g_idx;  ///< empty means k / group_size
  GptqVersion version = GptqVersion::v1;
  unsigned bits = 4;  ///< 4 or 8
};

/// A checked view: what it says about shapes and groups holds, so kernels need not look again. Valid while the
/// tensors it was made from are. Made by `make_gptq_matrix` only.
class GptqMatrix {
 public:
  /// Bits of a code: 4 or 8.
  unsigned bits() const noexcept { return tensors_.bits; }
  std::size_t in() const noexcept { return tensors_.qweight.rows << word_shift_; }
  std::size_t out() const noexcept { return tensors_.qweight.cols; }
  std::size_t groups() const noexcept { return tensors_.scales.rows; }
  /// Rows per group; the last group in order may have fewer.
  std::size_t group_size() const noexcept { return group_size_; }

  /// Code of row k, column n: 0..15, or 0..255 at 8 bits.
  std::uint32_t code(std::size_t k, std::size_t n) const noexcept {
    return field(tensors_.qweight.data[(k >> word_shift_) * out() + n], k);
  }
  /// Zero point of group g, column n, in the range of codes, whatever the version stores.
  std::uint32_t zero(std::size_t g, std::size_t n) const noexcept {
    const std::uint32_t stored = field(tensors_.qzeros.data[g * tensors_.qzeros.cols + (n >> word_shift_)], n);
    // Per field: adding to the whole word would carry into the neighbour where a wrapped 15 stands for zero 0.
    return tensors_.version == GptqVersion::v1 ? (stored + 1) & code_mask_ : stored;
  }
  /// The packed words of row k, [out]: word n holds code (k, n) from bit `code_shift(k)` on.
  const std::uint32_t* word_row(std::size_t k) const noexcept {
    return tensors_.qweight.data.data() + (k >> word_shift_) * out();
  }
  unsigned code_shift(std::size_t k) const noexcept {
    return static_cast<unsigned>(k & ((std::size_t{1} << word_shift_) - 1)) * tensors_.bits;
  }
  half_bits scale_bits(std::size_t g, std::size_t n) const noexcept { return tensors_.scales.data[g * out() + n]; }
  float scale(std::size_t g, std::size_t n) const noexcept { return to_float(tensors_.scales.data[g * out() + n]); }
  /// Group of row k.
  std::size_t group(std::size_t k) const noexcept {
    return tensors_.g_idx.empty() ? k / group_size_ : static_cast<std::size_t>(tensors_.g_idx[k]);
  }
  /// The weight itself, exact in float: 11 bits of scale times at most 9 bits of difference.
  float weight(std::size_t k, std::size_t n) const noexcept {
    const std::size_t g = group(k);
    return scale(g, n) * static_cast<float>(static_cast<int>(code(k, n)) - static_cast<int>(zero(g, n)));
  }

 private:
  friend Result<GptqMatrix, FormatError> make_gptq_matrix(const GptqTensors& tensors, std::size_t group_size);
  GptqMatrix(const GptqTensors& tensors, std::size_t group_size)
      : tensors_(tensors),
        group_size_(group_size),
        word_shift_(tensors.bits == 8 ? 2 : 3),
        code_mask_(tensors.bits == 8 ? 255U : 15U) {}

  /// Field `index` (modulo fields per word) of a word.
  std::uint32_t field(std::uint32_t word, std::size_t index) const noexcept {
    const std::size_t within = index & ((std::size_t{1} << word_shift_) - 1);
    return word >> within * tensors_.bits & code_mask_;
  }

  GptqTensors tensors_;
  std::size_t group_size_;
  unsigned word_shift_;  ///< log2 of codes per word: kernels' set-up reads billions of codes, a division shows
  std::uint32_t code_mask_;
};

/// Checks shapes, g_idx and scales against `group_size` rows per group (0: one group for all rows). Refuses with the
/// tensor's full name, the shape it has and the shape it should have. Reads g_idx and scales once, codes not at all.
Result<GptqMatrix, FormatError> make_gptq_matrix(const GptqTensors& tensors, std::size_t group_size);

}  // namespace kernels
