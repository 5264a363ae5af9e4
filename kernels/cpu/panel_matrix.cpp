// Built once per layer, from a view that was checked already.
#include "kernels/cpu/panel_matrix.hpp"

#include <algorithm>
#include <cassert>

namespace kernels {

PanelMatrix::PanelMatrix(const GptqMatrix& weights) : in_(weights.in()), out_(weights.out()) {
  assert(weights.bits() == 4);  // panels hold nibbles
  order_rows(weights);
  words_.resize(panels() * word_rows() * kPanelColumns);
  scales_.resize(panels() * groups() * kPanelColumns);
  zeros_.resize(panels() * groups() * kPanelColumns);
  for (std::size_t panel = 0; panel < panels(); ++panel) fill_panel(weights, panel);
}

void PanelMatrix::order_rows(const GptqMatrix& weights) {
  std::vector<std::vector<std::uint32_t>> members(weights.groups());
  for (std::size_t k = 0; k < in_; ++k) members[weights.group(k)].push_back(static_cast<std::uint32_t>(k));
  for (const auto& group : members) {
    rows_.insert(rows_.end(), group.begin(), group.end());
    rows_.resize((rows_.size() + kCodesPerWord - 1) / kCodesPerWord * kCodesPerWord, kPadding);
    group_ends_.push_back(word_rows());
  }
}

void PanelMatrix::fill_panel(const GptqMatrix& weights, std::size_t panel) {
  const std::size_t first = panel * kPanelColumns;
  const std::size_t columns = std::min(kPanelColumns, out_ - first);
  std::uint32_t* words = words_.data() + panel * word_rows() * kPanelColumns;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (rows_[r] == kPadding) continue;
    for (std::size_t lane = 0; lane < columns; ++lane) {
      words[r / kCodesPerWord * kPanelColumns + lane] |= weights.code(rows_[r], first + lane)
                                                         << 4 * (r % kCodesPerWord);
    }
  }
  for (std::size_t g = 0; g < groups(); ++g) {
    const std::size_t at = (panel * groups() + g) * kPanelColumns;
    for (std::size_t lane = 0; lane < columns; ++lane) {
      scales_[at + lane] = weights.scale(g, first + lane);
      zeros_[at + lane] = static_cast<std::uint8_t>(weights.zero(g, first + lane));
    }
  }
}

void PanelMatrix::arrange(std::span<const float> x, std::span<float> to) const {
  assert(x.size() == in_ && to.size() == rows_.size());
  for (std::size_t r = 0; r < rows_.size(); ++r) to[r] = rows_[r] == kPadding ? 0.0F : x[rows_[r]];
}

}  // namespace kernels
