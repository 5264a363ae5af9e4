// Rotation of queries and keys, and the write of keys and values into pages.
#pragma once

#include "kernels/cuda/kv_pages.hpp"
#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

struct RopeArgs {
  DeviceRows q;
  DeviceRows k;
  DeviceRows v;
  const float* cosines;       ///< [rows][dim / 2]
  const float* sines;         ///< [rows][dim / 2]
  const std::int32_t* block;  ///< [rows]: where each row's token lies
  const std::int32_t* slot;   ///< [rows]
  KvPagesView cache;
  std::uint32_t layer;
  std::uint32_t heads;
};

/// Rotates q and k, writes k and v into the pages. One block per row, one warp per head.
struct RopeKernel : RowKernel {
  using Args = RopeArgs;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const unsigned row = simt::block_index();
    const std::uint32_t dim = args.cache.dim;
    const std::uint32_t kv_heads = args.cache.kv_heads;
    for (unsigned unit = simt::thread_index() / simt::kLanes; unit < args.heads + 2 * kv_heads;
         unit += kThreads / simt::kLanes) {
      if (unit < args.heads) {
        rotate(args, row, args.q.data + row * args.q.stride + std::size_t{unit} * dim);
      } else if (unit < args.heads + kv_heads) {
        const unsigned head = unit - args.heads;
        float* const k = args.k.data + row * args.k.stride + std::size_t{head} * dim;
        rotate(args, row, k);
        store(args, row, head, 0, k);
      } else {
        const unsigned head = unit - args.heads - kv_heads;
        store(args, row, head, 1, args.v.data + row * args.v.stride + std::size_t{head} * dim);
      }
    }
  }

 private:
  /// A lane has the pairs lane, lane + 32, ... and what it writes it alone reads again in `store`.
  static PLUMBLINE_KERNEL void rotate(const Args& args, unsigned row, float* head) {
    const std::uint32_t half = args.cache.dim / 2;
    for (std::uint32_t i = simt::thread_index() % simt::kLanes; i < half; i += simt::kLanes) {
      const float cosine = args.cosines[std::size_t{row} * half + i];
      const float sine = args.sines[std::size_t{row} * half + i];
      const float a = head[i];
      const float b = head[half + i];
      head[i] = simt::fused(a, cosine, -(b * sine));
      head[half + i] = simt::fused(b, cosine, a * sine);
    }
  }
  static PLUMBLINE_KERNEL void store(const Args& args, unsigned row, unsigned head, unsigned part, const float* from) {
    const KvPagesView& cache = args.cache;
    const std::size_t token = cache.token(args.layer, static_cast<std::size_t>(args.block[row]), head, part,
                                          static_cast<std::size_t>(args.slot[row]));
    const std::uint32_t half = cache.dim / 2;
    const unsigned lane = simt::thread_index() % simt::kLanes;
    ByteScale scale{};
    if (cache.type == KvType::int8) {
      float greatest = -INFINITY;
      float least_negated = -INFINITY;
      for (std::uint32_t i = lane; i < half; i += simt::kLanes) {
        greatest = fmaxf(greatest, fmaxf(from[i], from[half + i]));
        least_negated = fmaxf(least_negated, fmaxf(-from[i], -from[half + i]));
      }
      greatest = simt::warp_max(greatest);
      const float least = -simt::warp_max(least_negated);
      scale = {least, (greatest - least) / 255.0F};
      if (lane == 0) cache.scales[token] = scale;
    }
    for (std::uint32_t i = lane; i < half; i += simt::kLanes) {
      store_kv(cache, token * cache.dim + i, scale, from[i]);
      store_kv(cache, token * cache.dim + half + i, scale, from[half + i]);
    }
  }
};

}  // namespace kernels::cuda
