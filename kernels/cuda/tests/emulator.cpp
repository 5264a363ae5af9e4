// Tensor-core products in double from the documented fragments (fragments.hpp).
#include "kernels/cuda/tests/emulator.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/cuda/fragments.hpp"

#if defined(__x86_64__)
// What a called function must keep is pushed, the stacks are exchanged, what the other kept is popped.
asm(R"(
.text
.globl plumbline_switch_stack
.type plumbline_switch_stack, @function
plumbline_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size plumbline_switch_stack, .-plumbline_switch_stack
)");
#endif

namespace kernels::simt {
namespace {

[[noreturn]] void refuse(const char* what) {
  std::fprintf(stderr, "emulator: %s\n", what);
  std::abort();
}

struct ShuffleArgs {
  std::uint32_t value;
  unsigned lane;
  std::uint32_t result;
};
struct MmaArgs {
  float* d;
  const std::uint32_t* a;
  std::uint32_t b[2];
};
struct MatrixArgs {
  std::uint32_t* to;
  const void* row;
};

float half_of(std::uint32_t word, unsigned h) {
  return to_float(static_cast<half_bits>(word >> 16U * h & 0xFFFFU));
}

}  // namespace

void Emulator::run(const Launch& launch, const std::function<void()>& kernel) {
  if (launch.threads == 0 || launch.threads % kLanes != 0 || launch.threads > 1024) refuse("not whole warps");
  launch_ = launch;
  kernel_ = &kernel;
  if (lanes_.size() < launch.threads) lanes_.resize(launch.threads);
  std::vector<unsigned> order(launch.blocks);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::shuffle(order, random_);
  Emulation* const outer = emulation;
  emulation = this;
  for (const unsigned block : order) {
    block_ = block;
    run_block();
  }
  emulation = outer;
}

void Emulator::run_block() {
  // Sized exactly and aligned: an address sanitizer sees every byte beyond.
  const std::size_t bytes = (launch_.shared_bytes + 127) / 128 * 128;
  shared_ = {static_cast<unsigned char*>(bytes == 0 ? nullptr : std::aligned_alloc(128, bytes)), std::free};
  if (bytes > 0) std::memset(shared_.get(), 0xFF, bytes);
  warps_.assign(launch_.threads / kLanes, {});
  at_barrier_ = done_ = 0;
  barrier_any_ = false;
  std::vector<unsigned> order(launch_.threads);
  std::iota(order.begin(), order.end(), 0U);
  for (unsigned i = 0; i < launch_.threads; ++i) {
    Lane& lane = lanes_[i];
    lane.done = lane.blocked = false;
    lane.groups.assign(1, {});
    lane.fiber.prepare(&Emulator::enter);
  }
  while (done_ < launch_.threads) {
    std::ranges::shuffle(order, random_);
    bool moved = false;
    for (const unsigned i : order) {
      if (lanes_[i].done || lanes_[i].blocked) continue;
      moved = true;
      current_ = i;
      switch_fiber(scheduler_, lanes_[i].fiber.context);
    }
    if (!moved) refuse("threads wait for others that will not come: a barrier or collective not reached by all");
  }
}

void Emulator::enter() {
  auto& self = static_cast<Emulator&>(*emulation);
  (*self.kernel_)();
  Lane& lane = self.lanes_[self.current_];
  lane.done = true;
  ++self.done_;
  // Threads that have returned do not hold up a barrier, as on a GPU.
  if (self.at_barrier_ > 0 && self.at_barrier_ + self.done_ == self.launch_.threads) {
    refuse("a thread returned while others wait at a barrier");
  }
  switch_fiber(lane.fiber.context, self.scheduler_);
}

void Emulator::yield() {
  Lane& lane = lanes_[current_];
  lane.blocked = true;
  switch_fiber(lane.fiber.context, scheduler_);
}

bool Emulator::sync_threads_or(bool value) {
  barrier_any_ = barrier_any_ || value;
  if (++at_barrier_ < launch_.threads) {
    yield();
  } else {
    at_barrier_ = 0;
    barrier_result_ = barrier_any_;
    barrier_any_ = false;
    for (unsigned i = 0; i < launch_.threads; ++i) lanes_[i].blocked = false;
  }
  return barrier_result_;
}

void Emulator::meet(Collective kind, void* argument, void (*all)(const Lane* lanes)) {
  Warp& warp = warps_[current_ / kLanes];
  if (warp.arrived > 0 && warp.kind != kind) refuse("lanes of a warp are at different collectives");
  warp.kind = kind;
  lanes_[current_].argument = argument;
  Lane* const lanes = &lanes_[current_ / kLanes * kLanes];
  if (++warp.arrived < kLanes) {
    yield();
    return;
  }
  warp.arrived = 0;
  if (all != nullptr) all(lanes);
  for (unsigned i = 0; i < kLanes; ++i) lanes[i].blocked = false;
}

void Emulator::sync_warp() {
  meet(Collective::sync, nullptr, nullptr);
}

std::uint32_t Emulator::shuffle(std::uint32_t value, unsigned lane) {
  if (lane >= kLanes) refuse("a shuffle names a lane beyond the warp");
  ShuffleArgs mine{value, lane, 0};
  meet(Collective::shuffle, &mine, [](const Lane* lanes) {
    for (unsigned i = 0; i < kLanes; ++i) {
      auto& one = *static_cast<ShuffleArgs*>(lanes[i].argument);
      one.result = static_cast<const ShuffleArgs*>(lanes[one.lane].argument)->value;
    }
  });
  return mine.result;
}

void Emulator::mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  MmaArgs mine{d, a, {b0, b1}};
  meet(Collective::mma, &mine, [](const Lane* lanes) {
    float left[16][16];
    float right[16][8];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const auto& args = *static_cast<const MmaArgs*>(lanes[lane].argument);
      for (unsigned h = 0; h < 2; ++h) {
        for (unsigned r = 0; r < 4; ++r) {
          const auto [row, col] = cuda::a_place(lane, r, h);
          left[row][col] = half_of(args.a[r], h);
        }
        for (unsigned r = 0; r < 2; ++r) {
          const auto [row, col] = cuda::b_place(lane, r, h);
          right[row][col] = half_of(args.b[r], h);
        }
      }
    }
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const auto& args = *static_cast<const MmaArgs*>(lanes[lane].argument);
      for (unsigned i = 0; i < 4; ++i) {
        const auto [row, col] = cuda::c_place(lane, i);
        double sum = args.d[i];
        for (unsigned k = 0; k < 16; ++k) sum += static_cast<double>(left[row][k]) * right[k][col];
        args.d[i] = static_cast<float>(sum);
      }
    }
  });
}

void Emulator::ldmatrix(std::uint32_t (&to)[4], const void* row) {
  MatrixArgs mine{to, row};
  meet(Collective::ldmatrix, &mine, [](const Lane* lanes) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (unsigned matrix = 0; matrix < 4; ++matrix) {
        const auto& from = *static_cast<const MatrixArgs*>(lanes[matrix * 8 + lane / 4].argument);
        if (reinterpret_cast<std::uintptr_t>(from.row) % 16 != 0) refuse("ldmatrix of an unaligned row");
        std::memcpy(&static_cast<MatrixArgs*>(lanes[lane].argument)->to[matrix],
                    static_cast<const unsigned char*>(from.row) + lane % 4 * 4, 4);
      }
    }
  });
}

void Emulator::ldmatrix_transposed(std::uint32_t (&to)[4], const void* row) {
  MatrixArgs mine{to, row};
  meet(Collective::ldmatrix_transposed, &mine, [](const Lane* lanes) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (unsigned matrix = 0; matrix < 4; ++matrix) {
        std::uint32_t word = 0;
        for (unsigned h = 0; h < 2; ++h) {
          const auto& from = *static_cast<const MatrixArgs*>(lanes[matrix * 8 + lane % 4 * 2 + h].argument);
          if (reinterpret_cast<std::uintptr_t>(from.row) % 16 != 0) refuse("ldmatrix of an unaligned row");
          half_bits half = 0;
          std::memcpy(&half, static_cast<const unsigned char*>(from.row) + lane / 4 * 2, 2);
          word |= std::uint32_t{half} << 16U * h;
        }
        static_cast<MatrixArgs*>(lanes[lane].argument)->to[matrix] = word;
      }
    }
  });
}

void Emulator::copy_async(void* shared, const void* global) {
  const auto address = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at); };
  if (address(shared) % 16 != 0 || address(global) % 16 != 0) refuse("an unaligned asynchronous copy");
  const auto offset = address(shared) - address(shared_.get());
  if (offset > launch_.shared_bytes || launch_.shared_bytes - offset < 16) refuse("a copy beyond shared memory");
  std::memset(shared, 0xFF, 16);
  lanes_[current_].groups.back().push_back({shared, global});
}

void Emulator::commit() {
  lanes_[current_].groups.emplace_back();
}

void Emulator::wait(unsigned groups_left) {
  auto& groups = lanes_[current_].groups;
  while (groups.size() > groups_left + 1) {
    for (const Copy& copy : groups.front()) std::memcpy(copy.to, copy.from, 16);
    groups.erase(groups.begin());
  }
}

}  // namespace kernels::simt
