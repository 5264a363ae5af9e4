// Header checks after the format's reference reader: sizes, holes, overlaps; then the file around them.
#include "refserver/checkpoint/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>

#include "refserver/checkpoint/safetensors_header.hpp"

namespace refserver {
namespace {

CheckpointError bad(const std::string& file, const std::string& tensor, std::string text) {
  return {CheckpointErrc::bad_header, file, tensor, std::move(text)};
}

/// dtype size times all dimensions, or nothing when it does not fit 64 bits.
std::optional<std::uint64_t> byte_count(const TensorEntry& entry) {
  std::uint64_t bytes = size_of(entry.dtype);
  if (std::ranges::find(entry.shape, 0U) != entry.shape.end())
    return 0;  // before the product: [2^60, 2^60, 0] is empty
  for (const std::uint64_t dimension : entry.shape) {
    if (bytes > std::numeric_limits<std::uint64_t>::max() / dimension) return std::nullopt;
    bytes *= dimension;
  }
  return bytes;
}

std::optional<CheckpointError> check_size(const TensorEntry& entry, std::uint64_t data_bytes, const std::string& file) {
  if (entry.begin > entry.end) {
    return bad(file, entry.name, fmt::format("data_offsets [{}, {}] run backwards", entry.begin, entry.end));
  }
  if (entry.end > data_bytes) {
    return bad(file, entry.name,
               fmt::format("data_offsets [{}, {}] reach beyond the {} bytes of data the file has; is it cut short?",
                           entry.begin, entry.end, data_bytes));
  }
  const auto expected = byte_count(entry);
  if (!expected || *expected != entry.end - entry.begin) {
    return bad(file, entry.name,
               fmt::format("{} [{}] does not fit its {} bytes", name_of(entry.dtype), fmt::join(entry.shape, ", "),
                           entry.end - entry.begin));
  }
  return std::nullopt;
}

/// Tensors in the order of their bytes must follow each other without holes or overlaps, from the first byte to the
/// last: what no tensor owns could be anything.
std::optional<CheckpointError> check_coverage(const std::vector<TensorEntry>& entries, std::uint64_t data_bytes,
                                              const std::string& file) {
  std::uint64_t at = 0;
  const TensorEntry* before = nullptr;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != at) {
      return bad(file, entry.name,
                 fmt::format("begins at byte {} where {} ends at {}: {}", entry.begin,
                             before == nullptr ? "the header" : printable(before->name), at,
                             entry.begin < at ? "they overlap" : "a gap"));
    }
    at = entry.end;
    before = &entry;
  }
  if (at == data_bytes) return std::nullopt;
  return bad(file, "", fmt::format("the tensors end at byte {} of {} bytes of data", at, data_bytes));
}

std::optional<CheckpointError> check_names(const std::vector<TensorEntry>& entries, const std::string& file) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const TensorEntry& entry : entries) names.push_back(entry.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return std::nullopt;
  return bad(file, std::string(*twice), "is in the header twice");
}

}  // namespace

CheckpointResult<std::vector<TensorEntry>> parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                                                    const std::string& file) {
  auto entries = read_header_entries(json, file);
  if (entries.has_error()) return entries;
  for (const TensorEntry& entry : *entries) {
    if (auto error = check_size(entry, data_bytes, file)) return *error;
  }
  if (auto error = check_names(*entries, file)) return *error;
  // Empty tensors first where several begin at one byte; names make the order of equal ones definite.
  std::ranges::sort(*entries, [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  if (auto error = check_coverage(*entries, data_bytes, file)) return *error;
  return entries;
}

CheckpointResult<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  if (file.has_error()) return file.error();
  const auto bytes = file->bytes();
  constexpr std::size_t prefix = 8;
  if (bytes.size() < prefix)
    return bad(file->path(), "", fmt::format("{} bytes are no safetensors file", bytes.size()));
  constexpr std::string_view pointer = "version https://git-lfs";
  if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).starts_with(pointer)) {
    return bad(file->path(), "", "a git-lfs pointer instead of weights; run git lfs pull in its folder");
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < prefix; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << 8 * i;
  if (length > kMaxHeaderBytes) {
    return bad(file->path(), "", fmt::format("a header of {} bytes; the limit is {}", length, kMaxHeaderBytes));
  }
  if (length > bytes.size() - prefix) {
    return bad(file->path(), "",
               fmt::format("a header of {} bytes in a file of {}; is it cut short?", length, bytes.size()));
  }
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + prefix, length);
  const auto data = bytes.subspan(prefix + length);
  auto entries = parse_safetensors_header(json, data.size(), file->path());
  if (entries.has_error()) return entries.error();
  return SafetensorsFile(std::move(*file), data, std::move(*entries));
}

}  // namespace refserver
