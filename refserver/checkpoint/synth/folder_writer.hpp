// Writes safetensors files tensor by tensor, in any order, without holding any: first the list, then the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/dtype.hpp"

namespace refserver {

/// One tensor to be written.
struct TensorPlan {
  std::string name;
  Dtype dtype = Dtype::f16;
  std::vector<std::uint64_t> shape;

  std::uint64_t bytes() const noexcept;
};

/// Called with the bytes written so far and in all.
using WriteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

class FolderWriter {
 public:
  /// Creates `model.safetensors`, or, when the tensors have more than `max_shard_bytes`, shards filled in the order of
  /// `tensors` and their index. Files there already are an error.
  static CheckpointResult<FolderWriter> create(const std::filesystem::path& folder,
                                               const std::vector<TensorPlan>& tensors, std::uint64_t max_shard_bytes,
                                               WriteProgress progress);

  FolderWriter(FolderWriter&&) noexcept;
  FolderWriter& operator=(FolderWriter&&) noexcept;
  ~FolderWriter();

  /// Appends to tensor `name`, which must be one of the list and have room (asserted).
  CheckpointResult<void> append(const std::string& name, std::span<const std::byte> bytes);
  /// Checks that every tensor is whole (asserted) and closes the files.
  CheckpointResult<void> finish();

  std::uint64_t total_bytes() const noexcept;
  std::size_t file_count() const noexcept;

 private:
  struct State;
  explicit FolderWriter(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// Creates a file with this text; one there already is an error.
CheckpointResult<void> write_new_file(const std::filesystem::path& path, std::string_view text);

}  // namespace refserver
