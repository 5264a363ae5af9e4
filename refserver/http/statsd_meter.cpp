#include "refserver/http/statsd_meter.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cassert>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "exporters/udp_sink.hpp"

namespace refserver {
namespace {

constexpr std::chrono::seconds kFlushInterval{1};
/// So many latencies of a model per second go out as timers; percentiles of all of them go out as gauges.
constexpr std::size_t kTimersPerFlush = 200;

Result<void, std::string> refuse(std::string why) {
  return {boost::system::in_place_error, std::move(why)};
}

}  // namespace

Result<void, std::string> set_statsd_address(StatsdOptions& options, std::string_view text) {
  const auto where = exporters::parse_host_port(text);
  if (!where) return refuse(fmt::format("'{}' {}", text, where.error()));
  if (where->port == 0) return refuse(fmt::format("'{}' has port 0; name the daemon's, such as 8125", text));
  options.where = *where;
  return {};
}

Result<void, std::string> set_statsd_format(StatsdOptions& options, std::string_view text) {
  const auto format = exporters::statsd_format_from(text);
  if (!format) return refuse(fmt::format("'{}' is none of plain, dogstatsd, influx", text));
  options.format = *format;
  return {};
}

Result<void, std::string> set_statsd_prefix(StatsdOptions& options, std::string_view text) {
  if (!text.empty() && !exporters::is_statsd_name(text)) {
    return refuse(fmt::format("'{}' is not words of A-Z a-z 0-9 _ - with dots between them, such as gateway", text));
  }
  options.prefix = text;
  return {};
}

StatsdMeter::StatsdMeter(const StatsdOptions& options, const std::vector<std::string>& models) {
  assert(options.where);
  auto sink = exporters::open_udp_sink(*options.where);
  if (!sink) throw std::runtime_error("statsd: " + sink.error());
  sink_ = std::move(*sink);
  std::vector<std::string> names = exporters::distinct_statsd_words(models, {"unknown"});
  names.emplace_back("unknown");
  for (const std::string& name : names) {
    scopes_.push_back(exporters::make_statsd_scope(options.format, options.prefix, {{"model", name}},
                                                   exporters::StatsdPlace::behind));
  }
  tallies_.resize(scopes_.size());
  spare_.resize(scopes_.size());
  thread_ = std::thread([this] { run(); });
}

StatsdMeter::~StatsdMeter() {
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  const exporters::SinkAccount account = sink_->finish();
  if (account.dropped > 0) {
    fmt::print(stderr, "statsd: {} of {} lines were lost: {}\n", account.dropped, account.offered, account.first_error);
  }
}

void StatsdMeter::on_end(std::size_t model, const Ended& ended) noexcept {
  const std::scoped_lock lock(mutex_);
  assert(model < tallies_.size());
  Tally& tally = tallies_[model];
  ++tally.requests;
  tally.input_tokens += ended.input_tokens;
  tally.output_tokens += ended.output_tokens;
  switch (ended.end) {
    case RequestEnd::ok:
      tally.latency.record_ns(static_cast<std::int64_t>(ended.seconds * 1e9));
      break;
    case RequestEnd::timeout:
      ++tally.timeouts;
      break;
    case RequestEnd::model_error:
      ++tally.model_errors;
      break;
    case RequestEnd::other:
      break;
  }
}

void StatsdMeter::run() {
  // Requests come first.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
  auto next = std::chrono::steady_clock::now();
  bool is_over = false;
  while (!is_over) {
    next += kFlushInterval;
    std::unique_lock lock(mutex_);
    is_over = wake_.wait_until(lock, next, [this] { return is_stopping_; });
    std::swap(tallies_, spare_);
    lock.unlock();
    flush();
  }
}

/// Writes what is in `spare_` and empties it.
void StatsdMeter::flush() {
  exporters::Batch batch;
  for (std::size_t i = 0; i < scopes_.size(); ++i) {
    const exporters::StatsdScope& scope = scopes_[i];
    Tally& tally = spare_[i];
    exporters::append_statsd_counter(batch, scope, "requests.total", tally.requests);
    exporters::append_statsd_counter(batch, scope, "tokens.input", tally.input_tokens);
    exporters::append_statsd_counter(batch, scope, "tokens.output", tally.output_tokens);
    exporters::append_statsd_counter(batch, scope, "errors.timeout", tally.timeouts);
    exporters::append_statsd_counter(batch, scope, "errors.model_error", tally.model_errors);
    exporters::append_statsd_timers(batch, scope, "request.latency", tally.latency, kTimersPerFlush);
    exporters::append_statsd_percentiles(batch, scope, "request.latency", tally.latency, '_');
    exporters::Distribution emptied = std::move(tally.latency);
    emptied.reset();
    tally = Tally{};
    tally.latency = std::move(emptied);  // its memory is what is worth keeping
  }
  if (!batch.empty()) sink_->write(std::move(batch));
}

}  // namespace refserver
