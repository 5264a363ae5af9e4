// Products: every matrix of a model at several numbers of rows, each result compared with the definition before it is
// timed; and its output layer at 4 bits with exact candidates.
#pragma once

#include <cmath>

#include "kernels/bench/model_shapes.hpp"
#include "kernels/cuda/gpu_check/meter.hpp"

namespace kernels::gpu_check {

using bench::ModelShape;

/// A matrix of a model: inputs, outputs, bits of a code.
struct Shape {
  const char* name;
  std::size_t in;
  std::size_t out;
  unsigned bits;
};
inline std::vector<Shape> shapes(const ModelShape& model) {
  return {{"qkv", model.hidden, model.qkv(), 4},
          {"o", model.heads * model.head_dim, model.hidden, 4},
          {"gate+up", model.hidden, 2 * model.intermediate, 4},
          {"down", model.intermediate, model.hidden, 4}};
}

/// A few columns of the first and last row in double. `tolerance` is of the sum of magnitudes.
inline void verify(Backend& backend, const GptqMatrix& matrix, const Rows& x, const Rows& y, double tolerance) {
  for (const std::size_t row : {std::size_t{0}, x.rows - 1}) {
    const auto from = backend.view(x.slice(row, 1));
    const std::vector<float> inputs(from.begin(), from.end());
    const auto outputs = backend.view(y.slice(row, 1));
    for (std::size_t n = 0; n < matrix.out(); n += matrix.out() / 7) {
      double sum = 0;
      double magnitude = 0;
      for (std::size_t k = 0; k < matrix.in(); ++k) {
        const double term = static_cast<double>(inputs[k]) * matrix.weight(k, n);
        sum += term;
        magnitude += std::abs(term);
      }
      if (!(std::abs(outputs[n] - sum) <= tolerance * magnitude)) {
        throw std::runtime_error(fmt::format("{}x{}, {} rows: output [{}, {}] is {}, not {}", matrix.in(), matrix.out(),
                                             x.rows, row, n, outputs[n], sum));
      }
    }
  }
}

class ProductCheck {
 public:
  ProductCheck(Meter& meter, const ModelShape& model) : meter_(meter), model_(model) {}

  void run(Precision precision) {
    for (const Shape& shape : shapes(model_)) product(shape, precision);
    product({"head int8", model_.hidden, model_.vocabulary, 8}, precision);
  }

  /// A 4-bit output layer of random weights: its greatest outputs are those of the weights as they are.
  void head() {
    const std::string name = fmt::format("{} head int4 with exact candidates", model_.name);
    if (!meter_.has_time(name)) return;
    std::vector<half_bits> weights(model_.hidden * model_.vocabulary);
    std::mt19937 random(4);  // NOLINT
    for (half_bits& weight : weights) weight = to_half(static_cast<float>(random() % 2001) / 20000.0F - 0.05F);
    const DenseMatrix dense{.data = std::as_bytes(std::span(weights)),
                            .out = model_.vocabulary,
                            .in = model_.hidden,
                            .type = DenseType::f16,
                            .owner = std::shared_ptr<const void>(&weights, [](const void*) {})};
    const auto on = meter_.backend({.precision = Precision::fast});
    const auto head = std::move(*on->upload_head(dense, 4, name));
    for (const std::size_t rows : meter_.emulated() ? std::vector<std::size_t>{2} : std::vector<std::size_t>{1, 16}) {
      const auto x = on->make_buffer(rows * model_.hidden);
      const auto y = on->make_buffer(rows * model_.vocabulary);
      const Rows inputs = rows_of(*x, rows, model_.hidden);
      const Rows outputs = rows_of(*y, rows, model_.vocabulary);
      Meter::fill(*on, inputs);
      std::vector<float> best(rows * 4);
      std::vector<std::int32_t> ids(rows * 4);
      const auto step = [&] {
        on->matmul(*head, inputs, outputs);
        on->top_k(outputs, 4, best, ids);
      };
      step();
      const auto values = Meter::values(rows * model_.hidden);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        double exact = 0;
        for (std::size_t k = 0; k < model_.hidden; ++k) {
          exact +=
              static_cast<double>(values[i / 4 * model_.hidden + k]) * dense.at(static_cast<std::size_t>(ids[i]), k);
        }
        if (!(std::abs(best[i] - exact) <= 1e-4)) {
          throw std::runtime_error(fmt::format("{}, {} rows: {} is {}, not {}", name, rows, ids[i], best[i], exact));
        }
      }
      meter_.report().add(fmt::format("{}, {} rows, greedy choice included", name, rows),
                          Meter::wall_seconds(step, meter_.emulated() ? 1 : 20) * 1e3, "ms");
    }
  }

 private:
  void product(const Shape& shape, Precision precision) {
    const char* const precision_name = precision == Precision::fast ? "fast" : "exact";
    const std::string name = fmt::format("{} {} {}x{}", model_.name, shape.name, shape.in, shape.out);
    if (!meter_.has_time(fmt::format("{}, {}", name, precision_name))) return;
    const GptqPacked packed = bench::random_layer(shape.in, shape.out, shape.bits);
    const auto matrix = *make_gptq_matrix(packed.tensors(), 128);
    const auto on = meter_.backend({.precision = precision});
    // So many that the second-level cache has forgotten the first when the last has been read.
    std::vector<std::unique_ptr<const WeightMatrix>> copies;
    const std::size_t wanted = 4 * meter_.device().facts().second_level_bytes;
    do {
      copies.push_back(on->upload(matrix));
    } while (copies.size() * copies[0]->bytes() < wanted);
    const auto bytes = static_cast<double>(copies[0]->bytes());
    const std::size_t most = meter_.emulated() ? 2 : 64;
    const auto x = on->make_buffer(most * shape.in);
    const auto y = on->make_buffer(most * shape.out);
    Meter::fill(*on, rows_of(*x, most, shape.in));
    std::vector<std::size_t> rows{1, 2, 4, 8, 16, 32, 64};
    if (precision == Precision::exact) rows = {1, 16};
    if (meter_.emulated()) rows = {1, 2};
    for (const std::size_t count : rows) {
      const Rows inputs = rows_of(*x, count, shape.in);
      const Rows outputs = rows_of(*y, count, shape.out);
      meter_.both_ways([&](const char* suffix) {
        const std::string what = fmt::format("{}, {}, {} rows{}", name, precision_name, count, suffix);
        if (!meter_.has_time(what)) return;
        const auto work = [&] {
          for (const auto& copy : copies) on->matmul(*copy, inputs, outputs);
        };
        work();
        verify(*on, matrix, inputs, outputs, precision == Precision::fast ? 2e-3 : 1e-5);
        const double time = meter_.seconds(work) / static_cast<double>(copies.size());
        if (precision == Precision::fast) meter_.report().goals().multiplied(name, bytes, count, time);
        meter_.report().add(what, time * 1e6, "us",
                            fmt::format("{:.0f} GB/s of weights; {}", bytes / time / 1e9, rooflines(bytes, 1e6, "us")));
      });
    }
  }

  Meter& meter_;
  ModelShape model_;
};

}  // namespace kernels::gpu_check
