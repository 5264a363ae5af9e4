// Headers as Hugging Face's writer makes them: wide types first, then by name, padded to 8 bytes.
#include "refserver/checkpoint/synth/folder_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace refserver {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

CheckpointError failure(const std::string& path, const char* what) {
  return {CheckpointErrc::unreadable, path, "", fmt::format("{}: {}", what, std::generic_category().message(errno))};
}

/// A file being written at chosen places.
class OutputFile {
 public:
  explicit OutputFile(const fs::path& path)
      : path_(path.string()), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {}
  OutputFile(OutputFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  ~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool is_open() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }

  CheckpointResult<void> write(std::uint64_t at, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return failure(path_, "cannot be written");
      at += static_cast<std::uint64_t>(done);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
  }
  CheckpointResult<void> close() {
    if (::close(std::exchange(fd_, -1)) != 0) return failure(path_, "cannot be written to its end");
    return {};
  }

 private:
  std::string path_;
  int fd_;
};

/// The header with its length before it, and where each tensor's bytes begin in the file.
std::string make_header(std::vector<const TensorPlan*> tensors,
                        std::unordered_map<std::string, std::uint64_t>& begins) {
  std::ranges::sort(tensors, [](const TensorPlan* a, const TensorPlan* b) {
    return std::pair(size_of(b->dtype), std::string_view(a->name)) <
           std::pair(size_of(a->dtype), std::string_view(b->name));
  });
  OrderedJson json;
  json["__metadata__"] = {{"format", "pt"}};
  std::uint64_t at = 0;
  for (const TensorPlan* const tensor : tensors) {
    const std::uint64_t end = at + tensor->bytes();
    json[tensor->name] = {{"dtype", name_of(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {at, end}}};
    begins[tensor->name] = at;
    at = end;
  }
  std::string text = json.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string header;
  for (std::size_t i = 0; i < 8; ++i) header += static_cast<char>(std::uint64_t{text.size()} >> 8 * i & 0xFFU);
  header += text;
  for (const TensorPlan* const tensor : tensors) begins[tensor->name] += header.size();
  return header;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Tensors in their order, cut where the next one would not fit any more.
std::vector<std::vector<const TensorPlan*>> cut_shards(const std::vector<TensorPlan>& tensors,
                                                       std::uint64_t max_bytes) {
  std::vector<std::vector<const TensorPlan*>> shards(1);
  std::uint64_t held = 0;
  for (const TensorPlan& tensor : tensors) {
    if (held > 0 && held + tensor.bytes() > max_bytes) {
      shards.emplace_back();
      held = 0;
    }
    shards.back().push_back(&tensor);
    held += tensor.bytes();
  }
  return shards;
}

}  // namespace

std::uint64_t TensorPlan::bytes() const noexcept {
  std::uint64_t count = size_of(dtype);
  for (const std::uint64_t dimension : shape) count *= dimension;
  return count;
}

struct FolderWriter::State {
  struct Place {
    std::size_t file = 0;
    std::uint64_t at = 0;
    std::uint64_t end = 0;
  };
  std::vector<OutputFile> files;
  std::unordered_map<std::string, Place> places;
  std::uint64_t total = 0;
  std::uint64_t done = 0;
  WriteProgress progress;

  CheckpointResult<void> add_shard(const fs::path& path, const std::vector<const TensorPlan*>& tensors) {
    std::unordered_map<std::string, std::uint64_t> begins;
    const std::string header = make_header(tensors, begins);
    for (const TensorPlan* const tensor : tensors) {
      const std::uint64_t at = begins[tensor->name];
      const bool added = places.emplace(tensor->name, Place{files.size(), at, at + tensor->bytes()}).second;
      assert(added);
      static_cast<void>(added);
      total += tensor->bytes();
    }
    const OutputFile& file = files.emplace_back(path);
    if (!file.is_open()) return failure(path.string(), "cannot be created");
    return file.write(0, bytes_of(header));
  }
};

CheckpointResult<FolderWriter> FolderWriter::create(const fs::path& folder, const std::vector<TensorPlan>& tensors,
                                                    std::uint64_t max_shard_bytes, WriteProgress progress) {
  auto state = std::make_unique<State>();
  state->progress = std::move(progress);
  const auto shards = cut_shards(tensors, max_shard_bytes);
  OrderedJson map = OrderedJson::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? "model.safetensors"
                                                : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    if (auto added = state->add_shard(folder / name, shards[i]); added.has_error()) return added.error();
    for (const TensorPlan* const tensor : shards[i]) map.emplace(tensor->name, name);
  }
  if (shards.size() > 1) {
    const OrderedJson index{{"metadata", {{"total_size", state->total}}}, {"weight_map", std::move(map)}};
    auto written = write_new_file(folder / "model.safetensors.index.json", index.dump(2) + "\n");
    if (written.has_error()) return written.error();
  }
  return FolderWriter(std::move(state));
}

FolderWriter::FolderWriter(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
FolderWriter::FolderWriter(FolderWriter&&) noexcept = default;
FolderWriter& FolderWriter::operator=(FolderWriter&&) noexcept = default;
FolderWriter::~FolderWriter() = default;

CheckpointResult<void> FolderWriter::append(const std::string& name, std::span<const std::byte> bytes) {
  State::Place& place = state_->places.at(name);
  assert(bytes.size() <= place.end - place.at);
  auto written = state_->files[place.file].write(place.at, bytes);
  place.at += bytes.size();
  state_->done += bytes.size();
  if (state_->progress) state_->progress(state_->done, state_->total);
  return written;
}

CheckpointResult<void> FolderWriter::finish() {
  assert(state_->done == state_->total);
  for (OutputFile& file : state_->files) {
    if (auto closed = file.close(); closed.has_error()) return closed;
  }
  return {};
}

std::uint64_t FolderWriter::total_bytes() const noexcept {
  return state_->total;
}
std::size_t FolderWriter::file_count() const noexcept {
  return state_->files.size();
}

CheckpointResult<void> write_new_file(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  if (!file.is_open()) return failure(path.string(), "cannot be created");
  if (auto written = file.write(0, bytes_of(text)); written.has_error()) return written;
  return file.close();
}

}  // namespace refserver
