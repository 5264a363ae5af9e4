// Decoding and prompt processing at the shapes of two small models, against the two limits: reading memory and the
// cores' byte products. What the products give is checked by the tests over the same code.
#include <benchmark/benchmark.h>

#include <string>

#include "kernels/bench/model_shapes.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cpu/memory_read.hpp"

namespace {

using kernels::bench::Model;
using kernels::bench::ModelShape;

constexpr std::size_t kPromptRows = 128;
constexpr std::size_t kContext = 256;

double per_second(const benchmark::State& state, double amount) {
  return amount * static_cast<double>(state.iterations());
}
void set_rate(benchmark::State& state, const char* name, double amount) {
  state.counters[name] = benchmark::Counter(per_second(state, amount), benchmark::Counter::kIsRate);
}

/// The limit of decoding: reading memory that is in no cache, in huge pages like the weights.
void read_memory(benchmark::State& state) {
  kernels::MemoryRead memory(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(memory.read());
  set_rate(state, "GB/s", static_cast<double>(memory.bytes()) / 1e9);
}
BENCHMARK(read_memory)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

/// A model stays for the benchmarks that follow with the same backend: making one takes longer than measuring it.
Model& model_of(const ModelShape& shape, kernels::CpuIsa isa, const kernels::BackendOptions& options) {
  struct Held {
    std::string key;
    std::unique_ptr<kernels::Backend> backend;
    std::unique_ptr<Model> model;
  };
  static std::vector<Held> held;
  const std::string key = std::string(shape.name) + std::to_string(static_cast<int>(isa)) +
                          std::to_string(static_cast<int>(options.precision)) + std::to_string(options.threads);
  for (const Held& one : held) {
    if (one.key == key) return *one.model;
  }
  auto backend = kernels::make_cpu_backend(isa, options);
  const auto cache = options.precision == kernels::Precision::fast ? kernels::KvType::bf16 : kernels::KvType::f32;
  auto model = std::make_unique<Model>(*backend, shape, kPromptRows, kContext, cache);
  held.push_back({key, std::move(backend), std::move(model)});
  return *held.back().model;
}

void layers(benchmark::State& state, Model& model, const ModelShape& shape, std::size_t rows) {
  model.multiply_layers(rows);
  for (auto _ : state) model.multiply_layers(rows);
  set_rate(state, "GB/s", static_cast<double>(model.layer_bytes()) / 1e9);
  set_rate(state, "GMAC/s", shape.layer_macs() * static_cast<double>(rows) / 1e9);
}

void step(benchmark::State& state, Model& model, std::size_t rows) {
  model.step(rows);
  for (auto _ : state) model.step(rows);
  set_rate(state, "tokens/s", static_cast<double>(rows));
  set_rate(state, "GB/s", static_cast<double>(model.bytes()) / 1e9);
}

void add(const std::string& name, const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark(name.c_str(), body)->Unit(benchmark::kMillisecond)->UseRealTime();
}

void add_model(const ModelShape& shape, kernels::CpuIsa isa, const kernels::BackendOptions& options) {
  const auto probe = kernels::make_cpu_backend(isa, {});
  if (!probe->available()) return;
  const std::string mode = options.precision == kernels::Precision::fast ? "fast" : "exact";
  const std::string tail = std::string(shape.name) + "/" + std::string(probe->name()) + "/" + mode +
                           "/threads:" + std::to_string(options.threads) + "/rows:";
  const auto model = [=]() -> Model& { return model_of(shape, isa, options); };
  add("decode_layers/" + tail + "1", [=](benchmark::State& state) { layers(state, model(), shape, 1); });
  add("prompt_layers/" + tail + std::to_string(kPromptRows),
      [=](benchmark::State& state) { layers(state, model(), shape, kPromptRows); });
  for (const std::size_t rows : {1, 8}) {
    add("step/" + tail + std::to_string(rows), [=](benchmark::State& state) { step(state, model(), rows); });
  }
}

const bool kRegistered = [] {
  using enum kernels::CpuIsa;
  using kernels::Precision;
  for (const ModelShape& shape : {kernels::bench::kQwen2Small, kernels::bench::kTinyLlama}) {
    for (const std::size_t threads : {1, 2}) add_model(shape, avx512, {Precision::fast, threads});
  }
  for (const std::size_t threads : {1, 2}) {
    add_model(kernels::bench::kQwen2Small, avx512, {Precision::exact, threads});
    add_model(kernels::bench::kQwen2Small, avx2, {Precision::fast, threads});
  }
  return true;
}();

}  // namespace
