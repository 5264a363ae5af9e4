#include "loadgen/export_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "loadgen/export/influx_output.hpp"
#include "loadgen/export/point_file.hpp"
#include "loadgen/export/request_reader.hpp"
#include "loadgen/export/run_directory.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using exporters::SinkAccount;

/// Points under way at a time: enough to keep one connection busy, and far from what its queue may hold.
constexpr std::uint64_t max_under_way = 50'000;
/// A database that takes nothing for so long is given up.
constexpr auto patience = std::chrono::seconds(60);

ExitCode complain(ExitCode code, const std::string& message) {
  fmt::print(stderr, "loadgen export: {}\n", message);
  return code;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The file to read, and whether requests are in it. Empty if the directory has none of the kind.
fs::path choose_file(const ExportCommand& command, bool wants_requests) {
  if (!fs::is_directory(command.input)) return command.input;
  if (wants_requests) return command.input / run_file::requests;
  const fs::path spill = command.input / run_file::influx_spill;
  if (command.from == ExportFrom::spill || (command.from == ExportFrom::automatic && is_there(spill))) return spill;
  return command.input / run_file::points;
}

bool are_requests(const ExportCommand& command) {
  if (command.from == ExportFrom::requests) return true;
  return command.from == ExportFrom::automatic && !fs::is_directory(command.input) &&
         command.input.extension() == ".jsonl";
}

/// One line on the terminal that is written over, about once a second.
class Progress {
 public:
  explicit Progress(bool is_quiet) : is_shown_(!is_quiet && isatty(STDERR_FILENO) != 0) {}
  void show(const PointSource& source, const SinkAccount& account) {
    if (!is_shown_ || Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(1);
    fmt::print(stderr, "\r{:3.0f} %  {} points read, {} stored", 100 * source.progress(), account.offered,
               account.stored);
    std::fflush(stderr);
  }
  void close() const {
    if (is_shown_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  bool is_shown_;
  Clock::time_point next_{};
};

std::uint64_t under_way(const SinkAccount& account) {
  return account.offered - account.stored - account.rejected - account.spilled - account.dropped;
}

/// Waits until at most `most` points are under way; false if the database has taken nothing for too long.
bool wait_for_room(std::uint64_t most, const exporters::Sink& sink, const PointSource& source, Progress& progress) {
  SinkAccount account = sink.account();
  auto give_up = Clock::now() + patience;
  for (std::uint64_t last = under_way(account); under_way(account) > most; account = sink.account()) {
    if (under_way(account) != last) give_up = Clock::now() + patience;
    last = under_way(account);
    if (Clock::now() > give_up) return false;
    progress.show(source, account);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  progress.show(source, account);
  return true;
}

/// Sends all of it; the error is that of the file.
Result<void, std::string> send_all(PointSource& source, exporters::Sink& sink, Progress& progress) {
  while (true) {
    auto batch = source.next();
    if (!batch) return {boost::system::in_place_error, batch.error()};
    const bool is_end = batch->empty();
    if (!is_end) sink.write(std::move(*batch));
    const bool has_room = wait_for_room(is_end ? 0 : max_under_way, sink, source, progress);
    if (is_end || !has_room) return {};
  }
}

ExitCode report(const fs::path& file, const std::string& where, const SinkAccount& account, double seconds) {
  fmt::print("{}: {} of {} points stored in {}, {} rejected, {} not sent ({:.1f} s, {:.0f} points/s)\n", file.string(),
             account.stored, account.offered, where, account.rejected, account.dropped, seconds,
             static_cast<double>(account.stored) / std::max(seconds, 1e-3));
  std::fflush(stdout);
  if (account.stored == account.offered) return ExitCode::pass;
  return complain(ExitCode::degraded,
                  fmt::format("{}. {} is unchanged: it can be sent again, points that are there stay as they are",
                              account.first_error, file.string()));
}

ExitCode send_points(const ExportCommand& command) {
  const bool has_requests = are_requests(command);
  const fs::path file = choose_file(command, has_requests);
  if (!is_there(file))
    return complain(ExitCode::other_plans,
                    fmt::format("there is no {}; --from spill, points or requests says what to send", file.string()));
  auto source = has_requests ? open_request_file(file) : open_point_file(file);
  if (!source) return complain(ExitCode::other_plans, source.error());
  auto output = open_influx_output(*command.influx, "");
  if (!output) return complain(ExitCode::error, output.error());
  for (const std::string& note : output->notes) fmt::print(stderr, "warning: {}\n", note);

  Progress progress(command.is_quiet);
  const auto begin = Clock::now();
  const auto sent = send_all(**source, *output->sink, progress);
  const SinkAccount account = output->sink->finish();
  progress.close();
  const std::chrono::duration<double> took = Clock::now() - begin;
  const ExitCode code = report(file, output->sink->describe(), account, took.count());
  if (!sent) return complain(ExitCode::other_plans, sent.error());
  if (account.offered == 0) return complain(ExitCode::other_plans, file.string() + " holds no point");
  return code;
}

/// Writes under another name first, so that a table is whole or not there.
ExitCode write_table(const fs::path& from, const fs::path& to) {
  if (is_there(to)) return complain(ExitCode::exists, fmt::format("--csv {}: exists already", to.string()));
  std::ifstream in(from, std::ios::binary);
  if (!in || fs::is_directory(from)) return complain(ExitCode::other_plans, from.string() + " cannot be read");
  const fs::path part = to.string() + ".part";
  std::ofstream out(part, std::ios::binary);
  out << csv_header();
  std::uint64_t rows = 0;
  std::string text;
  for (std::string line; std::getline(in, line) && out; ++rows) {
    text.clear();
    const auto row = append_csv_row(text, line);
    if (!row) {
      if (in.eof()) break;  // a run that died in the middle of a line
      fs::remove(part);
      return complain(ExitCode::other_plans, fmt::format("{}:{}: {}", from.string(), rows + 1, row.error()));
    }
    out << text;
  }
  out.close();
  std::error_code error;
  if (out) fs::rename(part, to, error);
  if (!out || error) return complain(ExitCode::error, fmt::format("--csv {}: cannot be written", to.string()));
  fmt::print("{}: {} requests\n", to.string(), rows);
  std::fflush(stdout);
  return ExitCode::pass;
}

}  // namespace

ExitCode run_export(const ExportCommand& command) {
  if (!is_there(command.input)) return complain(ExitCode::other_plans, command.input.string() + " does not exist");
  ExitCode code = ExitCode::pass;
  if (command.csv) code = write_table(choose_file(command, true), *command.csv);
  if (code == ExitCode::pass && command.influx) code = send_points(command);
  return code;
}

}  // namespace loadgen
