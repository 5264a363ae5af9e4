// Plain weights as checkpoints hold them: a non-owning view, checked by size. Knows nothing of files or backends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kernels/bf16.hpp"
#include "kernels/fp16.hpp"

namespace kernels {

enum class DenseType : std::uint8_t {
  f32,
  f16,   ///< IEEE 754 binary16
  bf16,  ///< the upper half of a float
};

/// Bytes of one element.
constexpr std::size_t dense_size(DenseType type) noexcept {
  return type == DenseType::f32 ? 4 : 2;
}

/// A linear layer or an embedding table, [out][in] row-major (the order of PyTorch), little-endian:
/// y[n] = sum over k of x[k] * W[n][k]. `data.size()` is out * in * dense_size(type), aligned to the element.
struct DenseMatrix {
  std::span<const std::byte> data;
  std::size_t out = 0;
  std::size_t in = 0;
  DenseType type = DenseType::f32;
  /// Keeps `data` alive. With an owner a backend may use the data in place for as long as it holds on to it (a mapped
  /// file is then the only copy); without one it copies.
  std::shared_ptr<const void> owner = nullptr;

  /// Row n, column k as a float: exact.
  float at(std::size_t n, std::size_t k) const noexcept {
    const std::byte* element = data.data() + (n * in + k) * dense_size(type);
    if (type == DenseType::f32) return load<float>(element);
    const auto bits = load<std::uint16_t>(element);
    return type == DenseType::f16 ? to_float(bits) : bf16_to_float(bits);
  }

 private:
  template <class T>
  static T load(const std::byte* from) noexcept {
    T value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
  }
};

}  // namespace kernels
