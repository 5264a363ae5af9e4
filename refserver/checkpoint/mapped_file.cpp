// open, fstat, mmap; and reading with a limit.
#include "refserver/checkpoint/mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace refserver {
namespace {

/// An open descriptor, closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

CheckpointError unreadable(const std::filesystem::path& path, std::string text) {
  return {CheckpointErrc::unreadable, path.string(), "", std::move(text)};
}

CheckpointError system_failure(const std::filesystem::path& path, const char* what) {
  return unreadable(path, fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

/// Size of an open regular file. O_NONBLOCK at open keeps a pipe from hanging there; here it is refused.
CheckpointResult<std::size_t> regular_size(const std::filesystem::path& path, const Descriptor& file) {
  if (file.get() < 0) return system_failure(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_failure(path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) return unreadable(path, "is not a file");
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace

CheckpointResult<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto size = regular_size(path, file);
  if (size.has_error()) return size.error();
  if (*size == 0) return MappedFile(path.string(), {});
  void* const at = ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (at == MAP_FAILED) return system_failure(path, "cannot be mapped");
  return MappedFile(path.string(), {static_cast<const std::byte*>(at), *size});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

CheckpointResult<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto size = regular_size(path, file);
  if (size.has_error()) return size.error();
  std::string text;
  char block[16 * 1024];
  while (text.size() <= max_bytes) {  // what is read counts, not the size the file claims to have
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(path, "cannot be read");
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
  return unreadable(path, fmt::format("is larger than {} bytes, which is the limit for such a file", max_bytes));
}

}  // namespace refserver
