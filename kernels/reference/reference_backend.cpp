// Must stay naive: no layout, no blocking, no reuse between rows. Its worth is that it is obviously right.
#include "kernels/reference/reference_backend.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/host_buffer.hpp"
#include "kernels/reference/reference_attention.hpp"

namespace kernels {
namespace {

/// W[k][n] as floats: exact for both bits and for every dense type.
class ReferenceMatrix final : public WeightMatrix {
 public:
  ReferenceMatrix(std::span<const GptqMatrix> parts, std::span<const float> bias) : in_(parts.front().in()) {
    assert(can_join(parts));
    for (const GptqMatrix& part : parts) {
      for (std::size_t n = 0; n < part.out(); ++n) {
        for (std::size_t k = 0; k < in_; ++k) weights_.push_back(part.weight(k, n));
      }
      out_ += part.out();
    }
    set_bias(bias);
  }
  ReferenceMatrix(const DenseMatrix& weights, std::span<const float> bias) : in_(weights.in), out_(weights.out) {
    assert(in_ > 0 && out_ > 0 && weights.data.size() / in_ / dense_size(weights.type) == out_);
    assert(weights.data.size() == in_ * out_ * dense_size(weights.type));
    for (std::size_t n = 0; n < out_; ++n) {
      for (std::size_t k = 0; k < in_; ++k) weights_.push_back(weights.at(n, k));
    }
    set_bias(bias);
  }
  std::size_t in() const noexcept override { return in_; }
  std::size_t out() const noexcept override { return out_; }
  std::size_t bytes() const noexcept override { return weights_.size() * sizeof(float); }
  double weight(std::size_t n, std::size_t k) const noexcept { return weights_[n * in_ + k]; }
  double bias(std::size_t n) const noexcept { return bias_[n]; }

 private:
  void set_bias(std::span<const float> bias) {
    assert(bias.empty() || bias.size() == out_);
    bias_.assign(bias.begin(), bias.end());
    bias_.resize(out_, 0.0F);
  }

  std::size_t in_;
  std::size_t out_ = 0;
  std::vector<float> weights_;  // [out][in]
  std::vector<float> bias_;
};

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "reference"; }
  bool available() const noexcept override { return true; }

  std::unique_ptr<const WeightMatrix> upload(std::span<const GptqMatrix> parts,
                                             std::span<const float> bias) const override {
    return std::make_unique<ReferenceMatrix>(parts, bias);
  }
  std::unique_ptr<const WeightMatrix> upload(const DenseMatrix& weights, std::span<const float> bias) const override {
    return std::make_unique<ReferenceMatrix>(weights, bias);
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
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) const override { return make_reference_kv_cache(shape); }
  void copy_blocks(KvCache& cache, std::span<const BlockCopy> copies) override { reference_copy_blocks(cache, copies); }

  void embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) override {
    const auto& w = dynamic_cast<const ReferenceMatrix&>(table);
    const HostRows to = shaped(y, ids.size(), w.in());
    for (std::size_t r = 0; r < ids.size(); ++r) {
      assert(ids[r] >= 0 && static_cast<std::size_t>(ids[r]) < w.out());
      for (std::size_t k = 0; k < w.in(); ++k) {
        to.row(r)[k] = static_cast<float>(w.weight(static_cast<std::size_t>(ids[r]), k));
      }
    }
  }

  using Backend::matmul;
  void matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) override {
    const auto& w = dynamic_cast<const ReferenceMatrix&>(weights);
    const HostRows from = shaped(x, x.rows, w.in());
    const HostRows to = shaped(y, x.rows, w.out());
    for (std::size_t row = 0; row < x.rows; ++row) {
      for (std::size_t n = 0; n < w.out(); ++n) {
        double sum = w.bias(n);
        for (std::size_t k = 0; k < w.in(); ++k) sum += from.row(row)[k] * w.weight(n, k);
        to.row(row)[n] = static_cast<float>(sum);
      }
    }
  }

  void rmsnorm(const Rows& x, const Rows& weight, float epsilon, const Rows& y) override {
    const HostRows from(x);
    const HostRows to = shaped(y, x.rows, x.cols);
    const HostRows factors = shaped(weight, 1, x.cols);
    for (std::size_t row = 0; row < x.rows; ++row) {
      double squares = 0;
      for (const float value : from.span(row)) squares += static_cast<double>(value) * value;
      const double inverse = 1 / std::sqrt(squares / static_cast<double>(x.cols) + epsilon);
      for (std::size_t i = 0; i < x.cols; ++i) {
        to.row(row)[i] = static_cast<float>(from.row(row)[i] * inverse * factors.row(0)[i]);
      }
    }
  }
  void add_rmsnorm(const Rows& delta, const Rows& x, const Rows& weight, float epsilon, const Rows& y) override {
    const HostRows residual(x);
    const HostRows added = shaped(delta, x.rows, x.cols);
    for (std::size_t row = 0; row < x.rows; ++row) {
      for (std::size_t i = 0; i < x.cols; ++i) residual.row(row)[i] += added.row(row)[i];
    }
    rmsnorm(x, weight, epsilon, y);
  }
  void silu_mul(const Rows& gate, const Rows& up, const Rows& y) override {
    const HostRows gates(gate);
    const HostRows ups = shaped(up, gate.rows, gate.cols);
    const HostRows to = shaped(y, gate.rows, gate.cols);
    for (std::size_t row = 0; row < gate.rows; ++row) {
      for (std::size_t i = 0; i < gate.cols; ++i) {
        const double z = gates.row(row)[i];
        to.row(row)[i] = static_cast<float>(z / (1 + std::exp(-z)) * ups.row(row)[i]);
      }
    }
  }
  void gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) override {
    const HostRows from(x);
    const HostRows to = shaped(y, rows.size(), x.cols);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      assert(rows[r] >= 0 && static_cast<std::size_t>(rows[r]) < x.rows);
      std::copy_n(from.row(static_cast<std::size_t>(rows[r])), x.cols, to.row(r));
    }
  }

  std::unique_ptr<const PagedBatch> plan(std::span<const SequenceRows> sequences, std::span<const float> frequencies,
                                         const KvShape& shape) const override {
    return make_reference_batch(sequences, frequencies, shape);
  }
  void rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                      const Rows& v) override {
    reference_rope_and_store(batch, cache, layer, q, k, v);
  }
  void attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                 const Rows& y) override {
    reference_attention(batch, cache, layer, q, y);
  }

  void top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) override {
    const HostRows from(x);
    assert(k > 0 && k <= x.cols && values.size() == x.rows * k && ids.size() == x.rows * k);
    std::vector<std::int32_t> order(x.cols);
    for (std::size_t row = 0; row < x.rows; ++row) {
      const auto value = [&](std::int32_t id) { return from.row(row)[id]; };
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](std::int32_t a, std::int32_t b) {
        return std::isnan(value(a)) ? false : std::isnan(value(b)) || value(a) > value(b);
      });
      for (std::size_t i = 0; i < k; ++i) {
        ids[row * k + i] = order[i];
        values[row * k + i] = value(order[i]);
      }
    }
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace kernels
