// Reading with a limit.
#include "loadgen/plan/text_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace loadgen {
namespace {

std::string size_text(std::size_t bytes) {
  return bytes >= 1 << 20 ? fmt::format("{} MiB", bytes >> 20) : fmt::format("{} KiB", bytes >> 10);
}

/// True if `path` lies below `folder`; both are resolved already.
bool is_inside(const std::filesystem::path& folder, const std::filesystem::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

TextFile read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (ec) return {{}, fmt::format("cannot be read: {}", ec.message())};
  if (!std::filesystem::is_regular_file(status)) return {{}, "is not a file"};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return {{}, fmt::format("cannot be opened: {}", std::generic_category().message(errno))};
  TextFile file;
  char block[64 * 1024];
  // What is read counts, not the size the file claims to have.
  while (file.text.size() <= max_bytes && stream.read(block, sizeof block).gcount() > 0) {
    file.text.append(block, static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) return {{}, "cannot be read to its end"};
  if (file.text.size() > max_bytes) return {{}, fmt::format("is larger than {}", size_text(max_bytes))};
  return file;
}

TextFile read_text_beside(const std::filesystem::path& folder, const std::string& file, std::size_t max_bytes) {
  if (folder.empty()) return {{}, "cannot be used here: there is no scenario file it could lie beside"};
  std::error_code ec;
  const auto root = std::filesystem::canonical(folder, ec);
  if (ec) return {{}, fmt::format("cannot be found: {}", ec.message())};
  const auto path = std::filesystem::canonical(root / file, ec);
  if (ec) return {{}, fmt::format("cannot be read from the scenario's folder: {}", ec.message())};
  if (!is_inside(root, path)) return {{}, "lies outside of the scenario's folder; put it beside the scenario"};
  return read_text_file(path, max_bytes);
}

}  // namespace loadgen
