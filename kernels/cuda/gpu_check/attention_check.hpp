// Attention at several contexts and KV types, in floats and on tensor cores; the two are compared first.
#pragma once

#include <cmath>

#include "kernels/bench/model_shapes.hpp"
#include "kernels/cuda/gpu_check/meter.hpp"

namespace kernels::gpu_check {

class AttentionCheck {
 public:
  AttentionCheck(Meter& meter, const bench::ModelShape& model) : meter_(meter), model_(model) {}

  void run(KvType type) {
    std::vector<Case> cases{{1, 1, 512}, {16, 1, 512}, {64, 1, 512}, {1, 1, 8192}, {1, 512, 512}, {1, 256, 4096}};
    if (meter_.emulated()) cases = {{1, 1, 20}, {1, 9, 20}};
    for (const Case& c : cases) measure(c, type);
  }

 private:
  struct Case {
    std::size_t sequences;
    std::size_t rows;
    std::size_t context;
  };

  void measure(const Case& c, KvType type) {
    const std::string name = fmt::format("{} attention, {} sequences of {} rows at {} tokens, KV {}", model_.name,
                                         c.sequences, c.rows, c.context, name_of(type));
    if (!meter_.has_time(name)) return;
    const std::size_t blocks = (c.context + 15) / 16;
    const KvShape shape{.layers = 1,
                        .blocks = blocks * c.sequences,
                        .kv_heads = model_.kv_heads,
                        .head_dim = model_.head_dim,
                        .type = type};
    const auto on = meter_.backend();
    const auto cache = on->make_kv_cache(shape);
    std::vector<std::vector<std::int32_t>> tables(c.sequences);
    std::vector<SequenceRows> sequences;
    for (std::size_t s = 0; s < c.sequences; ++s) {
      for (std::size_t b = 0; b < blocks; ++b) tables[s].push_back(static_cast<std::int32_t>(s * blocks + b));
      sequences.push_back({c.rows, c.context - c.rows, tables[s]});
    }
    for (const auto& table : tables) fill_cache(*on, *cache, table, c.context);
    const std::size_t rows = c.sequences * c.rows;
    const std::size_t width = model_.heads * model_.head_dim;
    const auto q = on->make_buffer(rows * width);
    const auto y = on->make_buffer(rows * width);
    Meter::fill(*on, rows_of(*q, rows, width));
    std::vector<float> in_floats;
    for (const std::size_t tensor_rows : {std::size_t{0}, std::size_t{2}}) {
      if (tensor_rows > c.rows) continue;
      const auto by = meter_.backend({.tensor_attention_rows = tensor_rows});
      const auto plan = by->plan(sequences, rope_frequencies({.head_dim = model_.head_dim}), shape);
      const double time =
          meter_.seconds([&] { by->attention(*plan, *cache, 0, rows_of(*q, rows, width), rows_of(*y, rows, width)); });
      meter_.report().add(tensor_rows == 0 ? name : name + ", tensor cores", time * 1e6, "us",
                          fmt::format("{:.0f} GB/s of KV", static_cast<double>(cache->bytes()) / time / 1e9));
      const auto seen = by->view(rows_of(*y, rows, width));
      if (tensor_rows == 0) {
        in_floats.assign(seen.begin(), seen.end());
      } else {
        compare(in_floats, seen, name);
      }
    }
  }
  /// Values are at most 1, sums of weights too.
  static void compare(const std::vector<float>& expected, std::span<const float> actual, const std::string& name) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!(std::abs(expected[i] - actual[i]) <= 1e-5F)) {
        throw std::runtime_error(
            fmt::format("{}: [{}] is {} on tensor cores and {} in floats", name, i, actual[i], expected[i]));
      }
    }
  }
  /// One sequence's keys and values: some of everything, for NaNs would be skipped.
  void fill_cache(Backend& on, KvCache& cache, std::span<const std::int32_t> table, std::size_t context) {
    const std::size_t q = model_.heads * model_.head_dim;
    const std::size_t kv = model_.kv_heads * model_.head_dim;
    const auto buffer = on.make_buffer(context * model_.qkv());
    const Rows rows = rows_of(*buffer, context, model_.qkv());
    Meter::fill(on, rows);
    const std::vector<SequenceRows> sequence{{context, 0, table}};
    const auto plan = on.plan(sequence, rope_frequencies({.head_dim = model_.head_dim}), cache.shape());
    on.rope_and_store(*plan, cache, 0, rows.columns(0, q), rows.columns(q, kv), rows.columns(q + kv, kv));
  }
  static const char* name_of(KvType type) {
    return type == KvType::f16 ? "fp16" : type == KvType::fp8 ? "fp8" : "int8";
  }

  Meter& meter_;
  bench::ModelShape model_;
};

}  // namespace kernels::gpu_check
