// Which files are read, and that the index and the shards say the same.
#include "refserver/checkpoint/tensor_store.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "refserver/checkpoint/mapped_file.hpp"
#include "refserver/checkpoint/shard_index.hpp"

namespace refserver {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20U;
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

/// Names of the folder's *.safetensors files, sorted.
std::vector<std::string> safetensors_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
    if (at->path().extension() == ".safetensors") names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::string TensorView::description() const {
  return fmt::format("{} [{}]", name_of(dtype()), fmt::join(shape(), ", "));
}

CheckpointResult<void> TensorStore::add_file(const fs::path& path) {
  auto opened = SafetensorsFile::open(path);
  if (opened.has_error()) return opened.error();
  const SafetensorsFile& file = files_.emplace_back(std::move(*opened));
  for (const TensorEntry& entry : file.entries()) {
    const TensorView view{&entry, &file, file.bytes(entry)};
    const auto [at, added] = tensors_.emplace(entry.name, view);
    if (!added) {
      return CheckpointError{CheckpointErrc::bad_index, file.path(), entry.name,
                             "is in " + at->second.file->path() + " too"};
    }
    total_bytes_ += view.bytes.size();
  }
  return {};
}

CheckpointResult<void> TensorStore::open_shards(const fs::path& index_path) {
  const auto text = read_small_file(index_path, kMaxIndexBytes);
  if (text.has_error()) return text.error();
  const auto index = parse_shard_index(*text, index_path.string());
  if (index.has_error()) return index.error();
  files_.reserve(index->tensors_of.size());
  for (const auto& [shard, names] : index->tensors_of) {
    if (auto added = add_file(index_path.parent_path() / shard); added.has_error()) return added;
    const SafetensorsFile& file = files_.back();
    for (const std::string& name : names) {
      const TensorView* const view = find(name);
      if (view == nullptr || view->file != &file) {
        return CheckpointError{CheckpointErrc::bad_index, file.path(), name,
                               fmt::format("{} says it is in this file, and it is not", kIndexFile)};
      }
    }
    if (names.size() != file.entries().size()) {
      warnings_.push_back(fmt::format("{}: holds {} tensors, of which {} names {}", file.path(), file.entries().size(),
                                      kIndexFile, names.size()));
    }
  }
  if (index->total_bytes && *index->total_bytes != total_bytes_) {
    warnings_.push_back(fmt::format("{}: metadata.total_size is {}, the tensors have {} bytes", index_path.string(),
                                    *index->total_bytes, total_bytes_));
  }
  for (const std::string& name : safetensors_names(index_path.parent_path())) {
    if (!index->tensors_of.contains(name)) {
      warnings_.push_back(fmt::format("{}: is not in {} and is not read", name, kIndexFile));
    }
  }
  return {};
}

/// A folder without the usual names: older GPTQ exports name their one file after its settings.
CheckpointResult<void> TensorStore::open_only_file(const fs::path& folder) {
  const auto names = safetensors_names(folder);
  if (names.size() == 1) return add_file(folder / names.front());
  const std::string text =
      names.empty()
          ? fmt::format("has neither {} nor {}; other formats than safetensors are not read", kSingleFile, kIndexFile)
          : fmt::format("has no {}, and {} safetensors files, of which one cannot be chosen: {}", kIndexFile,
                        names.size(), printable(fmt::format("{}", fmt::join(names, ", "))));
  return CheckpointError{CheckpointErrc::unreadable, folder.string(), "", text};
}

CheckpointResult<TensorStore> TensorStore::open(const fs::path& folder, const std::string& base_name) {
  TensorStore store;
  store.folder_ = folder.string();
  store.files_.reserve(1);
  const bool is_plain = base_name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  CheckpointResult<void> done;
  if (is_there(folder / kSingleFile)) {
    done = store.add_file(folder / kSingleFile);
    if (is_there(folder / kIndexFile)) {
      store.warnings_.push_back(fmt::format("{}: is not read: there is {} too", kIndexFile, kSingleFile));
    }
  } else if (is_there(folder / kIndexFile)) {
    done = store.open_shards(folder / kIndexFile);
  } else if (!base_name.empty() && is_plain && is_there(folder / (base_name + ".safetensors"))) {
    done = store.add_file(folder / (base_name + ".safetensors"));
  } else {
    done = store.open_only_file(folder);
  }
  if (done.has_error()) return done.error();
  return store;
}

const TensorView* TensorStore::find(std::string_view name) const {
  const auto at = tensors_.find(name);
  return at == tensors_.end() ? nullptr : &at->second;
}

}  // namespace refserver
