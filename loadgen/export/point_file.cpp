#include "loadgen/export/point_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "loadgen/export/request_reader.hpp"
#include "loadgen/export/shard_file.hpp"

namespace loadgen {
namespace {

using exporters::Batch;

constexpr std::size_t chunk_bytes = std::size_t{1} << 20;
constexpr std::size_t max_record_bytes = std::size_t{16} << 20;

template <class T>
Result<T, std::string> failed(std::string cause) {
  return {boost::system::in_place_error, std::move(cause)};
}

/// A file read in chunks, and how far.
class ChunkedFile {
 public:
  explicit ChunkedFile(std::filesystem::path path) : path_(std::move(path)), file_(path_, std::ios::binary) {
    std::error_code ignored;
    size_ = std::filesystem::file_size(path_, ignored);
    if (ignored) size_ = 0;  // a pipe has no size
  }
  bool is_open() const { return file_.is_open() && !std::filesystem::is_directory(path_); }
  const std::filesystem::path& path() const { return path_; }

  /// Appends the next chunk; false at the end.
  bool read_more(std::string& text) {
    const std::size_t before = text.size();
    text.resize(before + chunk_bytes);
    file_.read(text.data() + before, static_cast<std::streamsize>(chunk_bytes));
    const auto got = static_cast<std::size_t>(file_.gcount());
    text.resize(before + got);
    read_ += got;
    return got > 0;
  }
  bool has_failed() const { return file_.bad(); }
  double progress() const { return size_ == 0 ? 0 : static_cast<double>(read_) / static_cast<double>(size_); }

 private:
  std::filesystem::path path_;
  std::ifstream file_;
  std::uintmax_t size_ = 0;
  std::uint64_t read_ = 0;
};

bool is_point(std::string_view record) {
  const std::size_t first = record.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && record[first] != '#';
}

class PointFile final : public PointSource {
 public:
  explicit PointFile(const std::filesystem::path& path) : file_(path) {}
  bool is_open() const { return file_.is_open(); }
  double progress() const override { return file_.progress(); }

  Result<Batch, std::string> next() override {
    Batch batch;
    while (batch.empty()) {
      const bool has_more = file_.read_more(text_);
      if (file_.has_failed()) return failed<Batch>(fmt::format("{}: cannot be read on", file_.path().string()));
      std::size_t begin = 0;
      for (std::size_t end = point_end(text_, 0); end != std::string::npos; end = point_end(text_, begin)) {
        add(batch, std::string_view(text_).substr(begin, end - begin));
        begin = end;
      }
      text_.erase(0, begin);
      if (text_.size() > max_record_bytes)
        return failed<Batch>(fmt::format("{}: there is no end of a point for {} MiB: not line protocol?",
                                         file_.path().string(), max_record_bytes >> 20));
      if (has_more) continue;
      if (!text_.empty()) add(batch, std::exchange(text_, {}) + '\n');  // a last line without its line feed
      return batch;
    }
    return batch;
  }

 private:
  static void add(Batch& batch, std::string_view record) {
    if (!is_point(record)) return;
    batch.bytes += record;
    batch.end_record();
  }

  ChunkedFile file_;
  std::string text_;  ///< read and not handed out
};

class RequestFile final : public PointSource {
 public:
  RequestFile(const std::filesystem::path& path, RunFacts facts)
      : file_(path), facts_(std::move(facts)), renderer_(no_scenario_) {}
  bool is_open() const { return file_.is_open(); }
  double progress() const override { return file_.progress(); }

  Result<Batch, std::string> next() override {
    Batch batch;
    while (batch.empty()) {
      const bool has_more = file_.read_more(text_);
      if (file_.has_failed()) return failed<Batch>(fmt::format("{}: cannot be read on", file_.path().string()));
      std::size_t begin = 0;
      for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n', begin)) {
        if (auto added = add(batch, std::string_view(text_).substr(begin, end - begin)); !added)
          return failed<Batch>(added.error());
        begin = end + 1;
      }
      text_.erase(0, begin);
      if (text_.size() > max_record_bytes)
        return failed<Batch>(
            fmt::format("{}: a line longer than {} MiB", file_.path().string(), max_record_bytes >> 20));
      if (!has_more) return finish(std::move(batch));
    }
    return batch;
  }

 private:
  Result<void, std::string> add(Batch& batch, std::string_view line) {
    ++number_;
    const auto request = parse_request_line(line);
    if (!request)
      return {boost::system::in_place_error, fmt::format("{}:{}: {}", file_.path().string(), number_, request.error())};
    const auto& words = request->words;
    renderer_.append_request(batch, facts_, {words.entry, words.scenario, words.route, words.target, words.model},
                             request->row);
    return {};
  }

  /// A run that died may have left half a line.
  Result<Batch, std::string> finish(Batch batch) {
    if (!text_.empty() && parse_request_line(text_))
      if (auto added = add(batch, std::exchange(text_, {})); !added) return failed<Batch>(added.error());
    return batch;
  }

  ChunkedFile file_;
  RunFacts facts_;
  Scenario no_scenario_;
  PointRenderer renderer_;
  std::string text_;
  std::uint64_t number_ = 0;
};

template <class Source>
Result<std::unique_ptr<PointSource>, std::string> opened(std::unique_ptr<Source> source,
                                                         const std::filesystem::path& path) {
  if (!source->is_open()) return failed<std::unique_ptr<PointSource>>(fmt::format("{} cannot be read", path.string()));
  return std::unique_ptr<PointSource>(std::move(source));
}

}  // namespace

/// Outside of quotes a character counts unless a backslash stands before it, whatever stands before that; inside of
/// them a backslash goes with the character behind it.
std::size_t point_end(std::string_view text, std::size_t from) {
  const auto is_bare = [&](std::size_t i) { return i == from || text[i - 1] != '\\'; };
  bool in_fields = false, in_quotes = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (in_quotes) {
      if (c == '\\') ++i;
      in_quotes = c != '"';
    } else if (c == '\n') {
      return i + 1;
    } else if (c == ' ') {
      in_fields = in_fields || is_bare(i);
    } else if (c == '"' && in_fields) {
      in_quotes = i > from && text[i - 1] == '=' && is_bare(i - 1);  // elsewhere it is a letter like others
    }
  }
  return std::string_view::npos;
}

Result<std::unique_ptr<PointSource>, std::string> open_point_file(const std::filesystem::path& path) {
  return opened(std::make_unique<PointFile>(path), path);
}

Result<std::unique_ptr<PointSource>, std::string> open_request_file(const std::filesystem::path& path) {
  auto shard = read_shard(path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path());
  if (!shard)
    return failed<std::unique_ptr<PointSource>>(fmt::format(
        "{}: points cannot be made of it without the shard.json of its run: {}", path.string(), shard.error()));
  return opened(std::make_unique<RequestFile>(path, shard->totals.facts), path);
}

}  // namespace loadgen
