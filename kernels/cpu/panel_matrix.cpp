// Built once per layer, from views that were checked already. Billions of codes pass through here: the inner loops run
// along the columns of the packed words, as they lie in memory.
#include "kernels/cpu/panel_matrix.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace kernels {
namespace {

bool is_symmetric(const GptqMatrix& weights) {
  const std::uint32_t middle = 1U << (weights.bits() - 1);
  for (std::size_t g = 0; g < weights.groups(); ++g) {
    for (std::size_t n = 0; n < weights.out(); ++n) {
      if (weights.zero(g, n) != middle) return false;
    }
  }
  return true;
}

/// Bit of a lane at which row j of a step goes: see the drawing in the header.
unsigned lane_shift(unsigned bits, std::size_t j) {
  const auto row = static_cast<unsigned>(j);
  return bits == 8 ? 8 * row : 8 * (row % 4) + 4 * (row / 4);
}

}  // namespace

PanelMatrix::PanelMatrix(std::span<const GptqMatrix> parts, std::span<const float> bias, WeightArena& arena,
                         const ForEach& for_each)
    : in_(parts.front().in()),
      bits_(parts.front().bits()),
      is_double_(parts.size() == 2 && parts.front().out() == parts.back().out() &&
                 parts.front().out() % (2 * kPanelColumns) == 0) {
  assert(can_join(parts));
  for (const GptqMatrix& part : parts) out_ += part.out();
  assert(bias.empty() || bias.size() == out_);
  order_rows(parts.front());
  if (!bias.empty()) {
    bias_.assign(panels() * kPanelColumns, 0.0F);
    std::ranges::copy(bias, bias_.begin());
  }
  allocate(std::ranges::all_of(parts, is_symmetric), arena);
  for_each(panels(), [&](std::size_t first, std::size_t last) {
    for (std::size_t panel = first; panel < last; ++panel) fill_panel(parts, panel);
  });
}

void PanelMatrix::order_rows(const GptqMatrix& weights) {
  std::vector<std::vector<std::uint32_t>> members(weights.groups());
  for (std::size_t k = 0; k < in_; ++k) members[weights.group(k)].push_back(static_cast<std::uint32_t>(k));
  for (std::size_t g = 0; g < members.size(); ++g) {
    for (std::size_t begin = 0; begin < members[g].size(); begin += kMaxBlockRows) {
      const std::size_t end = std::min(begin + kMaxBlockRows, members[g].size());
      rows_.insert(rows_.end(), members[g].begin() + static_cast<std::ptrdiff_t>(begin),
                   members[g].begin() + static_cast<std::ptrdiff_t>(end));
      rows_.resize((rows_.size() + step_rows() - 1) / step_rows() * step_rows(), kPadding);
      block_ends_.push_back(steps());
      block_groups_.push_back(g);
    }
  }
  for (std::size_t r = 0; r < rows_.size(); ++r) in_order_ = in_order_ && rows_[r] == r;
}

void PanelMatrix::allocate(bool symmetric, WeightArena& arena) {
  const auto lines = [](std::size_t size) { return (size + kStepBytes - 1) / kStepBytes * kStepBytes; };
  const std::size_t lanes = panels() * blocks() * kPanelColumns;
  const std::size_t code_bytes = panels() * panel_bytes();
  const std::size_t scale_bytes = lines(lanes * sizeof(half_bits));
  bytes_ = code_bytes + scale_bytes + (symmetric ? 0 : lines(lanes));
  memory_ = arena.allocate(bytes_);
  codes_ = reinterpret_cast<std::uint8_t*>(memory_.get());
  scales_ = reinterpret_cast<half_bits*>(codes_ + code_bytes);
  if (!symmetric) zeros_ = codes_ + code_bytes + scale_bytes;
}

void PanelMatrix::fill_panel(std::span<const GptqMatrix> parts, std::size_t panel) {
  const std::size_t begin = panel * kPanelColumns;
  std::size_t part_begin = 0;
  for (const GptqMatrix& part : parts) {  // a panel may lie across the seam of two parts
    const std::size_t first = std::max(begin, part_begin);
    const std::size_t last = std::min(begin + kPanelColumns, part_begin + part.out());
    if (first < last) fill_lanes(part, first - part_begin, last - first, panel, first - begin);
    part_begin += part.out();
  }
}

void PanelMatrix::fill_lanes(const GptqMatrix& weights, std::size_t first, std::size_t count, std::size_t panel,
                             std::size_t lane) {
  fill_codes(weights, first, count, codes_ + panel * panel_bytes() + lane * 4);
  for (std::size_t b = 0; b < blocks(); ++b) {
    const std::size_t at = (panel * blocks() + b) * kPanelColumns + lane;
    for (std::size_t i = 0; i < count; ++i) {
      scales_[at + i] = weights.scale_bits(block_groups_[b], first + i);
      if (zeros_ != nullptr) zeros_[at + i] = static_cast<std::uint8_t>(weights.zero(block_groups_[b], first + i));
    }
  }
}

void PanelMatrix::fill_codes(const GptqMatrix& weights, std::size_t first, std::size_t count, std::uint8_t* to) const {
  const std::uint32_t mask = (1U << bits_) - 1;
  for (std::size_t step = 0; step < steps(); ++step, to += kStepBytes) {
    std::uint32_t lanes[kPanelColumns]{};
    for (std::size_t j = 0; j < step_rows(); ++j) {
      const std::uint32_t row = rows_[step * step_rows() + j];
      if (row == kPadding) continue;
      const std::uint32_t* words = weights.word_row(row) + first;
      const unsigned from = weights.code_shift(row);
      const unsigned at = lane_shift(bits_, j);
      for (std::size_t i = 0; i < count; ++i) lanes[i] |= (words[i] >> from & mask) << at;
    }
    for (std::size_t i = 0; i < count; ++i) {  // byte by byte: byte j is byte j whatever the machine's order
      for (std::size_t byte = 0; byte < 4; ++byte) to[4 * i + byte] = static_cast<std::uint8_t>(lanes[i] >> 8 * byte);
    }
  }
}

}  // namespace kernels
