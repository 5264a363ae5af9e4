// Checks the shapes of every call and hands it to the kernels of the chosen instruction set.
#include "kernels/cpu/cpu_backend.hpp"

#include <algorithm>
#include <cassert>
#include <optional>
#include <vector>

#include "kernels/cpu/pages.hpp"
#include "kernels/cpu/products.hpp"
#include "kernels/cpu/top_k.hpp"
#include "kernels/token_sampler.hpp"

namespace kernels {
namespace {

const KernelTable* find_kernels(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::avx512:
      return find_kernels_avx512();
    case CpuIsa::avx2:
      return find_kernels_avx2();
    case CpuIsa::portable:
      break;
  }
  return find_kernels_portable();
}

std::string_view name_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::avx512:
      return "cpu-avx512";
    case CpuIsa::avx2:
      return "cpu-avx2";
    case CpuIsa::portable:
      break;
  }
  return "cpu-portable";
}

constexpr std::size_t kRowsPerThread = 4;      ///< of choosing: rows differ in what they cost, and each has a workspace
constexpr std::size_t kRowsByColumns = 8;      ///< as many as a tile of a product has, about
constexpr std::size_t kElementsAlone = 16384;  ///< below this a loop over rows is not worth a second thread

class CpuBackend final : public Backend {
 public:
  CpuBackend(CpuIsa isa, const BackendOptions& options)
      : name_(name_of(isa)),
        kernels_(find_kernels(isa)),
        ahead_(kernels_ == nullptr    ? 1
               : options.threads == 0 ? usable_cores()
                                      : options.threads),
        pool_(ahead_.threads(), [this](std::size_t thread) { return ahead_.fetch(thread); }) {
    if (kernels_ != nullptr) products_.emplace(*kernels_, pool_, ahead_, options.precision);
  }

  std::string_view name() const noexcept override { return name_; }
  bool available() const noexcept override { return kernels_ != nullptr; }

  std::unique_ptr<const WeightMatrix> upload(std::span<const GptqMatrix> parts,
                                             std::span<const float> bias) const override {
    return std::make_unique<PanelMatrix>(parts, bias, arena_, [this](std::size_t count, const auto& body) {
      constexpr std::size_t kPanels = 8;
      pool_.run((count - 1) / kPanels + 1,
                [&](std::size_t i) { body(i * kPanels, std::min((i + 1) * kPanels, count)); });
    });
  }
  std::unique_ptr<const WeightMatrix> upload(const DenseMatrix& weights, std::span<const float> bias) const override {
    return std::make_unique<HostDenseMatrix>(weights, bias, arena_);
  }
  std::unique_ptr<Buffer> make_buffer(std::size_t size) const override { return std::make_unique<HostBuffer>(size); }
  void write(const Rows& to, std::span<const float> values) override {
    const HostRows rows(to);
    assert(values.size() == rows.rows() * rows.cols());
    for (std::size_t r = 0; r < rows.rows(); ++r)
      std::copy_n(values.data() + r * rows.cols(), rows.cols(), rows.row(r));
  }
  std::span<const float> view(const Rows& from) override {
    const HostRows rows(from);
    assert(rows.rows() <= 1 || rows.stride() == rows.cols());
    return {rows.row(0), rows.rows() * rows.cols()};
  }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) const override {
    return std::make_unique<HostKvCache>(shape, arena_);
  }
  void copy_blocks(KvCache& cache, std::span<const BlockCopy> copies) override {
    for (const BlockCopy& copy : copies) dynamic_cast<HostKvCache&>(cache).copy(copy);
  }

  void embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) override;
  using Backend::matmul;
  void matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) override;
  void rmsnorm(const Rows& x, const Rows& weight, float epsilon, const Rows& y) override;
  void add_rmsnorm(const Rows& delta, const Rows& x, const Rows& weight, float epsilon, const Rows& y) override;
  void silu_mul(const Rows& gate, const Rows& up, const Rows& y) override;
  void gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) override;
  std::unique_ptr<const PagedBatch> plan(std::span<const SequenceRows> sequences, std::span<const float> frequencies,
                                         const KvShape& shape) const override {
    return std::make_unique<HostBatch>(sequences, frequencies, shape);
  }
  void rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                      const Rows& v) override;
  void attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                 const Rows& y) override;
  void top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) override;
  void sample(const Rows& logits, std::size_t usable, std::span<const SampleRow> rows,
              std::span<SampledId> results) override;
  bool samples_in_place() const noexcept override { return true; }

 private:
  /// Calls body(row) for every row, in parallel where there is enough to do.
  template <class Body>
  void for_rows(std::size_t rows, std::size_t cols, const Body& body) {
    if (rows == 0) return;
    const std::size_t step = rows * cols < kElementsAlone ? rows : std::max<std::size_t>(kElementsAlone / 4 / cols, 1);
    pool_.run((rows - 1) / step + 1, [&](std::size_t chunk) {
      for (std::size_t row = chunk * step; row < std::min((chunk + 1) * step, rows); ++row) body(row);
    });
  }

  std::string_view name_;
  const KernelTable* kernels_;
  ReadAhead ahead_;          // Waiting threads use it: it goes after they have ended.
  mutable ThreadPool pool_;  // Uploading shares the threads; one caller at a time, as everything here.
  mutable WeightArena arena_;
  std::optional<Products> products_;
  std::vector<TokenSampler> samplers_;  // Workspace of rows that are chosen from at the same time.
};

void CpuBackend::embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) {
  const DenseMatrix& weights = dynamic_cast<const HostDenseMatrix&>(table).weights();
  const HostRows to = shaped(y, ids.size(), weights.in);
  for (std::size_t r = 0; r < ids.size(); ++r) {
    assert(ids[r] >= 0 && static_cast<std::size_t>(ids[r]) < weights.out);
    for (std::size_t k = 0; k < weights.in; ++k) to.row(r)[k] = weights.at(static_cast<std::size_t>(ids[r]), k);
  }
}

void CpuBackend::matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) {
  const HostRows from = shaped(x, x.rows, weights.in());
  const HostRows to = shaped(y, x.rows, weights.out());
  if (const auto* panels = dynamic_cast<const PanelMatrix*>(&weights)) return products_->multiply(*panels, from, to);
  products_->multiply(dynamic_cast<const HostDenseMatrix&>(weights), from, to);
}

void CpuBackend::rmsnorm(const Rows& x, const Rows& weight, float epsilon, const Rows& y) {
  const HostRows from(x);
  const HostRows to = shaped(y, x.rows, x.cols);
  const float* const factors = shaped(weight, 1, x.cols).row(0);
  for_rows(x.rows, x.cols,
           [&](std::size_t r) { kernels_->rmsnorm(nullptr, from.row(r), factors, epsilon, to.row(r), x.cols); });
}

void CpuBackend::add_rmsnorm(const Rows& delta, const Rows& x, const Rows& weight, float epsilon, const Rows& y) {
  const HostRows residual(x);
  const HostRows added = shaped(delta, x.rows, x.cols);
  const HostRows to = shaped(y, x.rows, x.cols);
  const float* const factors = shaped(weight, 1, x.cols).row(0);
  for_rows(x.rows, x.cols, [&](std::size_t r) {
    kernels_->rmsnorm(added.row(r), residual.row(r), factors, epsilon, to.row(r), x.cols);
  });
}

/// Few rows are cut by columns as the product before leaves them and the arranging for the next one takes them, so that
/// most of it stays in the caches of one core.
void CpuBackend::silu_mul(const Rows& gate, const Rows& up, const Rows& y) {
  const HostRows gates(gate);
  const HostRows ups = shaped(up, gate.rows, gate.cols);
  const HostRows to = shaped(y, gate.rows, gate.cols);
  const std::size_t blocks = (gate.cols - 1) / kMaxBlockRows + 1;
  const std::size_t parts = gate.rows > kRowsByColumns               ? 1
                            : gate.rows * gate.cols < kElementsAlone ? 1
                                                                     : std::min(pool_.threads(), blocks);
  if (parts == 1) {
    return for_rows(gate.rows, gate.cols,
                    [&](std::size_t r) { kernels_->silu_mul(gates.row(r), ups.row(r), to.row(r), gate.cols); });
  }
  pool_.run(parts, [&](std::size_t part) {
    const std::size_t first = kMaxBlockRows * (blocks * part / parts);
    const std::size_t last = std::min(kMaxBlockRows * (blocks * (part + 1) / parts), gate.cols);
    for (std::size_t r = 0; r < gate.rows; ++r) {
      kernels_->silu_mul(gates.row(r) + first, ups.row(r) + first, to.row(r) + first, last - first);
    }
  });
}

void CpuBackend::gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) {
  const HostRows from(x);
  const HostRows to = shaped(y, rows.size(), x.cols);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    assert(rows[r] >= 0 && static_cast<std::size_t>(rows[r]) < x.rows);
    std::copy_n(from.row(static_cast<std::size_t>(rows[r])), x.cols, to.row(r));
  }
}

void CpuBackend::rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q,
                                const Rows& k, const Rows& v) {
  auto& pages = dynamic_cast<HostKvCache&>(cache);
  const std::size_t width = pages.shape().kv_heads * pages.shape().head_dim;
  kernels::rope_and_store(*kernels_, pool_, dynamic_cast<const HostBatch&>(batch), pages, layer,
                          shaped(q, batch.rows(), q.cols), shaped(k, batch.rows(), width),
                          shaped(v, batch.rows(), width));
}

void CpuBackend::attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                           const Rows& y) {
  attend(*kernels_, pool_, dynamic_cast<const HostBatch&>(batch), dynamic_cast<const HostKvCache&>(cache), layer,
         shaped(q, batch.rows(), q.cols), shaped(y, batch.rows(), q.cols));
}

void CpuBackend::top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) {
  const HostRows from(x);
  assert(k > 0 && k <= x.cols && x.cols <= INT32_MAX);
  assert(values.size() == x.rows * k && ids.size() == x.rows * k);
  for_rows(x.rows, x.cols, [&](std::size_t r) {
    find_top_k(*kernels_, from.span(r), values.subspan(r * k, k), ids.subspan(r * k, k));
  });
}

/// Each row alone, by the one arithmetic of all backends: threads share out the rows.
void CpuBackend::sample(const Rows& logits, std::size_t usable, std::span<const SampleRow> rows,
                        std::span<SampledId> results) {
  const HostRows from(logits);
  assert(usable > 0 && usable <= logits.cols && usable <= kMaxVocabulary);
  assert(rows.size() == logits.rows && results.size() == logits.rows);
  const std::size_t together = std::min(rows.size(), kRowsPerThread * pool_.threads());
  samplers_.resize(std::max(samplers_.size(), together));
  pool_.run(together, [&](std::size_t chunk) {
    for (std::size_t r = chunk; r < rows.size(); r += together) {
      results[r] = samplers_[chunk].sample(from.span(r).first(usable), rows[r]);
    }
  });
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(CpuIsa isa, const BackendOptions& options) {
  return std::make_unique<CpuBackend>(isa, options);
}

}  // namespace kernels
