// A file mapped read-only into memory, and small files read whole. Regular files only: a pipe or a device would hang.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "refserver/checkpoint/checkpoint_error.hpp"

namespace refserver {

/// The mapping ends with the object. The file must not be cut shorter meanwhile: reading past its new end is a SIGBUS.
class MappedFile {
 public:
  static CheckpointResult<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, std::span<const std::byte>())) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes) : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  std::span<const std::byte> bytes_;
};

/// The whole text of a file of at most `max_bytes`.
CheckpointResult<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace refserver
