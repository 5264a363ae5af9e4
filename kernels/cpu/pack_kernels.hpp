// Arranging rows of x for the panel kernels: into the order of the matrix's rows, tile by tile, and for the fast
// kernels rounded to 8 bits block by block.
#pragma once

#include <cstring>

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/simd.hpp"

namespace kernels::PLUMBLINE_SIMD {

/// One block of x in the matrix's order, zero where it pads and up to a multiple of 16: rows begin .. begin + count.
/// Where they lie so already, they stay where they are; otherwise they go to `room`.
inline const float* collect(const PackJob& job, std::size_t begin, std::size_t count, float* room) {
  const std::size_t padded = (count + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
  if (job.matrix.in_order() && padded == count) return job.x + begin;
  const std::uint32_t* rows = job.matrix.rows().data() + begin;
  for (std::size_t i = 0; i < count; ++i) room[i] = rows[i] == PanelMatrix::kPadding ? 0.0F : job.x[rows[i]];
  for (std::size_t i = count; i < padded; ++i) room[i] = 0;
  return room;
}

/// Deals a block out to its steps: `Width` elements each, the row's place among `rows`. A width known here is one move.
template <std::size_t Width, class T>
inline void deal_steps(const PackJob& job, const T* block, std::size_t first_step, std::size_t last_step, T* to) {
  for (std::size_t step = first_step; step < last_step; ++step, block += Width) {
    std::memcpy(to + (step * job.rows + job.row) * Width, block, Width * sizeof *to);
  }
}
template <class T>
inline void deal(const PackJob& job, const T* block, std::size_t first_step, std::size_t last_step, T* to) {
  if (job.matrix.bits() == 8) return deal_steps<4>(job, block, first_step, last_step, to);
  deal_steps<8>(job, block, first_step, last_step, to);
}

inline void pack_exact(const PackJob& job) {
  float room[kMaxBlockRows];
  std::size_t begin = job.matrix.block_begin(job.first_block);
  for (std::size_t b = job.first_block; b < job.last_block; ++b) {
    const std::size_t end = job.matrix.block_ends()[b];
    const std::size_t count = (end - begin) * job.matrix.step_rows();
    const float* block = collect(job, begin * job.matrix.step_rows(), count, room);
    float total = 0;
    for (std::size_t i = 0; i < count; ++i) total += block[i];
    job.to.float_sums[b * job.rows + job.row] = total;
    deal(job, block, begin, end, job.to.floats);
    begin = end;
  }
}

/// Rounds `count` floats (padded with zeros to a multiple of 16) to bytes: x = scale * byte, the greatest magnitude
/// becoming 127. Gives the scale and the sum of the bytes. With an infinity or a NaN in it all bytes are 0 and the
/// scale is NaN, as every product with this block then is.
PLUMBLINE_INLINE float round_block(const float* block, std::size_t count, std::int8_t* to, std::int32_t& total) {
  F32 peak = zero(), nothing = zero();
  for (std::size_t i = 0; i < count; i += kPanelColumns) {
    const F32 values = load(block + i);
    peak = max(peak, magnitude(values));
    nothing = add(nothing, mul(values, zero()));  // 0 while all are finite
  }
  if (sum(nothing) != 0) {
    for (std::size_t i = 0; i < count; i += kPanelColumns) store_i8(to + i, izero());
    total = 0;
    return __builtin_nanf("");
  }
  const float greatest = largest(peak);
  // Below this the inverse would overflow; such a block is zero for every purpose.
  const bool empty = !(greatest > 1e-30F);
  const F32 inverse = set(empty ? 0.0F : 127.0F / greatest);
  I32 sums = izero();
  for (std::size_t i = 0; i < count; i += kPanelColumns) {
    const I32 bytes = to_ints(mul(load(block + i), inverse));
    sums = iadd(sums, bytes);
    store_i8(to + i, bytes);
  }
  total = isum(sums);
  return empty ? 0.0F : greatest / 127.0F;
}

PLUMBLINE_TARGET inline void pack_fast(const PackJob& job) {
  float room[kMaxBlockRows];
  std::int8_t bytes[kMaxBlockRows];
  const std::int32_t middle = job.matrix.zeros(0) == nullptr ? 1 << (job.matrix.bits() - 1) : 1;
  std::size_t begin = job.matrix.block_begin(job.first_block);
  for (std::size_t b = job.first_block; b < job.last_block; ++b) {
    const std::size_t end = job.matrix.block_ends()[b];
    const std::size_t count = (end - begin) * job.matrix.step_rows();
    const float* block = collect(job, begin * job.matrix.step_rows(), count, room);
    const std::size_t padded = (count + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
    std::int32_t total = 0;
    job.to.scales[b * job.rows + job.row] = round_block(block, padded, bytes, total);
    job.to.offsets[b * job.rows + job.row] = -middle * total;
    deal(job, bytes, begin, end, job.to.bytes);
    begin = end;
  }
}

}  // namespace kernels::PLUMBLINE_SIMD
