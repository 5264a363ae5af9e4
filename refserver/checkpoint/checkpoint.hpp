// A model folder, opened and checked: every tensor the architecture needs, by layer, as views whose dtype, shape and
// (where kernels rely on it) content hold. Or the one thing that is wrong with it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/gptq_format.hpp"
#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/dtype.hpp"
#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

/// Numbers as stored: F16, BF16 or F32, aligned to nothing.
struct PlainVector {
  Dtype dtype = Dtype::f16;
  std::span<const std::byte> bytes;
  std::size_t size = 0;

  float at(std::size_t i) const { return read_float(dtype, bytes, i); }
};

/// The same as a row-major matrix. Of a linear layer it is [out][in]; of an embedding [vocabulary][hidden].
struct PlainMatrix {
  Dtype dtype = Dtype::f16;
  std::span<const std::byte> bytes;
  std::size_t rows = 0;
  std::size_t cols = 0;

  float at(std::size_t row, std::size_t col) const { return read_float(dtype, bytes, row * cols + col); }
};

/// A quantised weight, and what its content allows a kernel to leave out.
struct QuantizedWeight {
  kernels::GptqMatrix matrix;
  bool is_symmetric = false;     ///< every zero point is the middle (8, at 8 bits 128): qzeros need not be kept
  bool groups_in_order = false;  ///< row k is in group k / group_size: no gather of activations
};

struct Linear {
  std::string_view name;  ///< "model.layers.3.mlp.down_proj"
  std::size_t in = 0;
  std::size_t out = 0;
  std::variant<QuantizedWeight, PlainMatrix> weight;
  std::optional<PlainVector> bias;  ///< none where the file's is absent or all zero

  const QuantizedWeight* quantized() const noexcept { return std::get_if<QuantizedWeight>(&weight); }
  const PlainMatrix* plain() const noexcept { return std::get_if<PlainMatrix>(&weight); }
  /// The weight of row k (input), column n (output), whichever way it is stored. For checks, not for speed.
  float at(std::size_t k, std::size_t n) const;
};

struct LayerWeights {
  PlainVector input_norm;
  Linear q, k, v, o;
  PlainVector post_attention_norm;
  Linear gate, up, down;
};

/// Everything of one model. Views are valid while this object is, wherever it is moved.
class Checkpoint {
 public:
  /// Reads config.json, generation_config.json, quantize_config.json and all safetensors headers of `folder`, and of
  /// the tensors g_idx, qzeros, scales, norms and biases; weights are mapped, not read.
  static CheckpointResult<Checkpoint> open(const std::filesystem::path& folder);

  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  const ModelConfig& config() const noexcept;
  const PlainMatrix& embedding() const noexcept;
  const std::vector<LayerWeights>& layers() const noexcept;
  const PlainVector& final_norm() const noexcept;
  /// With tied embeddings the embedding itself.
  const Linear& lm_head() const noexcept;

  /// What was ignored or assumed, one line each; print them.
  const std::vector<std::string>& warnings() const noexcept;
  /// Bytes of all tensors in the files, used or not.
  std::uint64_t stored_bytes() const noexcept;
  std::size_t file_count() const noexcept;

 private:
  struct Parts;
  explicit Checkpoint(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

/// Reads only the configuration of a folder: for questions that need no weights.
CheckpointResult<ParsedConfig> read_model_config(const std::filesystem::path& folder);

}  // namespace refserver
