// Runs kernels on the host: a block is as many fibers as it has threads, each running the kernel's own code, switched
// at barriers and collectives in an order that a seed shuffles. Blocks run one after another, in shuffled order too.
//
// Stricter than a GPU where that finds mistakes: an asynchronous copy fills its target with NaNs and delivers when it
// is waited for, and no earlier; shared memory begins as NaNs and ends where the launch said; lanes that meet at
// different collectives, and barriers that some threads never reach, stop the program with a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "kernels/cuda/simt.hpp"
#include "kernels/cuda/tests/fiber.hpp"

namespace kernels::simt {

struct Launch {
  unsigned blocks = 1;
  unsigned threads = kLanes;  ///< of a block; whole warps
  std::size_t shared_bytes = 0;
};

class Emulator final : public Emulation {
 public:
  explicit Emulator(unsigned seed = 1) : random_(seed) {}
  /// Runs `kernel` once per thread of the grid. Returns when all have returned.
  void run(const Launch& launch, const std::function<void()>& kernel);

  unsigned thread() const override { return current_; }
  unsigned threads() const override { return launch_.threads; }
  unsigned block() const override { return block_; }
  unsigned blocks() const override { return launch_.blocks; }
  void* shared() const override { return shared_.get(); }
  bool sync_threads_or(bool value) override;
  void sync_warp() override;
  std::uint32_t shuffle(std::uint32_t value, unsigned lane) override;
  void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) override;
  void ldmatrix(std::uint32_t (&to)[4], const void* row) override;
  void ldmatrix_transposed(std::uint32_t (&to)[4], const void* row) override;
  void copy_async(void* shared, const void* global) override;
  void commit() override;
  void wait(unsigned groups_left) override;

 private:
  enum class Collective : std::uint8_t { none, sync, shuffle, mma, ldmatrix, ldmatrix_transposed };
  struct Copy {
    void* to;
    const void* from;
  };
  struct Lane {
    Fiber fiber;
    bool done;
    bool blocked;
    void* argument;                         ///< of the collective it waits in
    std::vector<std::vector<Copy>> groups;  ///< of copies, oldest first; the last one is open
  };
  struct Warp {
    unsigned arrived = 0;
    Collective kind = Collective::none;
  };

  static void enter();
  void run_block();
  void yield();
  /// The last lane to come runs `all` for the warp; every lane goes on after that.
  void meet(Collective kind, void* argument, void (*all)(const Lane* lanes));

  Launch launch_;
  const std::function<void()>* kernel_ = nullptr;
  std::vector<Lane> lanes_;
  std::vector<Warp> warps_;
  std::unique_ptr<unsigned char, void (*)(void*)> shared_{nullptr, nullptr};
  FiberContext scheduler_;
  unsigned current_ = 0;
  unsigned block_ = 0;
  unsigned at_barrier_ = 0;
  unsigned done_ = 0;
  bool barrier_any_ = false;
  bool barrier_result_ = false;
  std::mt19937 random_;
};

}  // namespace kernels::simt
