// Bytes to one client: what is there is written at once, on the I/O thread, and only what the kernel does not take
// waits for the socket. Knows nothing of answers.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "refserver/api/token_event.hpp"

namespace refserver {

class SocketWriter {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  /// Hears how a write that had to wait ended.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_written() = 0;
    virtual void on_write_failed() = 0;
  };

  enum class State : std::uint8_t { idle, waiting, failed };

  SocketWriter(std::shared_ptr<Socket> socket, std::chrono::milliseconds timeout)
      : socket_(std::move(socket)), timeout_(timeout) {}

  /// Writes all of `bytes` and empties it. When the result is `waiting`, `listener` (kept alive by this) hears of the
  /// end; until then nothing may be flushed.
  State flush(std::string& bytes, TimePoint now, std::shared_ptr<Listener> listener);

  bool is_waiting() const { return deadline_.has_value(); }
  /// The client takes nothing for too long.
  bool is_overdue(TimePoint now) const { return deadline_ && now >= *deadline_; }
  void close();
  /// Closes with a reset: the peer may lose even what it has not read yet.
  void reset();
  /// The peer reads an end; it may go on sending.
  void finish_sending();
  Socket::executor_type executor() const { return socket_->get_executor(); }

 private:
  void write_rest(std::shared_ptr<Listener> listener);

  std::shared_ptr<Socket> socket_;
  std::chrono::milliseconds timeout_;
  std::string writing_;
  std::optional<TimePoint> deadline_;
};

}  // namespace refserver
