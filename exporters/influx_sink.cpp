#include "exporters/influx_sink.hpp"

#include <random>
#include <utility>

#include "exporters/gzip.hpp"
#include "exporters/spill_file.hpp"
#include "exporters/worker_sink.hpp"

namespace exporters {
namespace {

class InfluxSink final : public WorkerSink {
 public:
  InfluxSink(const InfluxTarget& target, const InfluxSinkOptions& options)
      : WorkerSink(options.drain_timeout),
        name_("InfluxDB " + target.url.text()),
        write_path_(write_path(target)),
        compression_(target.compression),
        options_(options),
        queue_(options.batch),
        spill_(options.spill_file),
        client_({target.url.server(), credentials_for(target), target.request_timeout,
                 [this] { return is_out_of_time(); }}) {
    start();
  }

  ~InfluxSink() override { finish(); }

  std::string describe() const override { return name_; }

  void write(Batch batch) override {
    std::vector<Batch> overflow;
    {
      const std::scoped_lock lock(mutex_);
      assert(!stopping_);
      offered_ += batch.size();
      queue_.push(batch, Clock::now());
      while (queue_.bytes() > options_.max_queue_bytes) overflow.push_back(*queue_.pop());
      if (!overflow.empty()) note_error("the queue to the server is full; the oldest points were spilled");
    }
    wake_.notify_one();
    for (Batch& oldest : overflow) spill_.write(std::move(oldest));
  }

  SinkAccount account() const override {
    const SinkAccount spilled = spill_.account();
    const std::scoped_lock lock(mutex_);
    return {offered_,       stored_,         rejected_,
            spilled.stored, spilled.dropped, first_error_.empty() ? spilled.first_error : first_error_};
  }

 private:
  // ---- the worker thread

  void run() override {
    while (auto batch = next_batch()) deliver(std::move(*batch));
  }

  /// Waits for a batch that is full or old enough; when stopping takes what there is, and nothing once all is gone.
  std::optional<Batch> next_batch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (auto batch = queue_.pop_ready(Clock::now())) return batch;
      if (const auto due = queue_.ready_at())
        wake_.wait_until(lock, *due);
      else
        wake_.wait(lock);
    }
    return queue_.pop();
  }

  /// Brings one batch to its end: stored, rejected or spilled.
  void deliver(Batch batch) {
    Backoff backoff(options_.backoff);
    std::string cause = given_up_.value_or("there was no time left to send them");
    std::string small;  // compressed once, however often it is sent
    while (!given_up_ && !is_out_of_time()) {
      if (compression_ == Compression::gzip && small.empty()) small = gzipped(batch.bytes);
      const HttpAnswer answer = send(small.empty() ? batch.bytes : small);
      const InfluxVerdict verdict = classify_write(answer, batch.size());
      if (verdict.action == InfluxAction::split) return deliver_halves(batch);
      if (verdict.action == InfluxAction::stored || verdict.action == InfluxAction::rejected)
        return settle(batch.size(), verdict);
      cause = verdict.reason;
      if (verdict.action == InfluxAction::stop)
        given_up_ = cause;
      else
        wait_before_retry(backoff, verdict.min_wait);
    }
    spill(std::move(batch), cause);
  }

  HttpAnswer send(const std::string& body) {
    const bool is_small = compression_ == Compression::gzip;
    return client_.post(write_path_, "text/plain; charset=utf-8", body,
                        is_small ? ContentEncoding::gzip : ContentEncoding::identity);
  }

  void deliver_halves(const Batch& batch) {
    const std::size_t half = batch.size() / 2;  // at least 1: a single refused point is not split
    deliver(batch.slice(0, half));
    deliver(batch.slice(half, batch.size() - half));
  }

  void settle(std::uint64_t points, const InfluxVerdict& verdict) {
    const std::scoped_lock lock(mutex_);
    rejected_ += verdict.rejected;
    stored_ += points - verdict.rejected;
    if (verdict.rejected > 0) note_error(verdict.reason);
  }

  void spill(Batch batch, const std::string& cause) {
    {
      const std::scoped_lock lock(mutex_);
      note_error(cause);
    }
    spill_.write(std::move(batch));
  }

  /// Ends early when finish() is called. From then on only our own short waits count: what the server asked for may be
  /// longer than the time that is left.
  void wait_before_retry(Backoff& backoff, std::chrono::milliseconds min_wait) {
    const auto own_wait = backoff.next(uniform_(random_));
    std::unique_lock lock(mutex_);
    const bool was_stopping = stopping_;
    const auto wait = was_stopping ? own_wait : std::max(min_wait, own_wait);
    const auto until = std::min<Clock::time_point>(Clock::now() + wait, deadline_);
    const bool interrupted = wake_.wait_until(lock, until, [&] { return stopping_ != was_stopping; });
    if (interrupted) backoff = Backoff(options_.backoff);
  }

  // ---- shared

  bool is_out_of_time() const {
    const std::scoped_lock lock(mutex_);
    return Clock::now() >= deadline_;
  }

  void note_error(const std::string& reason) {  // with mutex_ held
    if (first_error_.empty()) first_error_ = reason;
  }

  const std::string name_;
  const std::string write_path_;
  const Compression compression_;
  const InfluxSinkOptions options_;

  BatchQueue queue_;
  std::uint64_t offered_ = 0, stored_ = 0, rejected_ = 0;
  std::string first_error_;

  SpillFile spill_;

  // The worker's own.
  HttpClient client_;
  std::optional<std::string> given_up_;  ///< why the server will never accept anything
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_real_distribution<double> uniform_{0.0, 1.0};
};

}  // namespace

std::unique_ptr<Sink> make_influx_sink(const InfluxTarget& target, const InfluxSinkOptions& options) {
  return std::make_unique<InfluxSink>(target, options);
}

}  // namespace exporters
