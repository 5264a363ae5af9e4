// One request on one connection, from the first byte sent to the last byte read. Takes the stamps; knows nothing of
// plans, pacing or metrics. Internal to drive.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "loadgen/drive/answer.hpp"
#include "loadgen/drive/asio_types.hpp"
#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/connection_pool.hpp"
#include "loadgen/drive/http_parser.hpp"
#include "loadgen/drive/request_record.hpp"
#include "loadgen/drive/sse_parser.hpp"

namespace loadgen {

/// Reused from request to request, so that nothing is allocated per token once it has warmed up.
class Exchange {
 public:
  /// The record of the request under way; the caller fills in index, entry, intended and dispatch beforehand.
  RequestRecord record;
  std::string request_bytes;

  /// Why and when this exchange is to be cut; the owner's sweep calls `cut` once `deadline_ns` has passed.
  std::int64_t deadline_ns = INT64_MAX;
  std::atomic<std::uint64_t>* live_tokens = nullptr;  ///< counts tokens as they arrive, written by this thread alone
  std::size_t active_position = 0;                    ///< in the owner's list of exchanges under way

  /// Gets the record ready for a new request.
  void prepare(const MixEntry& entry, const Timeouts& timeouts);

  /// Sends and reads to the end; settles the record's outcome. True if the connection can be used again.
  Task<bool> run(Connection& connection);

  /// The request could not even be sent.
  void fail_connect(const ErrorCode& ec);

  /// Ends whatever is awaited, with this outcome. The sweep for a passed deadline leaves `outcome` to the exchange.
  void cut_at_deadline();
  void cut(Outcome outcome, const char* why);

  /// Tells which connection operations to end; null while there is none.
  void set_connection(Connection* connection) noexcept { connection_ = connection; }

 private:
  Task<ErrorCode> send_request(Socket& socket);
  void on_read(std::string_view bytes, std::int64_t at_ns);
  void on_head(std::int64_t at_ns);
  void count_tokens(std::size_t from_event);
  void on_body(std::string_view part, std::int64_t at_ns);
  void on_end(std::int64_t at_ns);
  void on_cut(const ErrorCode& ec, std::int64_t at_ns);

  const MixEntry* entry_ = nullptr;
  Timeouts timeouts_;
  Connection* connection_ = nullptr;
  HttpParser http_;
  SseParser sse_;
  AnswerReader answer_;
  std::string body_;        ///< of an answer that is not a stream
  bool is_stream_ = false;  ///< the response head said text/event-stream
  bool head_seen_ = false;
  bool cut_ = false;
  Outcome cut_outcome_ = Outcome::cancelled;
  std::string cut_why_;
};

/// The outcome of a failed connect or of an error on the socket before any byte came back.
Outcome connection_outcome(const ErrorCode& ec, bool connected) noexcept;

}  // namespace loadgen
