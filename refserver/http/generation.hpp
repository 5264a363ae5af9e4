// One generated answer on its way to one client: formats tokens as they come and writes each at once. The write is
// made right here, on the I/O thread, and only what the kernel does not take at once waits for the socket.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/http/response_head.hpp"
#include "refserver/http/service.hpp"
#include "refserver/http/truth_log.hpp"

namespace refserver {

/// What is known of a request once it was read.
struct RequestFacts {
  Route route = Route::generate;
  TimePoint received;
  std::optional<std::string> client_id;
  Persistence persistence = Persistence::keep;
  Framing framing = Framing::chunked;
};

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  /// `on_done` is called once, when the last byte was handed over or the answer was given up; it must not destroy the
  /// socket, which is kept alive by the pointer.
  Generation(Service& service, std::shared_ptr<Socket> socket, RequestFacts facts, std::function<void()> on_done);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  /// Takes a permit, validates, hands the request to the engine and, for streams, sends the head. Whatever goes wrong
  /// becomes the answer.
  void start(GenerateRequest request);

  void on_token(const TokenEvent& event);
  /// The client is gone or too slow, or the server must stop: drops the request at the engine and closes the socket.
  void abandon(std::string_view outcome);
  /// Looks at the write deadline and at silence on streams.
  void on_tick(TimePoint now);

  bool is_done() const { return is_done_; }
  /// True if the connection can serve another request.
  bool can_continue() const { return is_done_ && !is_broken_ && facts_.persistence != Persistence::close; }

 private:
  void refuse(const Error& error);
  void submit(ValidatedRequest valid);
  void send_stream_head();
  std::string make_whole_answer(TimePoint now) const;
  void flush();
  void count_tokens(std::size_t stamps);
  void write_rest(std::size_t written);
  void finish(std::string_view outcome);
  void record_success(TimePoint now);

  Service& service_;
  std::shared_ptr<Socket> socket_;
  RequestFacts facts_;
  std::function<void()> on_done_;
  std::optional<Admission::Permit> permit_;
  AnswerShape shape_;
  std::unique_ptr<StreamFormat> stream_;
  std::unique_ptr<WholeFormat> whole_;
  TruthRecord truth_;
  TimePoint queued_;
  TimePoint last_write_;
  SseBuffer out_;              ///< formatted, not yet handed to the kernel
  std::string writing_;        ///< being written in the background
  std::size_t unstamped_ = 0;  ///< tokens in `out_`
  std::optional<TimePoint> write_deadline_;
  std::string_view outcome_ = "ok";
  bool is_last_formatted_ = false;  ///< everything there is to send is in the buffers
  bool is_broken_ = false;
  bool is_done_ = false;
};

}  // namespace refserver
