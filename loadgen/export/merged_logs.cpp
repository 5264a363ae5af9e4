// All logs are read side by side; the earliest interval of them goes out next.
#include "loadgen/export/merged_logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "exporters/hdr_log.hpp"
#include "exporters/metrics/hdr_codec.hpp"
#include "loadgen/export/hdr_logs.hpp"

namespace loadgen {
namespace {

using Failed = Result<void, std::string>;

struct LogLine {
  std::int64_t start_ms = 0, length_ms = 0;
  std::string tag;
  exporters::HdrHistogram values;
};

/// `12.345` seconds as milliseconds.
std::optional<std::int64_t> milliseconds(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value < 1e9)) return std::nullopt;
  return static_cast<std::int64_t>(value * 1000 + 0.5);
}

std::optional<LogLine> parse_line(std::string_view line) {
  LogLine parsed;
  if (line.starts_with("Tag=")) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    parsed.tag = line.substr(4, comma - 4);
    line.remove_prefix(comma + 1);
  }
  std::string_view fields[4];
  for (int i = 0; i < 3; ++i) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    fields[i] = line.substr(0, comma);
    line.remove_prefix(comma + 1);
  }
  const auto start = milliseconds(fields[0]);
  const auto length = milliseconds(fields[1]);
  auto values = exporters::decode_hdr_base64(line);
  if (!start || !length || !values || !(values->config() == exporters::HdrConfig{})) return std::nullopt;
  parsed.start_ms = *start;
  parsed.length_ms = *length;
  parsed.values = std::move(*values);
  return parsed;
}

/// One log, with its next line at hand.
class LogReader {
 public:
  explicit LogReader(const std::filesystem::path& path) : path_(path), file_(path) {
    if (!file_) error_ = fmt::format("{} cannot be read", path.string());
    advance();
  }
  const std::optional<LogLine>& next() const noexcept { return next_; }
  const std::string& error() const noexcept { return error_; }
  void advance() {
    next_.reset();
    while (error_.empty() && std::getline(file_, text_)) {
      ++number_;
      if (text_.empty() || text_[0] == '#' || text_[0] == '"') continue;
      next_ = parse_line(text_);
      if (!next_) error_ = fmt::format("{}:{} is no line of an HDR log of loadgen", path_.string(), number_);
      return;
    }
  }

 private:
  std::filesystem::path path_;
  std::ifstream file_;
  std::string text_, error_;
  std::size_t number_ = 0;
  std::optional<LogLine> next_;
};

/// The lines of one instant, in the order of their first appearance.
class Row {
 public:
  void add(const LogLine& line) {
    length_ms = std::max(length_ms, line.length_ms);
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == line.tag; });
    if (found != lines.end()) return found->second.add(line.values);
    lines.emplace_back(line.tag, line.values);
  }
  std::int64_t length_ms = 0;
  std::vector<std::pair<std::string, exporters::HdrHistogram>> lines;
};

std::optional<std::int64_t> earliest(const std::vector<std::unique_ptr<LogReader>>& readers) {
  std::optional<std::int64_t> start;
  for (const auto& reader : readers)
    if (reader->next()) start = std::min(start.value_or(INT64_MAX), reader->next()->start_ms);
  return start;
}

Failed failed(std::string why) {
  return {boost::system::in_place_error, std::move(why)};
}

}  // namespace

Result<void, std::string> merge_hdr_logs(const std::vector<std::filesystem::path>& logs,
                                         const std::filesystem::path& out, const RunFacts& facts,
                                         const MergedLine& on_line) {
  std::vector<std::unique_ptr<LogReader>> readers;
  for (const auto& log : logs) readers.push_back(std::make_unique<LogReader>(log));
  std::ofstream file(out, std::ios::binary);
  std::string text = hdr_logs_header(facts);
  while (const auto start = earliest(readers)) {
    Row row;
    for (const auto& reader : readers)
      for (; reader->next() && reader->next()->start_ms == *start; reader->advance()) row.add(*reader->next());
    for (const auto& [tag, values] : row.lines) {
      exporters::append_hdr_log_line(text, tag, {*start, row.length_ms}, values);
      on_line(*start, tag, values);
    }
    file << text;
    text.clear();
  }
  for (const auto& reader : readers)
    if (!reader->error().empty()) return failed(reader->error());
  file << text << std::flush;
  return file ? Failed() : failed(fmt::format("cannot write {}", out.string()));
}

Result<void, std::string> join_request_lines(const std::vector<RequestFile>& files, const std::filesystem::path& out) {
  std::ofstream joined(out, std::ios::binary);
  std::string line;
  for (const RequestFile& request_file : files) {
    std::ifstream file(request_file.path);
    if (!file) return failed(fmt::format("{} cannot be read", request_file.path.string()));
    while (std::getline(file, line)) {
      if (line.size() < 2 || line.front() != '{' || line.back() != '}') continue;  // cut off in the middle
      joined << "{\"shard\":" << request_file.shard << ',' << std::string_view(line).substr(1) << '\n';
    }
  }
  joined.flush();
  return joined ? Failed() : failed(fmt::format("cannot write {}", out.string()));
}

SeriesPercentiles::SeriesPercentiles(RunTotals& totals) : totals_(totals) {
  for (std::size_t i = 0; i < totals.series.size(); ++i)
    rows_.emplace_back((totals.series[i].begin_ns - totals.facts.mono_start_ns) / 1'000'000, i);
}

void SeriesPercentiles::add(std::int64_t start_ms, const std::string& tag, const exporters::HdrHistogram& values) {
  const auto row = std::lower_bound(rows_.begin(), rows_.end(), std::pair(start_ms, std::size_t{0}));
  if (row == rows_.end() || row->first != start_ms || values.count() == 0) return;
  SeriesPoint& point = totals_.series[row->second];
  const double p50 = static_cast<double>(values.value_at_quantile(0.5)) / 1000;
  const double p99 = static_cast<double>(values.value_at_quantile(0.99)) / 1000;
  const auto set = [&](std::optional<double>& a, std::optional<double>& b) {
    a = p50;
    b = p99;
  };
  if (tag == "ttft") set(point.ttft_p50, point.ttft_p99);
  if (tag == "tpot") set(point.tpot_p50, point.tpot_p99);
  if (tag == "e2e") set(point.e2e_p50, point.e2e_p99);
}

}  // namespace loadgen
