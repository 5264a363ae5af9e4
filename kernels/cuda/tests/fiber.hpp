// A stack of its own to run on, and the switch between two: a few instructions where the processor is known, ucontext
// (with two system calls) elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace kernels::simt {

/// Where a suspended flow of control goes on.
struct FiberContext {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t context{};
#endif
};

#if defined(__x86_64__)
extern "C" void plumbline_switch_stack(void** save, void* load);
#endif

inline void switch_fiber(FiberContext& from, FiberContext& to) {
#if defined(__x86_64__)
  plumbline_switch_stack(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.context, &to.context);
#endif
}

class Fiber {
 public:
  /// The next switch to it calls `entry`, which must never return.
  void prepare(void (*entry)()) {
    if (stack_ == nullptr) stack_ = std::make_unique<std::byte[]>(kBytes);
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(stack_.get(), kBytes);  // frames that were left for good
#endif
#if defined(__x86_64__)
    const auto end = reinterpret_cast<std::uintptr_t>(stack_.get() + kBytes) / 16 * 16;
    auto* const top = reinterpret_cast<void**>(end) - 8;
    for (int i = 0; i < 6; ++i) top[i] = nullptr;  // saved registers
    top[6] = reinterpret_cast<void*>(entry);       // where the switch returns to
    top[7] = nullptr;                              // a return address, which is what a function is called with
    context.stack_pointer = top;
#else
    getcontext(&context.context);
    context.context.uc_stack.ss_sp = stack_.get();
    context.context.uc_stack.ss_size = kBytes;
    makecontext(&context.context, entry, 0);
#endif
  }

  FiberContext context;

 private:
  static constexpr std::size_t kBytes = 64 * 1024;
  std::unique_ptr<std::byte[]> stack_;
};

}  // namespace kernels::simt
