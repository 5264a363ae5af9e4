// Every tensor of a model folder by name, whichever of its files it is in. Knows files and headers, no architecture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/dtype.hpp"
#include "refserver/checkpoint/safetensors.hpp"

namespace refserver {

/// One tensor: what its header says, and its bytes in the mapped file. Valid while the store is.
struct TensorView {
  const TensorEntry* entry = nullptr;
  const SafetensorsFile* file = nullptr;
  std::span<const std::byte> bytes;

  std::string_view name() const noexcept { return entry->name; }
  Dtype dtype() const noexcept { return entry->dtype; }
  const std::vector<std::uint64_t>& shape() const noexcept { return entry->shape; }
  /// "I32 [448, 3584]", for messages.
  std::string description() const;
};

class TensorStore {
 public:
  /// Opens `model.safetensors`, or the shards of `model.safetensors.index.json`, or the one other safetensors file
  /// there is; `base_name` (empty: none) is what the configuration says a single file is called, without
  /// ".safetensors".
  static CheckpointResult<TensorStore> open(const std::filesystem::path& folder, const std::string& base_name);

  TensorStore(TensorStore&&) = default;
  TensorStore& operator=(TensorStore&&) = default;

  /// nullptr when there is no such tensor.
  const TensorView* find(std::string_view name) const;
  const std::unordered_map<std::string_view, TensorView>& tensors() const noexcept { return tensors_; }
  std::size_t file_count() const noexcept { return files_.size(); }
  /// Bytes of all tensors, headers not counted.
  std::uint64_t total_bytes() const noexcept { return total_bytes_; }
  const std::string& folder() const noexcept { return folder_; }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  TensorStore() = default;
  CheckpointResult<void> add_file(const std::filesystem::path& path);
  CheckpointResult<void> open_shards(const std::filesystem::path& index);
  CheckpointResult<void> open_only_file(const std::filesystem::path& folder);

  std::string folder_;
  std::vector<SafetensorsFile> files_;  ///< reserved before the first view points into it
  std::unordered_map<std::string_view, TensorView> tensors_;
  std::uint64_t total_bytes_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace refserver
