// The CPU backend's layout of a weight matrix: panels of 16 columns, groups in order, each padded to whole words.
// Knows nothing of instructions.
//
//   panel p, word row w:  16 words side by side, word l = eight codes of column 16p + l, rows 8w .. 8w + 7
//
//        +--- 16 columns ---+        One word row is 64 bytes, a cache line; a panel is read front to back.
//   w 0  | W0 W1 ...    W15 |  \     Rows are sorted by group, so scattered groups (desc_act) become contiguous, and
//   w 1  | W0 W1 ...    W15 |  / g0  every group starts at a word row: the kernel needs no look-up inside a group.
//   w 2  | W0 W1 ...    W15 |  - g1  Rows and columns of padding hold code 0, scale 0, and x is 0 there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.hpp"

namespace kernels {

inline constexpr std::size_t kPanelColumns = 16;

class PanelMatrix final : public QuantizedMatrix {
 public:
  explicit PanelMatrix(const GptqMatrix& weights);

  std::size_t in() const noexcept override { return in_; }
  std::size_t out() const noexcept override { return out_; }
  std::size_t panels() const noexcept { return (out_ + kPanelColumns - 1) / kPanelColumns; }
  std::size_t groups() const noexcept { return group_ends_.size(); }
  std::size_t word_rows() const noexcept { return rows_.size() / kCodesPerWord; }
  /// Where each group ends, in word rows; the first starts at 0.
  std::span<const std::size_t> group_ends() const noexcept { return group_ends_; }

  /// [word_rows][16] words, [groups][16] scales, [groups][16] zero points of one panel.
  const std::uint32_t* words(std::size_t panel) const noexcept {
    return words_.data() + panel * word_rows() * kPanelColumns;
  }
  const float* scales(std::size_t panel) const noexcept { return scales_.data() + panel * groups() * kPanelColumns; }
  const std::uint8_t* zeros(std::size_t panel) const noexcept {
    return zeros_.data() + panel * groups() * kPanelColumns;
  }

  /// Brings one row x[in] into the order and padding of the rows here: `to` is [word_rows * 8].
  void arrange(std::span<const float> x, std::span<float> to) const;

 private:
  static constexpr std::uint32_t kPadding = 0xFFFFFFFFU;
  void order_rows(const GptqMatrix& weights);
  void fill_panel(const GptqMatrix& weights, std::size_t panel);

  std::size_t in_;
  std::size_t out_;
  std::vector<std::uint32_t> rows_;  // [word_rows * 8]: original row, or kPadding
  std::vector<std::size_t> group_ends_;
  std::vector<std::uint32_t> words_;
  std::vector<float> scales_;
  std::vector<std::uint8_t> zeros_;
};

}  // namespace kernels
