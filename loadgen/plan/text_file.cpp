// Reading with a limit.
#include "loadgen/plan/text_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace loadgen {

TextFile read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (ec) return {{}, fmt::format("cannot be read: {}", ec.message())};
  if (!std::filesystem::is_regular_file(status)) return {{}, "is not a file"};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return {{}, fmt::format("cannot be opened: {}", std::generic_category().message(errno))};
  TextFile file;
  // One byte more than allowed shows that there is more, whatever size the file claims to have.
  file.text.resize(max_bytes + 1);
  stream.read(file.text.data(), static_cast<std::streamsize>(file.text.size()));
  if (stream.bad()) return {{}, "cannot be read to its end"};
  file.text.resize(static_cast<std::size_t>(stream.gcount()));
  if (file.text.size() > max_bytes) return {{}, fmt::format("is larger than {} MiB", max_bytes >> 20)};
  return file;
}

}  // namespace loadgen
