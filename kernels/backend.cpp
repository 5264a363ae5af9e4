// The one list of backends, and what all of them share.
#include "kernels/backend.hpp"

#include <algorithm>
#include <cassert>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/int8_rows.hpp"
#include "kernels/reference/reference_backend.hpp"
#include "kernels/token_sampler.hpp"

namespace kernels {

bool can_join(std::span<const GptqMatrix> parts) noexcept {
  if (parts.empty()) return false;
  const GptqMatrix& first = parts.front();
  return std::ranges::all_of(parts.subspan(1), [&](const GptqMatrix& part) {
    if (part.in() != first.in() || part.bits() != first.bits() || part.groups() != first.groups()) return false;
    for (std::size_t k = 0; k < first.in(); ++k) {
      if (part.group(k) != first.group(k)) return false;
    }
    return true;
  });
}

Result<std::unique_ptr<const WeightMatrix>, FormatError> Backend::upload_head(const DenseMatrix& weights, unsigned bits,
                                                                              const std::string& name) const {
  assert(bits == 4 || bits == 8);
  const auto packed = quantise_rows(weights, kHeadGroup, name, bits);
  if (packed.has_error()) return packed.error();
  const auto rounded = make_gptq_matrix(packed->tensors(), kHeadGroup);
  if (rounded.has_error()) return rounded.error();
  return upload(*rounded);
}

void Backend::matmul(const WeightMatrix& weights, std::span<const float> x, std::size_t rows, std::span<float> y) {
  assert(x.size() == rows * weights.in() && y.size() == rows * weights.out());
  if (rows == 0) return;
  const auto from = make_buffer(x.size());
  const auto to = make_buffer(y.size());
  const Rows result = rows_of(*to, rows, weights.out());
  write(rows_of(*from, rows, weights.in()), x);
  matmul(weights, rows_of(*from, rows, weights.in()), result);
  std::ranges::copy(view(result), y.begin());
}

void Backend::sample(const Rows& logits, std::size_t usable, std::span<const SampleRow> rows,
                     std::span<SampledId> results) {
  assert(usable > 0 && usable <= logits.cols && usable <= kMaxVocabulary);
  assert(rows.size() == logits.rows && results.size() == logits.rows);
  TokenSampler sampler;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    results[i] = sampler.sample(view(logits.slice(i, 1)).first(usable), rows[i]);
  }
}

std::vector<std::unique_ptr<Backend>> available_backends(const BackendOptions& options) {
  std::vector<std::unique_ptr<Backend>> all;
  for (const CpuIsa isa : {CpuIsa::avx512, CpuIsa::avx2, CpuIsa::portable}) {
    all.push_back(make_cpu_backend(isa, options));
  }
  all.push_back(make_reference_backend());
  std::erase_if(all, [](const auto& backend) { return !backend->available(); });
  return all;
}

}  // namespace kernels
