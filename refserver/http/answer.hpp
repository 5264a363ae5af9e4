// One HTTP answer made of one or more generated sequences, on its way to one client: takes permits, validates, hands
// sequences to the engine, formats tokens as they come and writes each at once.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "refserver/http/generation.hpp"
#include "refserver/http/request_facts.hpp"
#include "refserver/http/service.hpp"
#include "refserver/http/socket_writer.hpp"

namespace refserver {

class FaultRun;

class Answer final : public SocketWriter::Listener, public std::enable_shared_from_this<Answer> {
 public:
  /// `on_done` is called once, when the last byte was handed over or the answer was given up; it must not destroy the
  /// socket, which is kept alive by the pointer.
  Answer(Service& service, Face& face, std::shared_ptr<SocketWriter::Socket> socket, RequestFacts facts,
         std::function<void()> on_done);
  ~Answer() override;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  /// Starts everything the body asks for and, for streams, sends the head. Whatever goes wrong becomes the answer.
  void start(GenerateRequest request);

  /// A token of the sequence with this index.
  void on_token(std::size_t sequence, const TokenEvent& event);
  /// The client is gone or too slow, or the server must stop: drops the sequences at the engine and closes the socket.
  void abandon(std::string_view outcome);
  /// Looks at the write deadline and at silence on streams.
  void on_tick(TimePoint now);
  void on_written() override;
  void on_write_failed() override;

  bool is_done() const { return is_done_; }
  /// True if the connection can serve another request.
  bool can_continue() const { return is_done_ && !is_broken_ && facts_.persistence != Persistence::close; }

 private:
  // answer_start.cpp: from the request to the engine.
  void add_sequence(std::size_t job);
  void start_stream();
  void start_whole();
  void begin_validation(std::size_t job);
  void on_validated(std::size_t job, const Result<ValidatedRequest, Error>& valid);
  void submit_job(std::size_t job, const ValidatedRequest& valid);
  void submit(std::size_t sequence, ValidatedRequest valid);
  void run_validation(const GenerateRequest& request, std::uint64_t seed,
                      std::function<void(Result<ValidatedRequest, Error>)> then);
  void continue_or_end(std::size_t sequence, TokenEvent last);
  void submit_next_segment(std::size_t sequence, TokenEvent last, ValidatedRequest valid);

  // answer.cpp: from tokens to bytes.
  void append_stream_head();
  void refuse(const Error& error);
  void fail(std::size_t sequence, Error error);
  void give_up(std::size_t sequence, Error error);
  void take_token(std::size_t sequence, const TokenEvent& event);
  void append_token(Generation& sequence, const TokenEvent& token);
  void append_or_spoil(Generation& sequence, const TokenEvent& event);
  void append_event(Generation& sequence, const TokenEvent& event);
  static std::int64_t unix_seconds();
  void take_turns();
  void close_sequence(Generation& sequence);
  void end_stream();
  void add_common_headers(ResponseHead& head) const;
  void flush();
  void on_all_written();
  void drop_at_engine();

  // answer_fault.cpp: what is done wrong on purpose.
  bool begin_fault();
  void answer_with_status(int status, std::uint32_t retry_after_s);
  void append_faulty(Generation& sequence, const TokenEvent& event);
  bool is_held() const;
  bool holds_back();
  void act_on_fault();
  void hold_by_fault();
  void reset_by_fault();
  void go_on();

  // answer_chunking.cpp: streams cut differently on purpose.
  void begin_chunking();
  bool keeps_for_later(Generation& sequence, TokenEvent& event) const;
  bool is_gathering() const;
  SocketWriter::State write_pieces();
  void wait_for_comment();

  // answer_truth.cpp: the truth on request.
  void settle_truth(Generation& sequence);
  void end_with_truth();
  void add_truth_headers(ResponseHead& head);

  // answer_end.cpp: whole bodies, the truth log, metrics.
  bool is_best_of() const { return jobs_.size() == 1 && sequences_.size() > 1; }
  std::size_t best_sequence() const;
  void finish_whole();
  std::uint64_t stated_length(std::size_t body_bytes);
  void count_tokens(const Generation& sequence, std::size_t stamps);
  void finish();
  void log_end(const Generation& sequence) const;
  void record_success(const Generation& sequence);
  RequestEnd meaning_of_end() const;
  void tell_statsd();

  Service& service_;
  Face& face_;
  RequestFacts facts_;
  std::function<void()> on_done_;
  SocketWriter writer_;
  std::vector<GenerateRequest> jobs_;
  std::vector<Generation> sequences_;
  std::vector<std::size_t> ended_;  ///< sequences of a whole answer in the order they ended
  std::size_t turn_ = 0;            ///< the sequence whose event a shared stream waits for
  std::size_t open_ = 0;            ///< sequences not closed
  std::size_t winner_ = 0;          ///< of best_of
  std::size_t validating_ = 0;      ///< requests on the validation pool
  Route route_;
  std::unique_ptr<FaultRun> fault_;     ///< null but for those chosen
  std::unique_ptr<Chunking> chunking_;  ///< null where every token is an event and a write
  std::unique_ptr<boost::asio::steady_timer> comment_timer_;
  std::uint32_t gathered_ = 0;  ///< events formatted and not yet written
  bool is_stream_ = false;
  TimePoint last_write_;
  SseBuffer out_;                   ///< formatted, not yet handed to the kernel
  bool is_last_formatted_ = false;  ///< everything there is to send is in the buffers
  bool owes_truth_ = false;         ///< all but the truth is formatted
  bool is_starting_ = false;        ///< start() writes once, at its end
  bool is_broken_ = false;
  bool is_done_ = false;
};

}  // namespace refserver
