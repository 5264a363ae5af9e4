// Measures the CUDA backend on the GPU of this machine and writes one JSON and one Markdown file. Each product is
// checked against the definition before it is timed. Exit codes: 0 measured, 1 a wrong result or a failed device, 64
// bad usage, 77 no GPU.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "kernels/bench/model_shapes.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/tests/emulated_device.hpp"

namespace kernels {
namespace {

using bench::ModelShape;
using cuda::Device;
using cuda::Dispatch;

constexpr ModelShape kQwen2{"qwen2-7b", 28, 3584, 18944, 28, 4, 128, 152064};
constexpr ModelShape kLlama3{"llama-3.1-8b", 32, 4096, 14336, 32, 8, 128, 128256};
constexpr ModelShape kToy{"toy", 1, 128, 128, 2, 1, 64, 128};

struct Options {
  std::string json = "gpu-check.json";
  std::string markdown = "gpu-check.md";
  double seconds = 300;
  bool probe = false;              ///< names the GPU, measures nothing
  std::vector<std::string> notes;  ///< for the head of both files
  bool emulator = false;           ///< small shapes on the emulator: tests this program, measures nothing
};

/// One line of the result: what was measured, a number, its unit, and the share of a limit where there is one.
struct Figure {
  std::string what;
  double value;
  std::string unit;
  std::string note;
};

class Report {
 public:
  void add(std::string what, double value, std::string unit, std::string note = "") {
    fmt::print("{:<58} {:>12.3f} {:<8} {}\n", what, value, unit, note);
    std::fflush(stdout);
    figures_.push_back({std::move(what), value, std::move(unit), std::move(note)});
  }
  void write(const Options& options, const cuda::DeviceFacts& facts) const {
    std::ofstream json(options.json);
    json << fmt::format(R"({{"device": "{}", "capability": "{}", "driver": {}, "runtime": {}, "notes": [)", facts.name,
                        facts.capability, facts.driver_version, facts.runtime_version);
    for (std::size_t i = 0; i < options.notes.size(); ++i) {
      json << fmt::format(R"({}"{}")", i == 0 ? "" : ", ", options.notes[i]);
    }
    json << R"(], "figures": [)";
    std::ofstream markdown(options.markdown);
    markdown << fmt::format("# CUDA kernels on {}\n\nCompute capability {}, driver {}, runtime {}.\n\n", facts.name,
                            facts.capability, facts.driver_version, facts.runtime_version)
             << fmt::format("{}\n\n", fmt::join(options.notes, "\n\n"))
             << "| what | value | unit | note |\n| --- | ---: | --- | --- |\n";
    const char* separator = "\n";
    for (const Figure& one : figures_) {
      json << fmt::format(R"({}  {{"what": "{}", "value": {}, "unit": "{}", "note": "{}"}})", separator, one.what,
                          one.value, one.unit, one.note);
      markdown << fmt::format("| {} | {:.3f} | {} | {} |\n", one.what, one.value, one.unit, one.note);
      separator = ",\n";
    }
    json << "\n]}\n";
    if (!json.flush() || !markdown.flush()) {
      throw std::runtime_error(fmt::format("cannot write {} or {}", options.json, options.markdown));
    }
  }

 private:
  std::vector<Figure> figures_;
};

class Check {
 public:
  Check(const Options& options, std::shared_ptr<Device> device) : options_(options), device_(std::move(device)) {}

  int run() {
    measure_memory();
    if (!options_.emulator) measure_copies();
    measure_launches();
    const auto models = options_.emulator ? std::vector{kToy} : std::vector{kQwen2, kLlama3};
    for (const ModelShape& model : models) {
      for (const Precision precision : {Precision::exact, Precision::fast}) products(model, precision);
    }
    for (const ModelShape& model : models) steps(model);
    for (const ModelShape& model : models) {
      for (const KvType type : {KvType::f16, KvType::fp8, KvType::int8}) attention(model, type);
    }
    report_.write(options_, device_->facts());
    return 0;
  }

 private:
  std::unique_ptr<Backend> backend(Precision precision, std::size_t library_rows = 0) const {
    return make_cuda_backend(device_, "cuda", {precision, library_rows});
  }
  bool has_time() const {
    return std::chrono::steady_clock::now() - begin_ < std::chrono::duration<double>(options_.seconds);
  }
  double used_mib() const {
    const cuda::DeviceFacts facts = device_->facts();
    return static_cast<double>(facts.total_bytes - facts.free_bytes) / 0x1p20;
  }
  /// The median of five, after one that is not counted.
  double seconds(const std::function<void()>& work, Dispatch dispatch = Dispatch::graph) const {
    work();
    std::vector<double> all;
    all.reserve(5);
    const double first = device_->time(work, 1, dispatch);
    const auto repeats = static_cast<unsigned>(std::clamp(0.01 / std::max(first, 1e-6), 1.0, 200.0));
    for (int i = 0; i < (options_.emulator ? 1 : 5); ++i) all.push_back(device_->time(work, repeats, dispatch));
    std::ranges::sort(all);
    return all[all.size() / 2];
  }

  /// What the GPU has given away: to the context, to the kernels when first used, to cuBLAS when first asked.
  void measure_memory() {
    const double empty = used_mib();
    report_.add("memory in use with an empty context (all programs)", empty, "MiB");
    const GptqPacked packed = bench::random_layer(128, 128, 4);
    const std::vector<float> x(64 * 128, 1.0F);
    std::vector<float> y(x.size());
    double before = empty;
    for (const std::size_t library_rows : {0, 1}) {
      const auto on = backend(Precision::fast, library_rows);
      on->matmul(*on->upload(*make_gptq_matrix(packed.tensors(), 128)), x, 64, y);
      const double after = used_mib();
      report_.add(library_rows == 0 ? "more after a first product" : "more after a first product of cuBLAS",
                  after - before, "MiB");
      before = after;
    }
  }

  void measure_copies() {
    constexpr std::size_t kBytes = std::size_t{1} << 30U;
    const cuda::DeviceArray<unsigned char> from(device_, kBytes), to(device_, kBytes);
    const double time = seconds([&] { device_->copy(to.data(), from.data(), kBytes); }, Dispatch::launches);
    report_.add("copy on the device, read and written", 2 * static_cast<double>(kBytes) / time / 1e9, "GB/s");
    const std::vector<unsigned char> host(std::size_t{256} << 20U);
    const auto begin = std::chrono::steady_clock::now();
    device_->copy_in(to.data(), host.data(), host.size());
    unsigned char last = 0;
    device_->copy_out(&last, to.data() + host.size() - 1, 1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    report_.add("copy from pageable host memory", static_cast<double>(host.size()) / took.count() / 1e9, "GB/s");
  }

  void measure_launches() {
    constexpr int kLaunches = 200;
    const auto on = backend(Precision::exact);
    const auto x = on->make_buffer(1024);
    const Rows row = rows_of(*x, 1, 1024);
    const auto work = [&] {
      for (int i = 0; i < (options_.emulator ? 1 : kLaunches); ++i) on->silu_mul(row, row, row);
    };
    report_.add("small kernel after small kernel, launched", seconds(work, Dispatch::launches) / kLaunches * 1e6, "us");
    report_.add("small kernel after small kernel, in a graph", seconds(work) / kLaunches * 1e6, "us");
  }

  struct Shape {
    const char* name;
    std::size_t in;
    std::size_t out;
    unsigned bits;
  };

  void products(const ModelShape& model, Precision precision) {
    const std::vector<Shape> shapes{{"qkv", model.hidden, model.qkv(), 4},
                                    {"o", model.heads * model.head_dim, model.hidden, 4},
                                    {"gate+up", model.hidden, 2 * model.intermediate, 4},
                                    {"down", model.intermediate, model.hidden, 4},
                                    {"head int8", model.hidden, model.vocabulary, 8}};
    for (const Shape& shape : shapes) {
      if (has_time()) product(model, shape, precision);
    }
  }

  void product(const ModelShape& model, const Shape& shape, Precision precision) {
    const GptqPacked packed = bench::random_layer(shape.in, shape.out, shape.bits);
    const auto matrix = *make_gptq_matrix(packed.tensors(), 128);
    const auto on = backend(precision);
    const auto by_library = backend(precision, 1);
    // So many that the second-level cache has forgotten the first when the last has been read.
    std::vector<std::unique_ptr<const WeightMatrix>> copies;
    const std::size_t wanted = 4 * device_->facts().second_level_bytes;
    do {
      copies.push_back(on->upload(matrix));
    } while (copies.size() * copies[0]->bytes() < wanted);
    const std::size_t most = options_.emulator ? 2 : 512;
    const auto x = on->make_buffer(most * shape.in);
    const auto y = on->make_buffer(most * shape.out);
    fill(*on, rows_of(*x, most, shape.in));
    std::vector<std::size_t> rows{1, 2, 4, 8, 16, 32, 64, 512};
    if (options_.emulator) rows = {1, 2};
    for (const std::size_t count : rows) {
      const bool library = count == 512 && precision == Precision::fast;
      for (Backend* backend : {on.get(), library ? by_library.get() : nullptr}) {
        if (backend == nullptr || !has_time()) continue;
        const auto work = [&] {
          for (const auto& copy : copies) {
            backend->matmul(*copy, rows_of(*x, count, shape.in), rows_of(*y, count, shape.out));
          }
        };
        work();
        verify(*backend, matrix, rows_of(*x, count, shape.in), rows_of(*y, count, shape.out),
               precision == Precision::fast ? 2e-3 : 1e-5);
        const double time = seconds(work) / static_cast<double>(copies.size());
        const double bytes = static_cast<double>(copies[0]->bytes());
        const double flops = 2.0 * static_cast<double>(count * shape.in * shape.out);
        report_.add(fmt::format("{} {} {}x{}, {} rows, {}{}", model.name, shape.name, shape.in, shape.out, count,
                                precision == Precision::fast ? "fast" : "exact", backend == on.get() ? "" : ", cuBLAS"),
                    time * 1e6, "us",
                    fmt::format("{:.0f} GB/s of weights, {:.1f} TFLOP/s", bytes / time / 1e9, flops / time / 1e12));
      }
    }
  }

  static void fill(Backend& backend, const Rows& rows) {
    std::vector<float> values(rows.rows * rows.cols);
    std::mt19937 random(3);  // NOLINT: the same every time
    for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
    backend.write(rows, values);
  }

  /// A few columns of the first and last row in double. `tolerance` is of the sum of magnitudes.
  static void verify(Backend& backend, const GptqMatrix& matrix, const Rows& x, const Rows& y, double tolerance) {
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
          throw std::runtime_error(fmt::format("{}x{}, {} rows: output [{}, {}] is {}, not {}", matrix.in(),
                                               matrix.out(), x.rows, row, n, outputs[n], sum));
        }
      }
    }
  }

  void attention(const ModelShape& model, KvType type) {
    struct Case {
      std::size_t sequences;
      std::size_t rows;
      std::size_t context;
    };
    std::vector<Case> cases{{1, 1, 512}, {16, 1, 512}, {64, 1, 512}, {1, 1, 8192}, {1, 512, 512}};
    if (options_.emulator) cases = {{1, 1, 20}};
    for (const Case& c : cases) {
      if (!has_time()) return;
      const auto on = backend(Precision::exact);
      const std::size_t blocks = (c.context + 15) / 16;
      const KvShape shape{.layers = 1,
                          .blocks = blocks * c.sequences,
                          .kv_heads = model.kv_heads,
                          .head_dim = model.head_dim,
                          .type = type};
      const auto cache = on->make_kv_cache(shape);
      std::vector<std::vector<std::int32_t>> tables(c.sequences);
      std::vector<SequenceRows> sequences;
      for (std::size_t s = 0; s < c.sequences; ++s) {
        for (std::size_t b = 0; b < blocks; ++b) tables[s].push_back(static_cast<std::int32_t>(s * blocks + b));
        sequences.push_back({c.rows, c.context - c.rows, tables[s]});
      }
      for (const auto& table : tables) fill_cache(*on, *cache, table, model, c.context);
      const std::size_t rows = c.sequences * c.rows;
      const auto q = on->make_buffer(rows * model.heads * model.head_dim);
      const auto y = on->make_buffer(q->size());
      const Rows queries = rows_of(*q, rows, model.heads * model.head_dim);
      const auto plan = on->plan(sequences, rope_frequencies({.head_dim = model.head_dim}), shape);
      const double time =
          seconds([&] { on->attention(*plan, *cache, 0, queries, rows_of(*y, rows, model.heads * model.head_dim)); });
      report_.add(fmt::format("{} attention, {} sequences of {} rows at {} tokens, KV {}", model.name, c.sequences,
                              c.rows, c.context, name_of(type)),
                  time * 1e6, "us", fmt::format("{:.0f} GB/s of KV", static_cast<double>(cache->bytes()) / time / 1e9));
    }
  }
  /// One sequence's keys and values: some of everything, for NaNs would be skipped.
  static void fill_cache(Backend& on, KvCache& cache, std::span<const std::int32_t> table, const ModelShape& model,
                         std::size_t context) {
    const std::size_t q = model.heads * model.head_dim;
    const std::size_t kv = model.kv_heads * model.head_dim;
    const auto buffer = on.make_buffer(context * model.qkv());
    const Rows rows = rows_of(*buffer, context, model.qkv());
    fill(on, rows);
    const std::vector<SequenceRows> sequence{{context, 0, table}};
    const auto plan = on.plan(sequence, rope_frequencies({.head_dim = model.head_dim}), cache.shape());
    on.rope_and_store(*plan, cache, 0, rows.columns(0, q), rows.columns(q, kv), rows.columns(q + kv, kv));
  }
  static const char* name_of(KvType type) {
    return type == KvType::f16 ? "fp16" : type == KvType::fp8 ? "fp8" : "int8";
  }

  /// Whole decode steps, launched one by one as an engine would.
  void steps(const ModelShape& model) {
    if (!has_time()) return;
    const auto on = backend(Precision::fast);
    const std::size_t context = options_.emulator ? 20 : 512;
    bench::Model weights(*on, model, 16, context, KvType::fp8);
    report_.add(fmt::format("{} loaded: memory in use (all programs)", model.name), used_mib(), "MiB");
    std::vector<std::size_t> batches{1, 4, 8, 16};
    if (options_.emulator) batches = {1};
    for (const std::size_t rows : batches) {
      weights.step(rows);
      const auto begin = std::chrono::steady_clock::now();
      const int repeats = options_.emulator ? 1 : 20;
      for (int i = 0; i < repeats; ++i) weights.step(rows);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      const double step = took.count() / repeats;
      report_.add(fmt::format("{} decode step, {} sequences at {} tokens, launched", model.name, rows, context),
                  step * 1e3, "ms",
                  fmt::format("{:.0f} tokens/s, {:.0f} GB/s of weights", static_cast<double>(rows) / step,
                              static_cast<double>(weights.bytes()) / step / 1e9));
    }
  }

  Options options_;
  std::shared_ptr<Device> device_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Report report_;
};

constexpr const char* kHelp =
    R"(usage: kernels_gpu_check [--json FILE] [--markdown FILE] [--seconds S] [--note TEXT]... [--probe | --emulator]

  --json FILE      every figure (default gpu-check.json)
  --markdown FILE  the same as a table (default gpu-check.md)
  --seconds S      begin nothing after so many seconds (default 300)
  --note TEXT      a line for the head of both files, such as how the tests ended; any number of them
  --probe          prints the name of the GPU and measures nothing
  --emulator       tiny shapes on the host's emulator: shows that the program works, measures nothing
)";

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--emulator") {
      options.emulator = true;
      continue;
    }
    if (flag == "--probe") {
      options.probe = true;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const char* const value = argv[++i];
    if (flag == "--json") {
      options.json = value;
    } else if (flag == "--markdown") {
      options.markdown = value;
    } else if (flag == "--note") {
      options.notes.emplace_back(value);
      if (options.notes.back().find_first_of("\"\\\n") != std::string::npos) return std::nullopt;
    } else if (flag == "--seconds") {
      char* end = nullptr;
      options.seconds = std::strtod(value, &end);
      if (end == value || *end != '\0' || !(options.seconds > 0)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace
}  // namespace kernels

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    fmt::print("{}", kernels::kHelp);
    return 0;
  }
  const auto options = kernels::parse(argc, argv);
  if (!options) {
    fmt::print(stderr, "{}", kernels::kHelp);
    return 64;
  }
  try {
    const auto device = options->emulator ? kernels::cuda::make_emulated_device() : kernels::cuda::find_gpu();
    if (device == nullptr) {
      fmt::print("kernels_gpu_check: no GPU of compute capability 8.0 or above answers on this machine\n");
      return 77;
    }
    if (options->probe) {
      fmt::print("{}\n", device->facts().name);
      return 0;
    }
    return kernels::Check(*options, device).run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "kernels_gpu_check: {}\n", error.what());
    return 1;
  }
}
