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

/// A file of records: reads on, cuts, and leaves to the kind of file where a record ends and what becomes of it.
class RecordFile : public PointSource {
 public:
  explicit RecordFile(const std::filesystem::path& path) : file_(path) {}
  bool is_open() const { return file_.is_open(); }
  double progress() const override { return file_.progress(); }

  Result<Batch, std::string> next() override {
    Batch batch;
    while (batch.empty()) {
      const bool has_more = file_.read_more(text_);
      if (file_.has_failed()) return failed<Batch>(fmt::format("{}: cannot be read on", path()));
      if (auto added = add_records(batch); !added) return failed<Batch>(added.error());
      if (text_.size() > max_record_bytes) return failed<Batch>(fmt::format("{}: {}", path(), endless()));
      if (has_more) continue;
      if (auto added = add_rest(batch, std::exchange(text_, {})); !added) return failed<Batch>(added.error());
      return batch;
    }
    return batch;
  }

 protected:
  std::string path() const { return file_.path().string(); }

  /// Where the record that begins at `from` ends, behind its line feed; npos if `text` does not hold all of it.
  virtual std::size_t record_end(std::string_view text, std::size_t from) const = 0;
  /// Takes one record, line feed included.
  virtual Result<void, std::string> add(Batch& batch, std::string_view record) = 0;
  /// Takes what lies behind the last line feed of the file; may be empty.
  virtual Result<void, std::string> add_rest(Batch& batch, std::string rest) = 0;
  /// What is wrong with a record that does not end.
  virtual std::string endless() const = 0;

 private:
  Result<void, std::string> add_records(Batch& batch) {
    std::size_t begin = 0;
    for (std::size_t end = record_end(text_, 0); end != std::string::npos; end = record_end(text_, begin)) {
      if (auto added = add(batch, std::string_view(text_).substr(begin, end - begin)); !added) return added;
      begin = end;
    }
    text_.erase(0, begin);
    return {};
  }

  ChunkedFile file_;
  std::string text_;  ///< read and not handed out
};

bool is_point(std::string_view record) {
  const std::size_t first = record.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && record[first] != '#';
}

class PointFile final : public RecordFile {
 public:
  using RecordFile::RecordFile;

 private:
  std::size_t record_end(std::string_view text, std::size_t from) const override { return point_end(text, from); }
  std::string endless() const override {
    return fmt::format("there is no end of a point for {} MiB: not line protocol?", max_record_bytes >> 20);
  }
  Result<void, std::string> add(Batch& batch, std::string_view record) override {
    if (!is_point(record)) return {};
    batch.bytes += record;
    batch.end_record();
    return {};
  }
  /// A last line without its line feed gets it.
  Result<void, std::string> add_rest(Batch& batch, std::string rest) override {
    return rest.empty() ? Result<void, std::string>() : add(batch, rest + '\n');
  }
};

class RequestFile final : public RecordFile {
 public:
  RequestFile(const std::filesystem::path& path, RunFacts facts)
      : RecordFile(path), facts_(std::move(facts)), renderer_(no_scenario_) {}

 private:
  std::size_t record_end(std::string_view text, std::size_t from) const override {
    const std::size_t line_feed = text.find('\n', from);
    return line_feed == std::string_view::npos ? line_feed : line_feed + 1;
  }
  std::string endless() const override { return fmt::format("a line longer than {} MiB", max_record_bytes >> 20); }
  Result<void, std::string> add(Batch& batch, std::string_view record) override {
    ++number_;
    const auto request = parse_request_line(record.substr(0, record.size() - 1));
    if (!request) return {boost::system::in_place_error, fmt::format("{}:{}: {}", path(), number_, request.error())};
    const auto& words = request->words;
    renderer_.append_request(batch, facts_, {words.entry, words.scenario, words.route, words.target, words.model},
                             request->row);
    return {};
  }
  /// A run that died may have left half a line.
  Result<void, std::string> add_rest(Batch& batch, std::string rest) override {
    return parse_request_line(rest) ? add(batch, rest + '\n') : Result<void, std::string>();
  }

  RunFacts facts_;
  Scenario no_scenario_;
  PointRenderer renderer_;
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
