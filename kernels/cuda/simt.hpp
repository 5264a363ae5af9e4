// What a kernel asks of the machine, one lane at a time: places, barriers, shuffles, tensor-core products, asynchronous
// copies. On a GPU each is an instruction or two; on a host the emulator of the tests answers, so that whole kernels
// run there, lane by lane.
//
// Everything is one-dimensional: threads of a block, blocks of a grid. Warps are full: 32 lanes call a collective
// together. Needs compute capability 8.0 and nothing newer than CUDA 12.2.
#pragma once

#include <cstdint>

#include "kernels/cuda/numbers.hpp"

namespace kernels::simt {

inline constexpr unsigned kLanes = 32;

/// Sixteen bytes: the widest load of a lane.
struct alignas(16) Vec4 {
  std::uint32_t word[4];
};
struct alignas(16) Float4 {
  float at[4];
};

#if !PLUMBLINE_ON_GPU
/// What the emulator does for the lane that runs. Null outside a kernel.
class Emulation {
 public:
  virtual ~Emulation() = default;
  virtual unsigned thread() const = 0;
  virtual unsigned threads() const = 0;
  virtual unsigned block() const = 0;
  virtual unsigned blocks() const = 0;
  virtual void* shared() const = 0;
  virtual bool sync_threads_or(bool value) = 0;
  virtual void sync_warp() = 0;
  virtual std::uint32_t shuffle(std::uint32_t value, unsigned lane) = 0;
  virtual void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) = 0;
  virtual void ldmatrix(std::uint32_t (&to)[4], const void* row) = 0;
  virtual void ldmatrix_transposed(std::uint32_t (&to)[4], const void* row) = 0;
  virtual void copy_async(void* shared, const void* global) = 0;
  virtual void commit() = 0;
  virtual void wait(unsigned groups_left) = 0;
};
inline thread_local Emulation* emulation = nullptr;
#endif

// ---- places ----

PLUMBLINE_KERNEL unsigned thread_index() {
#if PLUMBLINE_ON_GPU
  return threadIdx.x;
#else
  return emulation->thread();
#endif
}
PLUMBLINE_KERNEL unsigned thread_count() {
#if PLUMBLINE_ON_GPU
  return blockDim.x;
#else
  return emulation->threads();
#endif
}
PLUMBLINE_KERNEL unsigned block_index() {
#if PLUMBLINE_ON_GPU
  return blockIdx.x;
#else
  return emulation->block();
#endif
}
PLUMBLINE_KERNEL unsigned block_count() {
#if PLUMBLINE_ON_GPU
  return gridDim.x;
#else
  return emulation->blocks();
#endif
}
/// The block's shared memory, aligned to 128 bytes; as much as the launch asked for.
PLUMBLINE_KERNEL unsigned char* shared_memory() {
#if PLUMBLINE_ON_GPU
  extern __shared__ __align__(128) unsigned char plumbline_shared[];
  return plumbline_shared;
#else
  return static_cast<unsigned char*>(emulation->shared());
#endif
}

// ---- barriers ----

/// Waits for all threads of the block; gives whether any brought true.
PLUMBLINE_KERNEL bool sync_threads_or(bool value) {
#if PLUMBLINE_ON_GPU
  return __syncthreads_or(value ? 1 : 0) != 0;
#else
  return emulation->sync_threads_or(value);
#endif
}
PLUMBLINE_KERNEL void sync_threads() {
#if PLUMBLINE_ON_GPU
  __syncthreads();
#else
  emulation->sync_threads_or(false);
#endif
}
PLUMBLINE_KERNEL void sync_warp() {
#if PLUMBLINE_ON_GPU
  __syncwarp();
#else
  emulation->sync_warp();
#endif
}
/// Writes before it are seen by other blocks before writes after it.
PLUMBLINE_KERNEL void fence() {
#if PLUMBLINE_ON_GPU
  __threadfence();
#endif
}
/// Adds and gives what was there before. In global or shared memory.
PLUMBLINE_KERNEL std::uint32_t atomic_add(std::uint32_t* at, std::uint32_t value) {
#if PLUMBLINE_ON_GPU
  return atomicAdd(at, value);
#else
  const std::uint32_t before = *at;
  *at += value;
  return before;
#endif
}
PLUMBLINE_KERNEL std::uint64_t atomic_add(std::uint64_t* at, std::uint64_t value) {
#if PLUMBLINE_ON_GPU
  return atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
#else
  const std::uint64_t before = *at;
  *at += value;
  return before;
#endif
}

/// Waits for the kernels before this one, which may have let it begin early (LaunchOverlap), and lets the one after it
/// begin. Before it a kernel reads nothing that the kernel right before writes, and writes nothing.
PLUMBLINE_KERNEL void wait_for_earlier_kernels() {
#if PLUMBLINE_ON_GPU
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
#endif
}

// ---- shuffles ----

/// The value of another lane of the warp.
PLUMBLINE_KERNEL std::uint32_t shuffle(std::uint32_t value, unsigned lane) {
#if PLUMBLINE_ON_GPU
  return __shfl_sync(0xFFFFFFFFU, value, static_cast<int>(lane));
#else
  return emulation->shuffle(value, lane);
#endif
}
PLUMBLINE_KERNEL std::uint64_t shuffle(std::uint64_t value, unsigned lane) {
  const std::uint32_t low = shuffle(static_cast<std::uint32_t>(value), lane);
  return std::uint64_t{shuffle(static_cast<std::uint32_t>(value >> 32U), lane)} << 32U | low;
}
PLUMBLINE_KERNEL float shuffle(float value, unsigned lane) {
  return float_of(shuffle(float_bits(value), lane));
}
/// The sum over the warp, the same bits in every lane.
PLUMBLINE_KERNEL float warp_sum(float value) {
  PLUMBLINE_UNROLL
  for (unsigned step = kLanes / 2; step > 0; step /= 2) value += shuffle(value, (thread_index() % kLanes) ^ step);
  return value;
}
PLUMBLINE_KERNEL float warp_max(float value) {
  PLUMBLINE_UNROLL
  for (unsigned step = kLanes / 2; step > 0; step /= 2) {
    value = fmaxf(value, shuffle(value, (thread_index() % kLanes) ^ step));
  }
  return value;
}

// ---- tensor cores ----

/// D += A * B: A is 16x16, B 16x8, D 16x8, in the fragments of fragments.hpp; halves in, float sums.
PLUMBLINE_KERNEL void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
#if PLUMBLINE_ON_GPU
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  emulation->mma(d, a, b0, b1);
#endif
}
/// Four 8x8 matrices of halves from shared memory: lane l gives the address of row l % 8 of matrix l / 8 (16 bytes) and
/// receives of each matrix the halves 2 * (l % 4) and one more of row l / 4.
PLUMBLINE_KERNEL void ldmatrix(std::uint32_t (&to)[4], const void* row) {
#if PLUMBLINE_ON_GPU
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
#else
  emulation->ldmatrix(to, row);
#endif
}
/// The same, each matrix transposed: a lane receives of each matrix the halves l / 4 of rows 2 * (l % 4) and one more.
PLUMBLINE_KERNEL void ldmatrix_transposed(std::uint32_t (&to)[4], const void* row) {
#if PLUMBLINE_ON_GPU
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
#else
  emulation->ldmatrix_transposed(to, row);
#endif
}

// ---- memory ----

/// Copies 16 bytes to shared memory behind the caller: there after `wait` and, for other threads, a barrier.
PLUMBLINE_KERNEL void copy_async(void* shared, const void* global) {
#if PLUMBLINE_ON_GPU
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(to), "l"(global) : "memory");
#else
  emulation->copy_async(shared, global);
#endif
}
/// The same for what is read once: the L2 cache gives it up first.
PLUMBLINE_KERNEL void copy_async_once(void* shared, const void* global) {
#if PLUMBLINE_ON_GPU
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile(
      "{\n"
      "  .reg .b64 policy;\n"
      "  createpolicy.fractional.L2::evict_first.b64 policy, 1.0;\n"
      "  cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, policy;\n"
      "}\n" ::"r"(to),
      "l"(global)
      : "memory");
#else
  emulation->copy_async(shared, global);
#endif
}
/// Ends a group of this thread's copies.
PLUMBLINE_KERNEL void commit_copies() {
#if PLUMBLINE_ON_GPU
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#else
  emulation->commit();
#endif
}
/// Waits until at most Left of this thread's groups, the youngest, are under way.
template <int Left>
PLUMBLINE_KERNEL void wait_copies() {
#if PLUMBLINE_ON_GPU
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Left) : "memory");
#else
  emulation->wait(Left);
#endif
}
/// Reads what another block of this grid wrote: past the first-level cache, which does not see it.
PLUMBLINE_KERNEL Float4 load_shared_by_blocks(const Float4* at) {
#if PLUMBLINE_ON_GPU
  const float4 value = __ldcg(reinterpret_cast<const float4*>(at));
  return {{value.x, value.y, value.z, value.w}};
#else
  return *at;
#endif
}

}  // namespace kernels::simt
