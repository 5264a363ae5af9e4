// Arranges the activations once per call, then walks the panels; the arithmetic is in the panel kernels.
#include "kernels/cpu/cpu_backend.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

#include "kernels/cpu/panel_kernel.hpp"

namespace kernels {
namespace {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(CpuIsa isa)
      : name_(isa == CpuIsa::avx2 ? "cpu-avx2" : "cpu-portable"),
        kernel_(isa == CpuIsa::avx2 ? find_panel_kernel_avx2() : multiply_panel_portable) {}

  std::string_view name() const noexcept override { return name_; }
  bool available() const noexcept override { return kernel_ != nullptr; }

  std::unique_ptr<const QuantizedMatrix> upload(const GptqMatrix& weights) const override {
    return std::make_unique<PanelMatrix>(weights);
  }

  void matmul(const QuantizedMatrix& weights, std::span<const float> x, std::size_t rows, std::span<float> y) override {
    const auto& matrix = dynamic_cast<const PanelMatrix&>(weights);
    assert(available() && x.size() == rows * matrix.in() && y.size() == rows * matrix.out());
    for (std::size_t row = 0; row < rows; row += kTileRows) {
      const std::size_t tile = std::min(kTileRows, rows - row);
      arrange(matrix, x.subspan(row * matrix.in(), tile * matrix.in()), tile);
      for (std::size_t panel = 0; panel < matrix.panels(); ++panel) {
        kernel_(PanelTile{matrix, panel, tile, x_.data(), sums_.data(), y_.data()});
        store(matrix, panel, tile, y.subspan(row * matrix.out(), tile * matrix.out()));
      }
    }
  }

 private:
  void arrange(const PanelMatrix& matrix, std::span<const float> x, std::size_t rows) {
    const std::size_t stride = matrix.word_rows() * kCodesPerWord;
    x_.resize(rows * stride);
    sums_.clear();
    for (std::size_t row = 0; row < rows; ++row) {
      const std::span<float> to(x_.data() + row * stride, stride);
      matrix.arrange(x.subspan(row * matrix.in(), matrix.in()), to);
      std::size_t begin = 0;
      for (const std::size_t end : matrix.group_ends()) {
        const auto group = to.subspan(begin * kCodesPerWord, (end - begin) * kCodesPerWord);
        sums_.push_back(std::accumulate(group.begin(), group.end(), 0.0F));
        begin = end;
      }
    }
  }

  void store(const PanelMatrix& matrix, std::size_t panel, std::size_t rows, std::span<float> y) const {
    const std::size_t first = panel * kPanelColumns;
    const std::size_t columns = std::min(kPanelColumns, matrix.out() - first);
    for (std::size_t row = 0; row < rows; ++row) {
      std::copy_n(y_.data() + row * kPanelColumns, columns, y.data() + row * matrix.out() + first);
    }
  }

  std::string_view name_;
  PanelKernel kernel_;
  std::vector<float> x_;     // workspace: one tile of arranged activations
  std::vector<float> sums_;  // workspace: their sums per group
  std::array<float, kTileRows * kPanelColumns> y_{};
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(CpuIsa isa) {
  return std::make_unique<CpuBackend>(isa);
}

}  // namespace kernels
