// One send where it fits, one asynchronous write where it does not.
#include "refserver/http/socket_writer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace refserver {

namespace asio = boost::asio;

SocketWriter::State SocketWriter::flush(std::string& bytes, TimePoint now, std::shared_ptr<Listener> listener) {
  boost::system::error_code ec;
  const std::size_t written = socket_->write_some(asio::buffer(bytes), ec);
  if (ec && ec != asio::error::would_block && ec != asio::error::try_again) return State::failed;
  if (!ec && written == bytes.size()) {
    bytes.clear();
    return State::idle;
  }
  writing_.assign(bytes, ec ? 0 : written);
  bytes.clear();
  deadline_ = now + timeout_;
  write_rest(std::move(listener));
  return State::waiting;
}

void SocketWriter::write_rest(std::shared_ptr<Listener> listener) {
  // The listener keeps this writer alive.
  asio::async_write(*socket_, asio::buffer(writing_),
                    [this, listener = std::move(listener)](const boost::system::error_code& ec, std::size_t /*bytes*/) {
                      deadline_.reset();
                      writing_.clear();
                      if (ec) {
                        listener->on_write_failed();
                      } else {
                        listener->on_written();
                      }
                    });
}

void SocketWriter::reset() {
  boost::system::error_code ignored;
  socket_->set_option(asio::socket_base::linger(true, 0), ignored);
  socket_->close(ignored);
}

void SocketWriter::finish_sending() {
  boost::system::error_code ignored;
  socket_->shutdown(Socket::shutdown_send, ignored);
}

void SocketWriter::close() {
  boost::system::error_code ignored;
  socket_->close(ignored);
}

}  // namespace refserver
