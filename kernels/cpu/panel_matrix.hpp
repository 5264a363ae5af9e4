// The CPU backend's layout of a quantised matrix: panels of 16 columns, rows in blocks of one scale each.
// Knows nothing of instructions.
//
//   panel p: steps of 64 bytes, a cache line, read front to back. Lane l (4 bytes) is column 16p + l.
//
//     4 bits, a step is 8 rows:  byte j of a lane = code of row k+j  |  code of row k+4+j << 4     (j = 0..3)
//     8 bits, a step is 4 rows:  byte j of a lane = code of row k+j
//
//   so that a byte product with four bytes of x advances every column by four rows, and low and high nibbles are both
//   in the order of x. Rows are sorted by group: scattered groups (desc_act) become contiguous. A block is at most 128
//   rows of one group and starts at a step. Padding: rows have code 0 and x = 0, columns have scale 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/cpu/weight_arena.hpp"

namespace kernels {

inline constexpr std::size_t kPanelColumns = 16;
inline constexpr std::size_t kStepBytes = 64;
inline constexpr std::size_t kMaxBlockRows = 128;

class PanelMatrix final : public WeightMatrix {
 public:
  /// Runs body(first, last) over parts of [0, count), perhaps in parallel.
  using ForEach = std::function<void(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body)>;

  /// `parts` can be joined; `bias` is empty or one per column.
  PanelMatrix(std::span<const GptqMatrix> parts, std::span<const float> bias, WeightArena& arena,
              const ForEach& for_each);

  std::size_t in() const noexcept override { return in_; }
  std::size_t out() const noexcept override { return out_; }
  std::size_t bytes() const noexcept override { return bytes_; }

  unsigned bits() const noexcept { return bits_; }
  std::size_t panels() const noexcept { return (out_ + kPanelColumns - 1) / kPanelColumns; }
  std::size_t blocks() const noexcept { return block_ends_.size(); }
  /// Where each block ends, in steps; the first starts at 0.
  std::span<const std::size_t> block_ends() const noexcept { return block_ends_; }
  std::size_t block_begin(std::size_t block) const noexcept { return block == 0 ? 0 : block_ends_[block - 1]; }
  std::size_t step_rows() const noexcept { return 32 / bits_; }
  std::size_t steps() const noexcept { return rows_.size() / step_rows(); }
  /// Whether this is two matrices of one width side by side, such as gate and up, each of whole pairs of panels.
  bool is_double() const noexcept { return is_double_; }
  /// Rows with padding.
  std::size_t padded_in() const noexcept { return rows_.size(); }
  std::size_t panel_bytes() const noexcept { return steps() * kStepBytes; }

  /// One panel: [steps][64] bytes, [blocks][16] binary16 scales, [blocks][16] zero points or null where all are the
  /// middle of the range (symmetric), [16] biases or null.
  const std::uint8_t* codes(std::size_t panel) const noexcept { return codes_ + panel * panel_bytes(); }
  const half_bits* scales(std::size_t panel) const noexcept { return scales_ + panel * blocks() * kPanelColumns; }
  const std::uint8_t* zeros(std::size_t panel) const noexcept {
    return zeros_ == nullptr ? nullptr : zeros_ + panel * blocks() * kPanelColumns;
  }
  const float* bias(std::size_t panel) const noexcept {
    return bias_.empty() ? nullptr : bias_.data() + panel * kPanelColumns;
  }

  /// Original row of each row here, or kPadding; [padded_in]. `in_order` says that row r is r for all of them.
  static constexpr std::uint32_t kPadding = 0xFFFFFFFFU;
  std::span<const std::uint32_t> rows() const noexcept { return rows_; }
  bool in_order() const noexcept { return in_order_; }

 private:
  void order_rows(const GptqMatrix& weights);
  void allocate(bool symmetric, WeightArena& arena);
  /// Columns first .. first + count of a part become lanes `lane` .. of a panel.
  void fill_lanes(const GptqMatrix& weights, std::size_t first, std::size_t count, std::size_t panel, std::size_t lane);
  void fill_codes(const GptqMatrix& weights, std::size_t first, std::size_t count, std::uint8_t* to) const;
  void fill_panel(std::span<const GptqMatrix> parts, std::size_t panel);

  std::size_t in_;
  std::size_t out_ = 0;
  unsigned bits_;
  std::size_t bytes_ = 0;
  bool in_order_ = true;
  bool is_double_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> block_ends_;
  std::vector<std::size_t> block_groups_;
  std::vector<float> bias_;
  std::shared_ptr<std::byte> memory_;
  std::uint8_t* codes_ = nullptr;
  half_bits* scales_ = nullptr;
  std::uint8_t* zeros_ = nullptr;
};

}  // namespace kernels
