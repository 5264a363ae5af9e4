// Checks the shapes of every call and launches the kernels.
#include "kernels/cuda/cuda_backend.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <string>

#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/chooser.hpp"
#include "kernels/cuda/head.hpp"
#include "kernels/cuda/products.hpp"
#include "kernels/cuda/step_graphs.hpp"
#include "kernels/host_buffer.hpp"

namespace kernels {
namespace cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::shared_ptr<Device> device, std::string_view name, const CudaOptions& options)
      : device_(std::move(device)),
        name_(name),
        tensor_attention_rows_(options.tensor_attention_rows),
        step_launch_(options.step_launch),
        products_(device_, options),
        repair_(device_),
        chooser_(device_),
        graphs_(device_) {}

  std::string_view name() const noexcept override { return name_; }
  bool available() const noexcept override { return true; }

  std::unique_ptr<const WeightMatrix> upload(std::span<const GptqMatrix> parts,
                                             std::span<const float> bias) const override {
    return std::make_unique<TileMatrix>(device_, parts, bias);
  }
  std::unique_ptr<const WeightMatrix> upload(const DenseMatrix& weights, std::span<const float> bias) const override {
    return std::make_unique<HostedMatrix>(device_, weights, bias);
  }
  Result<std::unique_ptr<const WeightMatrix>, FormatError> upload_head(const DenseMatrix& weights, unsigned bits,
                                                                       const std::string& name) const override {
    return HeadMatrix::make(device_, weights, bits, name);
  }
  std::unique_ptr<Buffer> make_buffer(std::size_t size) const override {
    return std::make_unique<CudaBuffer>(device_, size);
  }
  void write(const Rows& to, std::span<const float> values) override;
  std::span<const float> view(const Rows& from) override;
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) const override {
    return std::make_unique<CudaKvCache>(device_, shape);
  }
  void copy_blocks(KvCache& cache, std::span<const BlockCopy> copies) override {
    for (const BlockCopy& copy : copies) dynamic_cast<CudaKvCache&>(cache).copy(copy);
  }

  void embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) override;
  using Backend::matmul;
  void matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) override;
  void rmsnorm(const Rows& x, const Rows& weight, float epsilon, const Rows& y) override {
    norm(device_rows(x), {}, weight, epsilon, x, y);
  }
  void add_rmsnorm(const Rows& delta, const Rows& x, const Rows& weight, float epsilon, const Rows& y) override {
    norm(device_rows(x), shaped_rows(delta, x.rows, x.cols), weight, epsilon, x, y);
  }
  void silu_mul(const Rows& gate, const Rows& up, const Rows& y) override;
  void gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) override;
  std::unique_ptr<const PagedBatch> plan(std::span<const SequenceRows> sequences, std::span<const float> frequencies,
                                         const KvShape& shape) const override {
    return std::make_unique<CudaBatch>(device_, sequences, frequencies, shape, tensor_attention_rows_);
  }
  void rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                      const Rows& v) override;
  void attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                 const Rows& y) override;
  void repeat(std::uint64_t key, const PagedBatch& batch, const std::function<void()>& work) override {
    if (step_launch_ == StepLaunch::one_by_one) return work();
    graphs_.repeat(key, dynamic_cast<const CudaBatch&>(batch), work, [this] {
      const auto of_products = products_.workspaces();
      std::vector<const void*> all(of_products.begin(), of_products.end());
      all.push_back(partials_.data());
      return all;
    });
  }
  void sample(const Rows& logits, std::size_t usable, std::span<const SampleRow> rows,
              std::span<SampledId> results) override {
    assert(usable > 0 && usable <= logits.cols && usable <= kMaxVocabulary && rows.size() == logits.rows);
    chooser_.choose(device_rows(logits), usable, rows, results);
  }
  bool samples_in_place() const noexcept override { return true; }
  void top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) override;

 private:
  void norm(const DeviceRows& x, const DeviceRows& delta, const Rows& weight, float epsilon, const Rows& shape,
            const Rows& y) {
    device_->launch<NormKernel>(shape.rows, {.x = x,
                                             .delta = delta,
                                             .weight = shaped_rows(weight, 1, shape.cols).data,
                                             .y = shaped_rows(y, shape.rows, shape.cols),
                                             .cols = static_cast<std::uint32_t>(shape.cols),
                                             .epsilon = epsilon});
  }
  void top_k_on_host(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids);

  std::shared_ptr<Device> device_;
  std::string name_;
  std::size_t tensor_attention_rows_;
  StepLaunch step_launch_;
  Products products_;
  HeadRepair repair_;
  Chooser chooser_;
  StepGraphs graphs_;
  DeviceArray<float> partials_;     ///< of attention
  DeviceArray<std::int32_t> rows_;  ///< of gather
  DeviceArray<float> top_values_;
  DeviceArray<std::int32_t> top_ids_;
  std::vector<float> viewed_;
};

void CudaBackend::write(const Rows& to, std::span<const float> values) {
  const DeviceRows rows = device_rows(to);
  assert(values.size() == to.rows * to.cols);
  if (to.rows <= 1 || to.stride == to.cols) {
    if (!values.empty()) device_->copy_in(rows.data, values.data(), values.size_bytes());
    return;
  }
  for (std::size_t r = 0; r < to.rows; ++r) {
    device_->copy_in(rows.data + r * rows.stride, values.data() + r * to.cols, to.cols * sizeof(float));
  }
}

std::span<const float> CudaBackend::view(const Rows& from) {
  const DeviceRows rows = device_rows(from);
  assert(from.rows <= 1 || from.stride == from.cols);
  viewed_.resize(from.rows * from.cols);
  if (!viewed_.empty()) device_->copy_out(viewed_.data(), rows.data, viewed_.size() * sizeof(float));
  return viewed_;
}

void CudaBackend::embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) {
  const DenseMatrix& weights = dynamic_cast<const HostedMatrix&>(table).weights();
  assert(y.rows == ids.size() && y.cols == weights.in);
  std::vector<float> values(ids.size() * weights.in);
  for (std::size_t r = 0; r < ids.size(); ++r) {
    assert(ids[r] >= 0 && static_cast<std::size_t>(ids[r]) < weights.out);
    for (std::size_t k = 0; k < weights.in; ++k) {
      values[r * weights.in + k] = weights.at(static_cast<std::size_t>(ids[r]), k);
    }
  }
  write(y, values);
}

void CudaBackend::matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) {
  const DeviceRows from = shaped_rows(x, x.rows, weights.in());
  const DeviceRows to = shaped_rows(y, x.rows, weights.out());
  if (const auto* tiles = dynamic_cast<const TileMatrix*>(&weights)) {
    return products_.multiply(*tiles, from, to, x.rows);
  }
  if (const auto* head = dynamic_cast<const HeadMatrix*>(&weights)) {
    products_.multiply(head->codes(), from, to, x.rows);
    return repair_.repair(*head, from, to, x.rows);
  }
  const auto& hosted = dynamic_cast<const HostedMatrix&>(weights);
  if (const TileMatrix* tiles = hosted.tiles()) return products_.multiply(*tiles, from, to, x.rows);
  products_.multiply(*hosted.floats(), hosted, from, to, x.rows);
}

void CudaBackend::silu_mul(const Rows& gate, const Rows& up, const Rows& y) {
  const std::size_t per_row = (gate.cols + SiluKernel::kColsPerBlock - 1) / SiluKernel::kColsPerBlock;
  device_->launch<SiluKernel>(gate.rows * per_row, {.gate = device_rows(gate),
                                                    .up = shaped_rows(up, gate.rows, gate.cols),
                                                    .y = shaped_rows(y, gate.rows, gate.cols),
                                                    .cols = static_cast<std::uint32_t>(gate.cols),
                                                    .blocks_per_row = static_cast<std::uint32_t>(per_row)});
}

void CudaBackend::gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) {
  const DeviceRows from = device_rows(x);
  const DeviceRows to = shaped_rows(y, rows.size(), x.cols);
  for (const std::int32_t row : rows) assert(row >= 0 && static_cast<std::size_t>(row) < x.rows);
  if (rows.empty()) return;
  rows_.reserve(device_, rows.size());
  device_->copy_in(rows_.data(), rows.data(), rows.size_bytes());
  device_->launch<GatherKernel>(rows.size(),
                                {.x = from, .rows = rows_.data(), .y = to, .cols = static_cast<std::uint32_t>(x.cols)});
}

void CudaBackend::rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q,
                                 const Rows& k, const Rows& v) {
  auto& pages = dynamic_cast<CudaKvCache&>(cache);
  const KvShape& shape = pages.shape();
  const std::size_t width = shape.kv_heads * shape.head_dim;
  assert(layer < shape.layers && q.cols % shape.head_dim == 0);
  RopeArgs args = dynamic_cast<const CudaBatch&>(batch).rope_args(pages);
  args.q = shaped_rows(q, batch.rows(), q.cols);
  args.k = shaped_rows(k, batch.rows(), width);
  args.v = shaped_rows(v, batch.rows(), width);
  args.layer = static_cast<std::uint32_t>(layer);
  args.heads = static_cast<std::uint32_t>(q.cols / shape.head_dim);
  device_->launch<RopeKernel>(batch.rows(), args);
}

void CudaBackend::attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                            const Rows& y) {
  const auto& pages = dynamic_cast<const CudaKvCache&>(cache);
  const KvShape& shape = pages.shape();
  assert(layer < shape.layers && q.cols > 0 && q.cols % (shape.head_dim * shape.kv_heads) == 0);
  AttendArgs args{};
  args.cache = pages.view();
  args.layer = static_cast<std::uint32_t>(layer);
  args.q = shaped_rows(q, batch.rows(), q.cols);
  args.y = shaped_rows(y, batch.rows(), q.cols);
  args.heads = static_cast<std::uint32_t>(q.cols / shape.head_dim);
  dynamic_cast<const CudaBatch&>(batch).attend(args, partials_);
}

void CudaBackend::top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) {
  const DeviceRows from = device_rows(x);
  assert(k > 0 && k <= x.cols && values.size() == x.rows * k && ids.size() == x.rows * k);
  if (x.rows == 0) return;
  if (k > kMaxTopK) return top_k_on_host(x, k, values, ids);
  top_values_.reserve(device_, values.size());
  top_ids_.reserve(device_, ids.size());
  device_->launch<TopKKernel>(x.rows, {.x = from,
                                       .cols = static_cast<std::uint32_t>(x.cols),
                                       .k = static_cast<std::uint32_t>(k),
                                       .values = top_values_.data(),
                                       .ids = top_ids_.data()});
  device_->copy_out(values.data(), top_values_.data(), values.size_bytes());
  device_->copy_out(ids.data(), top_ids_.data(), ids.size_bytes());
}

void CudaBackend::top_k_on_host(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) {
  std::vector<std::int32_t> order(x.cols);
  for (std::size_t row = 0; row < x.rows; ++row) {
    const auto from = view(x.slice(row, 1));
    const auto key = [&](std::int32_t id) {
      return TopKKernel::key_of(from[static_cast<std::size_t>(id)], static_cast<std::uint32_t>(id));
    };
    std::iota(order.begin(), order.end(), 0);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(k);
    std::ranges::partial_sort(order, end, [&](std::int32_t a, std::int32_t b) { return key(a) > key(b); });
    for (std::size_t i = 0; i < k; ++i) {
      ids[row * k + i] = order[i];
      values[row * k + i] = from[static_cast<std::size_t>(order[i])];
    }
  }
}

}  // namespace
}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend(std::shared_ptr<cuda::Device> device, std::string_view name,
                                           const CudaOptions& options) {
  assert(device != nullptr);
  return std::make_unique<cuda::CudaBackend>(std::move(device), name, options);
}

}  // namespace kernels
