#include "loadgen/export/run_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace loadgen {
namespace {

std::string cause(int error) {
  return std::generic_category().message(error);
}

/// Writes everything to an open file and closes it; 0 or the errno of what failed.
int write_and_close(int file, std::string_view content) {
  int error = 0;
  while (!content.empty() && error == 0) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && ::fsync(file) != 0 && errno != EINVAL) error = errno;
  if (::close(file) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

std::string run_file_in(const std::filesystem::path& dir) {
  std::error_code error;
  for (const std::string_view name : run_file::all)
    if (std::filesystem::exists(dir / name, error)) return std::string(name);
  return {};
}

Result<bool, std::string> claim_directory(const std::filesystem::path& dir) {
  const auto fail = [&](const std::string& why) {
    return Result<bool, std::string>(boost::system::in_place_error,
                                     fmt::format("cannot create the directory {}: {}", dir.string(), why));
  };
  std::error_code error;
  if (dir.has_parent_path()) std::filesystem::create_directories(dir.parent_path(), error);
  if (error) return fail(error.message());
  if (::mkdir(dir.c_str(), 0777) == 0) return true;
  return errno == EEXIST ? Result<bool, std::string>(false) : fail(cause(errno));
}

void abandon_run_directory(const std::filesystem::path& dir) noexcept {
  std::error_code ignored;
  for (const std::string_view name : run_file::all) std::filesystem::remove(dir / name, ignored);
  std::filesystem::remove(dir, ignored);  // fails, as it should, where something else is in it
}

Result<void, std::string> prepare_run_directory(const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fmt::format("cannot create the run directory {}: {}", dir.string(), error.message());
  if (const std::string name = run_file_in(dir); !name.empty())
    return fmt::format("{} already holds a run ({}); give --out another directory or move that run away", dir.string(),
                       name);
  if (::access(dir.c_str(), W_OK | X_OK) != 0)
    return fmt::format("cannot write into the run directory {}: {}", dir.string(), cause(errno));
  return {};
}

Result<void, std::string> write_whole_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path temporary = path;
  temporary += ".part";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return fmt::format("cannot write {}: {}", path.string(), cause(errno));
  int error = write_and_close(file, content);
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(temporary.c_str());
  return fmt::format("cannot write {}: {}", path.string(), cause(error));
}

}  // namespace loadgen
