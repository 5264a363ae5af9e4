// What waiting threads do for the next product: they fetch the beginning of its weights into their caches, so that
// memory is read while the rest of a step is computed. Which product is next is known from the step before: steps of a
// model multiply the same matrices in the same order. A wrong guess costs some reading and nothing else.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace kernels {

class ReadAhead {
 public:
  /// For threads 0 .. threads - 1.
  explicit ReadAhead(std::size_t threads) : wanted_(threads), fetched_(threads), starts_(threads) {}

  std::size_t threads() const noexcept { return wanted_.size(); }

  /// A product that reads memory begins: thread i at starts[i], each `bytes` in a row. `key` tells it from others.
  /// Called by one thread; from then on `fetch` works for the product that followed this one before, if one did.
  void begin(const void* key, std::span<const std::uint8_t* const> starts, std::size_t bytes);

  /// Asks for a piece more for this thread; whether there was one. Short: a microsecond.
  bool fetch(std::size_t thread) noexcept;

 private:
  struct alignas(64) Wanted {
    std::atomic<const std::uint8_t*> from{nullptr};
    std::atomic<std::size_t> bytes{0};
  };
  struct alignas(64) Fetched {
    const std::uint8_t* from = nullptr;
    std::size_t bytes = 0;
  };
  struct Product {
    std::vector<const std::uint8_t*> starts;
    std::size_t bytes = 0;
  };

  std::vector<Wanted> wanted_;
  std::vector<Fetched> fetched_;  ///< each its thread's own
  std::vector<const std::uint8_t*> starts_;
  std::unordered_map<const void*, Product> after_;  ///< by the product before
  const void* last_ = nullptr;
};

}  // namespace kernels
