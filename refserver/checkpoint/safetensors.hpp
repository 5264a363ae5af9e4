// The safetensors container: a JSON header that says where each tensor's bytes are, checked before any of them is used.
// Knows nothing of models. Format: 8 bytes length N (little-endian), N bytes of JSON, then the tensors without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/dtype.hpp"
#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {

/// The longest header the format's own reader takes.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr std::size_t kMaxTensorRank = 8;

/// One tensor of a header. Offsets are relative to the end of the header.
struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::f16;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Reads a header whose file has `data_bytes` after it; entries come in the order of their bytes. What holds
/// afterwards: names differ, sizes agree with dtype and shape, and the tensors cover exactly the data, one after the
/// other. `file` is for messages. Metadata is checked to be text and dropped.
CheckpointResult<std::vector<TensorEntry>> parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                                                    const std::string& file);

/// A mapped file with its header read. Moving it keeps spans into it valid.
class SafetensorsFile {
 public:
  static CheckpointResult<SafetensorsFile> open(const std::filesystem::path& path);

  const std::string& path() const noexcept { return file_.path(); }
  const std::vector<TensorEntry>& entries() const noexcept { return entries_; }
  /// The bytes of one of `entries()`; aligned to nothing.
  std::span<const std::byte> bytes(const TensorEntry& entry) const noexcept {
    return data_.subspan(entry.begin, entry.end - entry.begin);
  }

 private:
  SafetensorsFile(MappedFile file, std::span<const std::byte> data, std::vector<TensorEntry> entries)
      : file_(std::move(file)), data_(data), entries_(std::move(entries)) {}

  MappedFile file_;
  std::span<const std::byte> data_;
  std::vector<TensorEntry> entries_;
};

}  // namespace refserver
