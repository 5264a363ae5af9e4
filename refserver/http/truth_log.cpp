// The writer thread takes everything twice a second, formats it and flushes.
#include "refserver/http/truth_log.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMaxWaiting = 100'000;
constexpr std::chrono::milliseconds kFlushInterval{500};

std::int64_t to_ns(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

std::int64_t to_number(TimePoint time) {
  return to_ns(time);
}
std::uint64_t to_number(std::uint64_t number) {
  return number;
}

template <class Value>
void append_list(const std::vector<Value>& values, std::string& out) {
  out += '[';
  for (const Value value : values) {
    if (out.back() != '[') out += ',';
    const fmt::format_int text(to_number(value));
    out.append(text.data(), text.size());
  }
  out += ']';
}

void append_optional_string(bool is_set, std::string_view text, std::string& out) {
  if (is_set) {
    append_json_string(text, out);
  } else {
    out += "null";
  }
}

}  // namespace

void TruthRecord::add(const TokenEvent& event) {
  due.push_back(event.due);
  steps.push_back(event.step);
  if (scheduled == TimePoint{}) scheduled = event.scheduled;
  cached_tokens = event.cached_tokens;
  preemptions = event.preemptions;
}

void append_truth_line(const TruthRecord& record, std::string& out) {
  out += fmt::format(R"({{"id":{},"model":)", record.id);
  append_optional_string(!record.model.empty(), record.model, out);
  out += fmt::format(R"(,"route":"{}","client_id":)", label(record.route));
  append_optional_string(record.client_id.has_value(), record.client_id.value_or(""), out);
  out +=
      fmt::format(R"(,"recv_ns":{},"prompt_tokens":{},"scheduled_ns":)", to_ns(record.received), record.prompt_tokens);
  out += record.scheduled == TimePoint{} ? "null" : fmt::format("{}", to_ns(record.scheduled));
  out += fmt::format(R"(,"cached_tokens":{},"preemptions":{},"due_ns":)", record.cached_tokens, record.preemptions);
  append_list(record.due, out);
  out += R"(,"steps":)";
  append_list(record.steps, out);
  out += R"(,"achieved_ns":)";
  append_list(record.achieved, out);
  out += R"(,"fault":)";
  append_optional_string(!record.fault.empty(), record.fault, out);
  out += record.fault_token == 0 ? R"(,"fault_token":null)" : fmt::format(R"(,"fault_token":{})", record.fault_token);
  out += R"(,"outcome":)";
  append_json_string(record.outcome, out);
  out += "}\n";
}

TruthLog::TruthLog(const std::string& path, const std::string& first_line)
    : file_(path, std::ios::binary | std::ios::trunc) {
  if (!file_) throw std::runtime_error(fmt::format("truth log {}: cannot be opened for writing", path));
  if (!first_line.empty()) file_ << first_line << '\n';
  thread_ = std::thread([this] { run(); });
}

TruthLog::~TruthLog() {
  finish();
}

void TruthLog::write(TruthRecord record) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaiting) {
    ++dropped_;
  } else {
    waiting_.push_back(std::move(record));
  }
}

bool TruthLog::finish() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_finished_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
    if (dropped_ > 0) fmt::print(stderr, "refserver: truth log: {} records lost, the disk is too slow\n", dropped_);
    if (!file_) fmt::print(stderr, "refserver: truth log: writing failed, the file is incomplete\n");
  }
  return dropped_ == 0 && file_.good();
}

void TruthLog::run() {
  pthread_setname_np(pthread_self(), "truth_log");
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);  // on Linux this is the thread alone
  std::vector<TruthRecord> batch;
  std::string text;
  for (bool is_last = false; !is_last;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kFlushInterval, [this] { return is_finished_; });
      batch.swap(waiting_);
      is_last = is_finished_;
    }
    for (const TruthRecord& record : batch) {
      append_truth_line(record, text);
      if (text.size() < 64 * 1024) continue;
      file_ << text;
      text.clear();
    }
    file_ << text << std::flush;
    text.clear();
    batch.clear();
  }
}

}  // namespace refserver
