// Must stay naive: no layout, no blocking, no reuse between rows. Its worth is that it is obviously right.
#include "kernels/reference/reference_backend.hpp"

#include <cassert>

namespace kernels {
namespace {

class ReferenceMatrix final : public QuantizedMatrix {
 public:
  explicit ReferenceMatrix(const GptqMatrix& weights) : in_(weights.in()), out_(weights.out()), weights_(in_ * out_) {
    for (std::size_t k = 0; k < in_; ++k) {
      for (std::size_t n = 0; n < out_; ++n) weights_[k * out_ + n] = weights.weight(k, n);
    }
  }
  std::size_t in() const noexcept override { return in_; }
  std::size_t out() const noexcept override { return out_; }
  double weight(std::size_t k, std::size_t n) const noexcept { return weights_[k * out_ + n]; }

 private:
  std::size_t in_;
  std::size_t out_;
  std::vector<float> weights_;
};

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "reference"; }
  bool available() const noexcept override { return true; }

  std::unique_ptr<const QuantizedMatrix> upload(const GptqMatrix& weights) const override {
    return std::make_unique<ReferenceMatrix>(weights);
  }

  void matmul(const QuantizedMatrix& weights, std::span<const float> x, std::size_t rows, std::span<float> y) override {
    const auto& w = dynamic_cast<const ReferenceMatrix&>(weights);
    assert(x.size() == rows * w.in() && y.size() == rows * w.out());
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t n = 0; n < w.out(); ++n) {
        double sum = 0;
        for (std::size_t k = 0; k < w.in(); ++k) sum += x[row * w.in() + k] * w.weight(k, n);
        y[row * w.out() + n] = static_cast<float>(sum);
      }
    }
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace kernels
