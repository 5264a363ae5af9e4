// The hardware interface: what an engine needs of a machine, in terms of matrices. Knows no tokens and no models.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/gptq_format.hpp"

namespace kernels {

/// A weight matrix in a backend's own layout and memory. Used with the backend that made it.
class QuantizedMatrix {
 public:
  virtual ~QuantizedMatrix() = default;
  virtual std::size_t in() const noexcept = 0;
  virtual std::size_t out() const noexcept = 0;
};

/// One kind of hardware. Workspaces live in the object: one thread at a time per object, any number of objects.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Fixed short word: "reference", "cpu-portable", "cpu-avx2".
  virtual std::string_view name() const noexcept = 0;

  /// Whether this machine can run it.
  virtual bool available() const noexcept = 0;

  /// Copies a checked layer into the backend's own layout; the tensors may go afterwards. Codes of 8 bits are for the
  /// reference only: the others assert 4.
  virtual std::unique_ptr<const QuantizedMatrix> upload(const GptqMatrix& weights) const = 0;

  /// y = x · W. x is [rows][in], y is [rows][out], both row-major float; `weights` is one of this backend's uploads.
  /// Sums in float or better; sizes are asserted.
  virtual void matmul(const QuantizedMatrix& weights, std::span<const float> x, std::size_t rows,
                      std::span<float> y) = 0;
};

/// Every backend this machine can run, fastest first; never empty, the naive reference is always last.
std::vector<std::unique_ptr<Backend>> available_backends();

}  // namespace kernels
