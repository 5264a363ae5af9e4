// The greatest few of a long row, for sampling: a radix selection over keys that no two elements share, so that the
// result is exact whatever the order of threads.
#pragma once

#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

inline constexpr unsigned kMaxTopK = 1024;

struct TopKArgs {
  DeviceRows x;
  std::uint32_t cols;
  std::uint32_t k;    ///< 1 .. min(cols, kMaxTopK)
  float* values;      ///< [rows][k]
  std::int32_t* ids;  ///< [rows][k]
};

/// One block per row. Greatest first, equal ones by lower index; NaN counts as least.
struct TopKKernel {
  using Args = TopKArgs;
  static constexpr unsigned kThreads = 1024;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kBuckets = 256;
  struct Shared {
    std::uint64_t keys[kMaxTopK];
    std::uint32_t histogram[kBuckets];
    std::uint32_t count;
    std::uint32_t bucket;
    std::uint32_t wanted;
    std::uint32_t exact;
  };
  static constexpr unsigned kSharedBytes = sizeof(Shared);

  static PLUMBLINE_KERNEL void run(const Args& args) {
    auto& shared = *reinterpret_cast<Shared*>(simt::shared_memory());
    const float* const x = args.x.data + simt::block_index() * args.x.stride;
    const std::uint64_t least = find_least(args, x, shared);
    const unsigned size = power_of_2_from(args.k);
    if (simt::thread_index() == 0) shared.count = 0;
    for (unsigned i = simt::thread_index(); i < size; i += kThreads) shared.keys[i] = 0;
    simt::sync_threads();
    for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) {
      const std::uint64_t key = key_of(x[i], i);
      if (key >= least) shared.keys[simt::atomic_add(&shared.count, 1)] = key;
    }
    simt::sync_threads();
    sort(shared.keys, size);
    for (unsigned i = simt::thread_index(); i < args.k; i += kThreads) {
      const std::uint32_t id = ~static_cast<std::uint32_t>(shared.keys[i]);
      args.ids[std::size_t{simt::block_index()} * args.k + i] = static_cast<std::int32_t>(id);
      args.values[std::size_t{simt::block_index()} * args.k + i] = x[id];
    }
  }

  /// Greater for a greater value, and for a lower index of equal ones; the two zeros are equal.
  static PLUMBLINE_KERNEL std::uint64_t key_of(float value, std::uint32_t index) {
    std::uint32_t order = 0;  // NaN
    if (value == value) {
      const std::uint32_t bits = value == 0 ? 0 : simt::float_bits(value);
      order = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    }
    return std::uint64_t{order} << 32U | (~index & 0xFFFFFFFFU);
  }

 private:
  static PLUMBLINE_KERNEL unsigned power_of_2_from(unsigned k) {
    unsigned size = 1;
    while (size < k) size *= 2;
    return size;
  }

  /// A number that exactly k keys are not below: the k-th greatest key, or its leading bytes where those decide.
  static PLUMBLINE_KERNEL std::uint64_t find_least(const Args& args, const float* x, Shared& shared) {
    std::uint64_t prefix = 0;
    std::uint64_t known = 0;  // mask of the bytes that are decided
    std::uint32_t wanted = args.k;
    for (int shift = 56; shift >= 0; shift -= 8) {
      for (unsigned i = simt::thread_index(); i < kBuckets; i += kThreads) shared.histogram[i] = 0;
      simt::sync_threads();
      for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) {
        const std::uint64_t key = key_of(x[i], i);
        if ((key & known) == prefix) simt::atomic_add(&shared.histogram[key >> shift & 0xFFU], 1);
      }
      simt::sync_threads();
      if (simt::thread_index() == 0) {
        std::uint32_t bucket = kBuckets - 1;
        while (shared.histogram[bucket] < wanted) wanted -= shared.histogram[bucket--];
        shared.bucket = bucket;
        shared.wanted = wanted;
        shared.exact = shared.histogram[bucket] == wanted ? 1 : 0;
      }
      simt::sync_threads();
      wanted = shared.wanted;
      prefix |= std::uint64_t{shared.bucket} << shift;
      known |= std::uint64_t{0xFF} << shift;
      if (shared.exact != 0) break;  // thread 0 writes these again two barriers from here at the earliest
    }
    return prefix;
  }

  /// Bitonic, descending; `size` is a power of two.
  static PLUMBLINE_KERNEL void sort(std::uint64_t* keys, unsigned size) {
    for (unsigned run = 2; run <= size; run *= 2) {
      for (unsigned step = run / 2; step > 0; step /= 2) {
        for (unsigned i = simt::thread_index(); i < size; i += kThreads) {
          const unsigned other = i ^ step;
          const bool descending = (i & run) == 0;
          if (other > i && (keys[i] < keys[other]) == descending && keys[i] != keys[other]) {
            const std::uint64_t kept = keys[i];
            keys[i] = keys[other];
            keys[other] = kept;
          }
        }
        simt::sync_threads();
      }
    }
  }
};

}  // namespace kernels::cuda
