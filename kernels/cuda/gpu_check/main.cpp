// Checks and measures the CUDA backend on the GPU of this machine and writes one JSON and one Markdown file. What is
// computed is compared before it is timed. Exit codes: 0 every goal that was measured holds, 1 a wrong result or a
// failed device, 2 a goal was missed, 64 bad usage, 77 no GPU.
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>

#include "kernels/cuda/gpu_check/attention_check.hpp"
#include "kernels/cuda/gpu_check/product_check.hpp"
#include "kernels/cuda/gpu_check/prompt_check.hpp"
#include "kernels/cuda/gpu_check/step_check.hpp"
#include "kernels/cuda/tests/emulated_device.hpp"

namespace kernels::gpu_check {
namespace {

constexpr ModelShape kQwen2{"qwen2-7b", 28, 3584, 18944, 28, 4, 128, 152064};
constexpr ModelShape kLlama3{"llama-3.1-8b", 32, 4096, 14336, 32, 8, 128, 128256};
constexpr ModelShape kToy{"toy", 1, 128, 128, 2, 1, 64, 128};

/// What the GPU has given away: to the context, to the kernels when first used, to cuBLAS when first asked.
void measure_memory(Meter& meter) {
  const double empty = meter.used_mib();
  meter.report().add("memory in use with an empty context (all programs)", empty, "MiB");
  const GptqPacked packed = bench::random_layer(128, 128, 4);
  const std::vector<float> x(64 * 128, 1.0F);
  std::vector<float> y(x.size());
  double before = empty;
  for (const std::size_t library_rows : {std::size_t{0}, std::size_t{1}}) {
    const auto on = meter.backend({.precision = Precision::fast, .library_rows = library_rows});
    on->matmul(*on->upload(*make_gptq_matrix(packed.tensors(), 128)), x, 64, y);
    const double after = meter.used_mib();
    meter.report().add(library_rows == 0 ? "more after a first product" : "more after a first product of cuBLAS",
                       after - before, "MiB");
    before = after;
  }
}

void measure_copies(Meter& meter) {
  constexpr std::size_t kBytes = std::size_t{1} << 30U;
  Device& device = meter.device();
  const cuda::DeviceArray<unsigned char> from(meter.shared_device(), kBytes), to(meter.shared_device(), kBytes);
  const double time = meter.seconds([&] { device.copy(to.data(), from.data(), kBytes); }, Dispatch::launches);
  const double rate = 2 * static_cast<double>(kBytes) / time;
  meter.report().goals().copied(rate);
  meter.report().add("copy on the device, read and written", rate / 1e9, "GB/s");
  const std::vector<unsigned char> host(std::size_t{256} << 20U);
  const double took = Meter::wall_seconds(
      [&] {
        device.copy_in(to.data(), host.data(), host.size());
        unsigned char last = 0;
        device.copy_out(&last, to.data() + host.size() - 1, 1);
      },
      1);
  meter.report().add("copy from pageable host memory", static_cast<double>(host.size()) / took / 1e9, "GB/s");
}

void measure_launches(Meter& meter) {
  const int launches = meter.emulated() ? 1 : 200;
  const auto on = meter.backend();
  const auto x = on->make_buffer(1024);
  const Rows row = rows_of(*x, 1, 1024);
  const auto work = [&] {
    for (int i = 0; i < launches; ++i) on->silu_mul(row, row, row);
  };
  meter.report().add("small kernel after small kernel, launched",
                     meter.seconds(work, Dispatch::launches) / launches * 1e6, "us");
  meter.report().add("small kernel after small kernel, in a graph", meter.seconds(work) / launches * 1e6, "us");
}

struct Part {
  std::string_view name;
  const char* what;  ///< stays open without a GPU
};
/// In the order of what is asked first, so that little time leaves the rest out.
constexpr std::array kParts{
    Part{"memory", "memory of an empty context, of the kernels and of cuBLAS"},
    Part{"copies", "copy bandwidth"},
    Part{"launches", "the gap between launches"},
    Part{"products",
         "whether large matrices reach 80 % of the copy bandwidth at one row and cost at most 1.3 times it at "
         "sixteen"},
    Part{"prompts", "whether prompts reach 50 % of cuBLAS with bfloat16"},
    Part{"steps", "whole decode steps of both models beside rooflines of a 4070 Super and a 4090"},
    Part{"choices", "whether the device chooses the host's tokens"},
    Part{"attention", "attention at several contexts, in floats and on tensor cores"},
    Part{"heads", "output layers at 4 bits with exact candidates"},
    Part{"exact", "products in precision exact"}};

const Part* find_part(std::string_view name) {
  const auto* const found = std::ranges::find(kParts, name, &Part::name);
  return found == kParts.end() ? nullptr : found;
}

int run(const Options& options, const std::shared_ptr<Device>& device) {
  Meter meter(options, device);
  const auto models = meter.emulated() ? std::vector{kToy} : std::vector{kQwen2, kLlama3};
  const auto each = [&](const char* part, const std::function<void(const ModelShape&)>& work) {
    for (const ModelShape& model : models) {
      meter.part(part, fmt::format("{} of {}", part, model.name), [&] { work(model); });
    }
  };
  meter.part("memory", "memory", [&] { measure_memory(meter); });
  if (!meter.emulated()) meter.part("copies", "copies", [&] { measure_copies(meter); });
  meter.part("launches", "launches", [&] { measure_launches(meter); });
  each("products", [&](const ModelShape& model) { ProductCheck(meter, model).run(Precision::fast); });
  each("prompts", [&](const ModelShape& model) { PromptCheck(meter, model).run(); });
  each("steps", [&](const ModelShape& model) { StepCheck(meter, model).run(); });
  each("choices", [&](const ModelShape& model) { StepCheck(meter, model).choices(); });
  for (const KvType type : {KvType::f16, KvType::fp8, KvType::int8}) {
    each("attention", [&](const ModelShape& model) { AttentionCheck(meter, model).run(type); });
  }
  each("heads", [&](const ModelShape& model) { ProductCheck(meter, model).head(); });
  each("exact", [&](const ModelShape& model) { ProductCheck(meter, model).run(Precision::exact); });
  return meter.report().finish();
}

constexpr const char* kHelp =
    R"(usage: kernels_gpu_check [--json FILE] [--markdown FILE] [--seconds S] [--note TEXT]... [--only PART]... [--probe | --emulator]

  --json FILE      every figure (default gpu-check.json)
  --markdown FILE  the same as a table (default gpu-check.md)
  --seconds S      begin nothing after so many seconds (default 180)
  --only PART      memory, copies, launches, products, prompts, steps, choices, attention, heads or exact; any number of
                   them (default all). Products are judged by the copies measured in the same run.
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
    } else if (flag == "--only") {
      if (find_part(value) == nullptr) return std::nullopt;
      options.parts.emplace_back(value);
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
}  // namespace kernels::gpu_check

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    fmt::print("{}", kernels::gpu_check::kHelp);
    return 0;
  }
  const auto options = kernels::gpu_check::parse(argc, argv);
  if (!options) {
    fmt::print(stderr, "{}", kernels::gpu_check::kHelp);
    return 64;
  }
  try {
    const auto [device, reason, is_broken] =
        options->emulator ? kernels::cuda::GpuSearch{kernels::cuda::make_emulated_device(), "", false}
                          : kernels::cuda::search_gpu();
    if (device == nullptr) {
      fmt::print(stderr, "kernels_gpu_check: {}\n", reason);
      if (!is_broken && !options->parts.empty()) {
        std::vector<const char*> open;
        for (const std::string& part : options->parts) open.push_back(kernels::gpu_check::find_part(part)->what);
        fmt::print("needs a GPU: {}\n", fmt::join(open, "; "));
      }
      return is_broken ? 1 : 77;
    }
    if (options->probe) {
      fmt::print("{}\n", device->facts().name);
      return 0;
    }
    return kernels::gpu_check::run(*options, device);
  } catch (const std::exception& error) {
    fmt::print(stderr, "kernels_gpu_check: {}\n", error.what());
    return 1;
  }
}
