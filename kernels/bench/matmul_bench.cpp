// Quantised matmul per backend at the shapes of a 7B model, against the bytes of weights that must move.
// The result is checked against the reference before anything is timed.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "kernels/backend.hpp"
#include "kernels/gptq_pack.hpp"

namespace {

using kernels::Backend;

kernels::GptqPacked make_layer(std::size_t in, std::size_t out, std::size_t group_size) {
  std::mt19937 random(7);
  kernels::GptqPlain plain{.in = in, .out = out, .codes = {}, .zeros = {}, .scales = {}, .g_idx = {}};
  plain.codes.resize(in * out);
  for (auto& code : plain.codes) code = static_cast<std::uint8_t>(random() & 15U);
  plain.zeros.assign(in / group_size * out, 8);
  plain.scales.assign(in / group_size * out, 0.01F);
  return kernels::pack_gptq(plain, kernels::GptqVersion::v1, "bench");
}

bool agrees(std::span<const float> y, std::span<const float> expected) {
  return std::ranges::equal(y, expected, [](float a, float b) { return std::abs(a - b) < 1e-2F; });
}

void matmul(benchmark::State& state, Backend& backend, Backend& reference) {
  const auto in = static_cast<std::size_t>(state.range(0));
  const auto out = static_cast<std::size_t>(state.range(1));
  const auto rows = static_cast<std::size_t>(state.range(2));
  const kernels::GptqPacked layer = make_layer(in, out, 128);
  const auto matrix = kernels::make_gptq_matrix(layer.tensors(), 128);
  std::vector<float> x(rows * in), y(rows * out), expected(rows * out);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17) / 16.0F - 0.5F;
  const auto weights = backend.upload(*matrix);
  backend.matmul(*weights, x, rows, y);
  reference.matmul(*reference.upload(*matrix), x, rows, expected);
  if (!agrees(y, expected)) return state.SkipWithError("differs from the reference");
  for (auto _ : state) {
    backend.matmul(*weights, x, rows, y);
    benchmark::DoNotOptimize(y.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  const auto bytes = static_cast<double>(in * out) / 2.0 + static_cast<double>(in / 128 * out) * 2.5;
  state.counters["weight_GB/s"] = benchmark::Counter(runs * bytes / 1e9, benchmark::Counter::kIsRate);
  state.counters["GMAC/s"] =
      benchmark::Counter(runs * static_cast<double>(in * out * rows) / 1e9, benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  static auto backends = kernels::available_backends();
  for (const auto& backend : backends) {
    auto* bench = benchmark::RegisterBenchmark(
        std::string(backend->name()).c_str(),
        [&backend](benchmark::State& state) { matmul(state, *backend, *backends.back()); });
    bench->ArgNames({"in", "out", "rows"})->Unit(benchmark::kMillisecond);
    const bool naive = backend == backends.back();
    bench->Args({512, 512, 1});  // in cache
    if (naive) continue;
    for (const long rows : {1, 4, 16}) bench->Args({3584, 18944, rows});  // gate or up of Qwen2-7B: 34 MB
  }
  return true;
}();

}  // namespace
