// One request from the first byte sent to the last byte read, as a machine: told what happened and when, it keeps the
// stamps and says when it is over. Does no I/O, reads no clock; knows nothing of plans, pacing or metrics. Internal to
// drive.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "loadgen/drive/arrival.hpp"
#include "loadgen/drive/intake.hpp"
#include "loadgen/drive/request_record.hpp"

namespace loadgen {

/// Reused from request to request, so that nothing is allocated per token once it has warmed up. Once `is_over`, the
/// record is settled and nothing more is to be told.
class Exchange {
 public:
  /// The record of the request under way; the caller fills in index, entry, intended and dispatch beforehand.
  RequestRecord record;
  std::atomic<std::uint64_t>* live_tokens = nullptr;  ///< counts tokens as they arrive, written by this thread alone
  IntakePool* intakes = nullptr;                      ///< shared with others; null: it keeps one of its own
  std::size_t position = 0;                           ///< in the courier's list of what is under way

  /// Gets the record ready for a new request. `entry` outlives the answer.
  void prepare(const MixEntry& entry, const Timeouts& timeouts);

  // What happened, in the order it can happen.
  void on_reused_connection() noexcept { record.stamps.connected = record.stamps.dispatch; }
  void on_connecting() noexcept;  ///< a new connection has been asked for: the connect timeout runs from `dispatch`
  void on_connected(std::int64_t at_ns) noexcept;
  /// `why`: in words, where errno does not say.
  void on_connect_failed(int error, const std::string& why, std::int64_t at_ns);
  /// Directly before the first byte is given to the kernel.
  void on_sending(std::int64_t at_ns) noexcept;
  /// The first write has returned.
  void on_written(std::int64_t at_ns) noexcept { record.write_delay_ns = at_ns - record.stamps.send; }
  /// The kernel has taken the last byte.
  void on_sent(std::int64_t at_ns) noexcept { record.stamps.sent = at_ns; }
  /// What one read brought.
  void on_bytes(std::string_view bytes, const Arrival& arrival);
  /// The peer closed (`error` 0) or the connection broke, in sending or in reading; `why` as above.
  void on_closed(int error, const std::string& why, std::int64_t at_ns);
  /// Ends it with this outcome, or with the timeout whose deadline has passed.
  void cut(Outcome outcome, std::string why, std::int64_t at_ns);
  void cut_at_deadline(std::int64_t at_ns);

  /// Brings it into the cache ahead of `on_bytes`; once it is there, what takes in its answer.
  void get_near() const noexcept { prefetch(this, sizeof(Exchange)); }
  void get_nearer() const noexcept {
    if (intake_) prefetch(intake_.get(), sizeof(Intake));
  }

  bool is_over() const noexcept { return over_; }
  /// Once over: the response was read to its end and the connection may carry another request.
  bool leaves_connection_usable() const noexcept { return usable_; }
  /// When it is to be cut if nothing happens; changes with every event above.
  std::int64_t deadline_ns() const noexcept { return deadline_ns_; }
  /// The latest receive stamp, or that of the send: no later byte arrived before it.
  std::int64_t last_stamp_ns() const noexcept { return last_stamp_ns_; }
  /// The read just reported brought the first token.
  bool has_just_begun() const noexcept { return has_just_begun_; }
  /// How many token events the read just reported completed.
  std::size_t events_read() const noexcept { return events_read_; }
  /// The time from one token event to the next, smoothed; 0: not known yet.
  std::int64_t usual_gap_ns() const noexcept { return usual_gap_ns_; }

 private:
  static void prefetch(const void* object, std::size_t size) noexcept {
    constexpr std::size_t line = 64;
    for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(static_cast<const char*>(object) + at);
  }

  Intake& intake();
  void let_go_of_intake();
  void take_in(std::string_view bytes, const Arrival& arrival);
  void on_head(std::int64_t at_ns);
  void on_body(std::string_view part, std::int64_t at_ns);
  Framing framing_of_answer() const noexcept;
  void on_tokens(std::size_t from_event, const Arrival& arrival);
  void note_gap(std::size_t from_event, std::int64_t at_ns) noexcept;
  void note_arrival(const Arrival& arrival) noexcept;
  void on_end(std::int64_t at_ns);
  std::string_view body() const noexcept { return whole_.data() != nullptr ? whole_ : intake_->body; }
  std::string error_text() const;
  void end_cut(Outcome outcome, std::string why, std::int64_t at_ns);

  Timeouts timeouts_;
  const MixEntry* entry_ = nullptr;
  std::unique_ptr<Intake> intake_;  ///< taken with the first byte, or for an end without one
  std::string_view whole_;          ///< the body of an answer that came in one read, while that is looked at
  std::int64_t deadline_ns_ = INT64_MAX;
  std::int64_t last_stamp_ns_ = 0;
  std::int64_t usual_gap_ns_ = 0;
  std::size_t events_read_ = 0;
  Framing asked_framing_ = Framing::none;  ///< how the answer's events are to be told apart
  Framing framing_ = Framing::none;        ///< how they are, by the response head; none: a whole body
  bool decides_by_type_ = true;            ///< no endpoint template says what to expect
  bool head_seen_ = false;
  bool over_ = false;
  bool usable_ = false;
  bool has_just_begun_ = false;
  bool has_intake_ = false;  ///< `intake_` is that of this answer
};

/// The outcome of a failed connect or of an error (errno) on the socket before any byte came back.
Outcome connection_outcome(int error, bool connected) noexcept;

}  // namespace loadgen
