// Every backend and mode as test parameters, and random values for them. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/tests/emulated_device.hpp"
#include "kernels/gptq_pack.hpp"
#include "kernels/reference/reference_backend.hpp"

namespace kernels {

/// Where the CUDA backend runs: on a GPU, or on the emulator.
enum class CudaTarget : std::uint8_t { none, gpu, emulator };

/// One way to make a backend. `isa` is meaningless for the reference and for CUDA.
struct Candidate {
  bool reference;
  CpuIsa isa;
  BackendOptions options;
  CudaTarget cuda = CudaTarget::none;

  /// Nothing where there is no GPU.
  std::unique_ptr<Backend> make() const {
    const CudaOptions on_gpu{.precision = options.precision};
    if (cuda == CudaTarget::gpu) return find_cuda_backend(on_gpu);
    if (cuda == CudaTarget::emulator) return make_cuda_backend(cuda::make_emulated_device(), "cuda-emulated", on_gpu);
    return reference ? make_reference_backend() : make_cpu_backend(isa, options);
  }
  bool fast() const { return !reference && options.precision == Precision::fast; }
};

inline std::vector<Candidate> all_candidates() {
  std::vector<Candidate> candidates{{true, CpuIsa::portable, {}}};
  for (const Precision precision : {Precision::exact, Precision::fast}) {
    candidates.push_back({false, CpuIsa::portable, {precision, 1}, CudaTarget::emulator});
    if (has_cuda()) candidates.push_back({false, CpuIsa::portable, {precision, 1}, CudaTarget::gpu});
  }
  for (const CpuIsa isa : {CpuIsa::portable, CpuIsa::avx2, CpuIsa::avx512}) {
    for (const Precision precision : {Precision::exact, Precision::fast}) {
      for (const std::size_t threads : {1, 3}) candidates.push_back({false, isa, {precision, threads}});
    }
  }
  return candidates;
}

/// For tests of what only the CUDA backend has.
inline std::vector<CudaTarget> cuda_targets() {
  std::vector<CudaTarget> all{CudaTarget::emulator};
  if (has_cuda()) all.push_back(CudaTarget::gpu);
  return all;
}
inline std::string cuda_target_name(const ::testing::TestParamInfo<CudaTarget>& info) {
  return info.param == CudaTarget::gpu ? "cuda" : "cuda_emulated";
}

inline std::string candidate_name(const ::testing::TestParamInfo<Candidate>& info) {
  std::string name = info.param.cuda == CudaTarget::gpu ? "cuda" : std::string(info.param.make()->name());
  std::ranges::replace(name, '-', '_');
  if (!info.param.reference) {
    name += info.param.fast() ? "_fast_" : "_exact_";
    name += std::to_string(info.param.options.threads);
  }
  return name;
}

#if defined(__SANITIZE_THREAD__)
constexpr bool kHasFibers = false;  // the thread sanitizer does not follow them
#else
constexpr bool kHasFibers = true;
#endif

/// Skips visibly where this machine lacks the instructions or the GPU.
class EveryBackend : public ::testing::TestWithParam<Candidate> {
 protected:
  void SetUp() override {
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU answers on this machine";
    if (!backend_->available()) GTEST_SKIP() << backend_->name() << " cannot run on this machine";
    if (GetParam().cuda == CudaTarget::emulator && !kHasFibers) GTEST_SKIP() << "no emulator under this sanitizer";
  }
  std::unique_ptr<Backend> backend_ = GetParam().make();
  std::mt19937 random_{42};  // NOLINT: the same values every time
};

/// Uniform around 0; cheap, for tests are not optimised.
inline std::vector<float> random_values(std::size_t count, std::mt19937& random, float deviation = 1) {
  const float step = deviation * 1.7320508F * 0x1p-23F;
  std::vector<float> values(count);
  for (float& value : values) value = (static_cast<float>(random() >> 8U) - 0x1p23F) * step;
  return values;
}

/// A buffer that holds these rows.
struct Filled {
  Filled(Backend& backend, std::span<const float> values, std::size_t row_count)
      : buffer(backend.make_buffer(values.size())), rows(rows_of(*buffer, row_count, values.size() / row_count)) {
    backend.write(rows, values);
  }
  std::unique_ptr<Buffer> buffer;
  Rows rows;
};

inline std::vector<float> values_of(Backend& backend, const Rows& rows) {
  const auto view = backend.view(rows);
  return {view.begin(), view.end()};
}

struct LayerShape {
  std::size_t in;
  std::size_t out;
  std::size_t group_size;  ///< 0: one group
  bool scattered;
  unsigned bits = 4;
  bool symmetric = false;
};

/// Random packed words, in place of codes packed one by one: big layers at small cost.
inline GptqPacked random_packed(const LayerShape& shape, std::mt19937& random) {
  const std::size_t size = shape.group_size == 0 ? shape.in : shape.group_size;
  const std::size_t groups = (shape.in - 1) / size + 1;
  const std::size_t per_word = codes_per_word(shape.bits);
  GptqPacked packed{};
  packed.name = "l";
  packed.in = shape.in;
  packed.out = shape.out;
  packed.bits = shape.bits;
  packed.qweight.resize(shape.in / per_word * shape.out);
  for (auto& word : packed.qweight) word = static_cast<std::uint32_t>(random());
  packed.qzeros.assign(groups * shape.out / per_word, shape.bits == 4 ? 0x77777777U : 0x7F7F7F7FU);
  if (!shape.symmetric) {
    for (auto& word : packed.qzeros) word = static_cast<std::uint32_t>(random());
  }
  std::uniform_real_distribution<float> scale(0.001F, 0.01F);
  for (std::size_t i = 0; i < groups * shape.out; ++i) packed.scales.push_back(to_half(scale(random)));
  if (shape.scattered) {
    for (std::size_t k = 0; k < shape.in; ++k) packed.g_idx.push_back(static_cast<std::int32_t>(k / size));
    std::ranges::shuffle(packed.g_idx, random);
  }
  return packed;
}

}  // namespace kernels
