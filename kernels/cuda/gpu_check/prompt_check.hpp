// Products of whole prompts: the wide kernel, cuBLAS over expanded chunks, and beside them what cuBLAS reaches with
// plain bfloat16 weights of the same shape.
#pragma once

#include "kernels/cuda/gpu_check/product_check.hpp"

namespace kernels::gpu_check {

class PromptCheck {
 public:
  PromptCheck(Meter& meter, const ModelShape& model) : meter_(meter), model_(model) {}

  void run() {
    for (const Shape& shape : shapes(model_)) {
      const std::string name = fmt::format("{} {} {}x{}", model_.name, shape.name, shape.in, shape.out);
      if (meter_.has_time(name + ", prompts")) measure(shape, name);
    }
  }

 private:
  void measure(const Shape& shape, const std::string& name) {
    const GptqPacked packed = bench::random_layer(shape.in, shape.out, shape.bits);
    const auto matrix = *make_gptq_matrix(packed.tensors(), 128);
    const std::vector<std::size_t> counts =
        meter_.emulated() ? std::vector<std::size_t>{5} : std::vector<std::size_t>{512, 2048};
    const auto fused = meter_.backend({.precision = Precision::fast});
    const auto wide = meter_.backend({.precision = Precision::fast, .wide_rows = 1});
    const auto library = meter_.backend({.precision = Precision::fast, .library_rows = 1});
    const auto weights = fused->upload(matrix);
    const auto x = fused->make_buffer(counts.back() * shape.in);
    const auto y = fused->make_buffer(counts.back() * shape.out);
    Meter::fill(*fused, rows_of(*x, counts.back(), shape.in));
    for (const std::size_t rows : counts) {
      const Rows inputs = rows_of(*x, rows, shape.in);
      const Rows outputs = rows_of(*y, rows, shape.out);
      const std::string what = fmt::format("{}, {} rows", name, rows);
      const double flops = 2.0 * static_cast<double>(rows * shape.in * shape.out);
      const auto one = [&](const char* how, Backend& by) {
        const auto work = [&] { by.matmul(*weights, inputs, outputs); };
        work();
        verify(by, matrix, inputs, outputs, 2e-3);
        // Long kernels, and a library that may not like to be recorded.
        const double time = meter_.seconds(work, Dispatch::launches);
        add(what + how, flops, time);
        return time;
      };
      one(", steps of 64", *fused);
      meter_.report().goals().multiplied_prompt(what, one(", blocks of 128", *wide));
      if (!baseline(shape, rows, what, flops)) continue;
      meter_.report().goals().multiplied_prompt(what, one(", expanded for cuBLAS", *library));
    }
  }
  /// False where there is no cuBLAS.
  bool baseline(const Shape& shape, std::size_t rows, const std::string& what, double flops) {
    std::vector<std::uint16_t> values(std::max(shape.out, rows) * shape.in);
    std::uint32_t state = 1;
    for (std::uint16_t& value : values) {
      state = state * 1664525U + 1013904223U;
      value = simt::float_to_bf16(static_cast<float>(state >> 8U) * 0x1p-23F - 1.0F);
    }
    const auto& device = meter_.shared_device();
    const cuda::DeviceArray<std::uint16_t> w(device,
                                             std::span<const std::uint16_t>(values).first(shape.out * shape.in));
    const cuda::DeviceArray<std::uint16_t> x(device, std::span<const std::uint16_t>(values).first(rows * shape.in));
    const cuda::DeviceArray<std::uint16_t> y(device, rows * shape.out);
    const auto work = [&] { return device->library_bf16(w.data(), x.data(), y.data(), shape.out, shape.in, rows); };
    if (!work()) {
      meter_.report().skip(what + ", cuBLAS bfloat16 (no libcublas.so.13 or .12 on this machine)");
      return false;
    }
    std::uint16_t last = 0;
    device->copy_out(&last, y.data() + rows * shape.out - 1, sizeof last);
    const auto wide = [](std::uint16_t bits) { return double{simt::float_of(std::uint32_t{bits} << 16U)}; };
    double sum = 0;
    for (std::size_t k = 0; k < shape.in; ++k) {
      sum += wide(values[(rows - 1) * shape.in + k]) * wide(values[(shape.out - 1) * shape.in + k]);
    }
    // The result is rounded to 8 bits; sums are of random signs.
    if (!(std::abs(wide(last) - sum) <= std::abs(sum) / 128 + 0.05)) {
      throw std::runtime_error(
          fmt::format("{}, cuBLAS bfloat16: the last output is {}, not {}", what, wide(last), sum));
    }
    const double time = meter_.seconds([&] { (void)work(); }, Dispatch::launches);
    add(what + ", cuBLAS bfloat16", flops, time);
    meter_.report().goals().multiplied_by_library(what, time);
    return true;
  }
  void add(const std::string& what, double flops, double time) {
    meter_.report().add(what, time * 1e6, "us", fmt::format("{:.1f} TFLOP/s", flops / time / 1e12));
  }

  Meter& meter_;
  ModelShape model_;
};

}  // namespace kernels::gpu_check
