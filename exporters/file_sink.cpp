#include "exporters/file_sink.hpp"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

namespace exporters {
namespace {

class FileSink final : public Sink {
 public:
  FileSink(std::filesystem::path path, int file) : path_(std::move(path)), file_(file) {}
  ~FileSink() override { finish(); }

  std::string describe() const override { return "file " + path_.string(); }

  void write(Batch batch) override {
    const std::scoped_lock lock(mutex_);
    assert(file_ >= 0);
    account_.offered += batch.size();
    const std::size_t written = write_bytes(batch.bytes);
    const auto whole =
        static_cast<std::size_t>(std::upper_bound(batch.ends.begin(), batch.ends.end(), written) - batch.ends.begin());
    account_.stored += whole;
    account_.dropped += batch.size() - whole;
    if (whole < batch.size()) cut_back(written - (whole == 0 ? 0 : batch.ends[whole - 1]));
  }

  SinkAccount account() const override {
    const std::scoped_lock lock(mutex_);
    return account_;
  }

  SinkAccount finish() noexcept override {
    const std::scoped_lock lock(mutex_);
    if (file_ >= 0 && ::close(std::exchange(file_, -1)) != 0) note_error(errno);
    return account_;
  }

 private:
  /// How many bytes reached the file.
  std::size_t write_bytes(std::string_view bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t step = ::write(file_, bytes.data() + written, bytes.size() - written);
      if (step >= 0) {
        written += static_cast<std::size_t>(step);
      } else if (errno != EINTR) {
        note_error(errno);
        break;
      }
    }
    return written;
  }

  /// Removes the last `bytes` of the file: the part of a record that could be written. Pipes and devices cannot.
  void cut_back(std::size_t bytes) {
    const off_t size = ::lseek(file_, 0, SEEK_CUR);
    if (bytes == 0 || size < 0) return;
    const off_t whole = size - static_cast<off_t>(bytes);
    if (::ftruncate(file_, whole) != 0 || ::lseek(file_, whole, SEEK_SET) != whole) note_error(errno);
  }

  void note_error(int code) {
    if (account_.first_error.empty()) account_.first_error = path_.string() + ": " + std::strerror(code);
  }

  std::filesystem::path path_;
  mutable std::mutex mutex_;
  int file_;
  SinkAccount account_;
};

}  // namespace

Result<std::unique_ptr<Sink>, std::string> open_file_sink(const std::filesystem::path& path, FileMode mode) {
  const int how = O_WRONLY | O_CREAT | O_CLOEXEC | (mode == FileMode::append ? O_APPEND : O_TRUNC);
  const int file = ::open(path.c_str(), how, 0644);
  if (file < 0) return "cannot open " + path.string() + " for writing: " + std::strerror(errno);
  return std::unique_ptr<Sink>(std::make_unique<FileSink>(path, file));
}

}  // namespace exporters
