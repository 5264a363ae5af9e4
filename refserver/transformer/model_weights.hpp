// A checkpoint's weights in a backend's memory, in the shape a forward pass wants: projections of the same input joined
// where the files allow it. Knows no sequences.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.hpp"
#include "refserver/checkpoint/checkpoint.hpp"

namespace refserver {

/// How the output layer is kept. A plain one of 16 bits is a large part of what a small model reads for each token.
enum class HeadStorage : std::uint8_t {
  as_stored,
  int8,  ///< plain weights are rounded to 8 bits in groups of 128; quantised ones stay as they are
  int4,  ///< or to 4 bits
};

/// Linear layers that read the same rows and write side by side: [q | k | v], [gate | up], or one alone.
class Projection {
 public:
  /// Joins the matrices where they are quantised alike; plain ones are used where the file is mapped, kept by `owner`.
  Projection(const kernels::Backend& backend, std::span<const Linear* const> linears,
             const std::shared_ptr<const void>& owner);

  /// One matrix as it is.
  explicit Projection(std::unique_ptr<const kernels::WeightMatrix> matrix) { parts_.push_back(std::move(matrix)); }

  /// y = x * W + bias. x is [rows][in], y is [rows][out].
  void apply(kernels::Backend& backend, const kernels::Rows& x, const kernels::Rows& y) const;
  std::size_t out() const noexcept;
  /// Memory held, in bytes.
  std::size_t bytes() const noexcept;

 private:
  std::vector<std::unique_ptr<const kernels::WeightMatrix>> parts_;  ///< in the order of their columns
};

struct LayerMatrices {
  std::unique_ptr<kernels::Buffer> input_norm;  ///< [hidden]
  Projection qkv;
  Projection o;
  std::unique_ptr<kernels::Buffer> post_attention_norm;  ///< [hidden]
  Projection gate_up;
  Projection down;
};

struct ModelWeights {
  ModelConfig config;
  std::unique_ptr<const kernels::WeightMatrix> embedding;
  std::vector<LayerMatrices> layers;
  std::unique_ptr<kernels::Buffer> final_norm;  ///< [hidden]
  Projection head;
  std::size_t bytes = 0;  ///< of memory held for matrices; those used in the mapped file are not counted
};

/// Copies what has to be copied; the checkpoint lives on for the rest. Refuses a head that cannot be rounded as asked.
CheckpointResult<ModelWeights> upload_weights(kernels::Backend& backend, std::shared_ptr<const Checkpoint> checkpoint,
                                              HeadStorage head);

}  // namespace refserver
