// The stamps of a request are all taken here: directly before the write, directly after each read, before any parsing.
#include "loadgen/drive/exchange.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

namespace loadgen {
namespace {

constexpr std::size_t whole_body_limit_bytes = 64 * 1024 * 1024;
constexpr std::size_t error_body_limit_bytes = 64 * 1024;

/// A stream of tokens is one small segment after the other; acknowledging each of them at once would cost more than
/// reading it. The kernel forgets this whenever an acknowledgement has been delayed to its limit, as it is before a
/// first token.
void acknowledge_lazily(Socket& socket) noexcept {
  const int off = 0;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

}  // namespace

Outcome connection_outcome(const ErrorCode& ec, bool connected) noexcept {
  namespace errc = boost::system::errc;
  if (ec == errc::address_not_available || ec == errc::too_many_files_open ||
      ec == errc::too_many_files_open_in_system || ec == errc::no_buffer_space || ec == errc::not_enough_memory) {
    return Outcome::client_resource;
  }
  return connected ? Outcome::reset : Outcome::connect;
}

void Exchange::prepare(const MixEntry& entry, const Timeouts& timeouts) {
  entry_ = &entry;
  timeouts_ = timeouts;
  auto events = std::move(record.events);
  events.clear();
  record = RequestRecord{};
  record.events = std::move(events);
  record.requested_tokens = entry.parameters.max_new_tokens;
  record.streamed = entry.delivery == Delivery::stream;
  if (record.streamed) record.events.reserve(std::min<std::size_t>(entry.parameters.max_new_tokens, 65536));
  http_.reset();
  sse_.reset();
  answer_.start(entry, record);
  body_.clear();
  is_stream_ = head_seen_ = cut_ = false;
  connection_ = nullptr;
  deadline_ns = INT64_MAX;
}

Task<bool> Exchange::run(Connection& connection) {
  const ErrorCode send_error = co_await send_request(connection.socket);
  if (send_error) {
    on_cut(send_error, monotonic_ns());
    co_return false;
  }
  const std::int64_t total = record.stamps.send + timeouts_.total.count();
  const std::int64_t first = record.stamps.send + timeouts_.first_token.count();
  deadline_ns = record.streamed ? std::min(total, first) : total;
  std::int64_t read_ns = record.stamps.sent;
  while (http_.state() != HttpParser::State::complete) {
    const auto [ec, n] = co_await connection.socket.async_read_some(asio::buffer(connection.buffer), as_result);
    read_ns = monotonic_ns();
    if (ec == asio::error::eof && !cut_) http_.feed_eof();
    if (ec && http_.state() != HttpParser::State::complete) {
      on_cut(ec, read_ns);
      co_return false;
    }
    const bool waited = record.events.empty();
    on_read({connection.buffer.data(), n}, read_ns);
    if (!record.events.empty()) deadline_ns = total;
    if (waited && !record.events.empty()) acknowledge_lazily(connection.socket);
    if (record.outcome == Outcome::malformed) {
      answer_.finish_cut(Outcome::malformed, "malformed answer", read_ns);
      co_return false;
    }
  }
  on_end(read_ns);
  co_return http_.head().keep_alive;
}

Task<ErrorCode> Exchange::send_request(Socket& socket) {
  record.stamps.send = monotonic_ns();
  const ssize_t n = ::send(socket.native_handle(), request_bytes.data(), request_bytes.size(), MSG_NOSIGNAL);
  ErrorCode ec;
  if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) ec = ErrorCode(errno, boost::system::system_category());
  const std::size_t done = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (!ec && done < request_bytes.size()) {
    const auto rest = asio::buffer(request_bytes.data() + done, request_bytes.size() - done);
    std::tie(ec, std::ignore) = co_await asio::async_write(socket, rest, as_result);
  }
  record.stamps.sent = monotonic_ns();
  co_return ec;
}

void Exchange::on_read(std::string_view bytes, std::int64_t at_ns) {
  const std::size_t before = record.events.size();
  http_.feed(bytes, [&](std::string_view part) {
    if (!head_seen_) on_head(at_ns);
    on_body(part, at_ns);
  });
  if (http_.has_head() && !head_seen_) on_head(at_ns);
  const std::size_t came = record.events.size() - before;
  if (came > 0) count_tokens(before);
  if (came > 1) record.coalesced_events += static_cast<std::uint32_t>(came);
  if (http_.state() == HttpParser::State::malformed) {
    answer_.finish_cut(Outcome::malformed, http_.error(), at_ns);
  }
}

/// A token-bearing event whose count is not known (yet) is at least one token.
void Exchange::count_tokens(std::size_t from_event) {
  if (live_tokens == nullptr) return;
  std::uint64_t tokens = 0;
  for (std::size_t i = from_event; i < record.events.size(); ++i) tokens += std::max(record.events[i].tokens, 1U);
  live_tokens->store(live_tokens->load(std::memory_order_relaxed) + tokens, std::memory_order_relaxed);
}

void Exchange::on_head(std::int64_t at_ns) {
  head_seen_ = true;
  const ResponseHead& head = http_.head();
  record.stamps.headers = at_ns;
  record.http_status = static_cast<std::uint16_t>(head.status);
  if (head.prompt_tokens) record.input_tokens = head.prompt_tokens;
  is_stream_ = head.status == 200 && head.content_type == "text/event-stream";
}

void Exchange::on_body(std::string_view part, std::int64_t at_ns) {
  if (is_stream_) {
    const bool fits = sse_.feed(part, [&](std::string_view data) { answer_.on_event(data, at_ns); });
    if (!fits) answer_.finish_cut(Outcome::malformed, "an event is longer than 16 MiB", at_ns);
    return;
  }
  const std::size_t limit = record.http_status == 200 ? whole_body_limit_bytes : error_body_limit_bytes;
  if (body_.size() < limit) body_.append(part.substr(0, limit - body_.size()));
}

void Exchange::on_end(std::int64_t at_ns) {
  const int status = record.http_status;
  if (status != 200) {
    answer_.on_error_body(body_, status);
  } else if (record.streamed && !is_stream_) {
    answer_.on_error_body("asked for a stream, got content-type '" + http_.head().content_type + "'", status);
  } else if (!record.streamed && is_stream_) {
    answer_.on_error_body("asked for one body, got a stream", status);
  } else if (!record.streamed) {
    answer_.on_whole_body(body_);
  }
  answer_.finish_complete(at_ns);
  if (!record.streamed && record.token_source == TokenSource::none && http_.head().generated_tokens) {
    record.output_tokens = *http_.head().generated_tokens;
    record.token_source = TokenSource::server_usage;
  }
}

void Exchange::on_cut(const ErrorCode& ec, std::int64_t at_ns) {
  if (cut_) {
    answer_.finish_cut(cut_outcome_, cut_why_, at_ns);
    return;
  }
  const Outcome resource = connection_outcome(ec, true);
  const Outcome outcome = resource == Outcome::client_resource ? resource
                          : head_seen_                         ? Outcome::truncated
                                                               : Outcome::reset;
  answer_.finish_cut(outcome, ec == asio::error::eof ? "the server closed the connection" : ec.message(), at_ns);
}

void Exchange::fail_connect(const ErrorCode& ec) {
  const std::int64_t now = monotonic_ns();
  if (cut_) {
    answer_.finish_cut(cut_outcome_, cut_why_, now);
  } else {
    answer_.finish_cut(connection_outcome(ec, false), "connect: " + ec.message(), now);
  }
}

void Exchange::cut_at_deadline() {
  if (record.stamps.send == 0) {
    cut(Outcome::timeout_connect, "no connection within the connect timeout");
  } else if (record.streamed && record.events.empty() &&
             monotonic_ns() - record.stamps.send < timeouts_.total.count()) {
    cut(Outcome::timeout_ttft, "no token within the first-token timeout");
  } else {
    cut(Outcome::timeout_total, "not finished within the total timeout");
  }
}

void Exchange::cut(Outcome outcome, const char* why) {
  if (cut_) return;
  cut_ = true;
  cut_outcome_ = outcome;
  cut_why_ = why;
  deadline_ns = INT64_MAX;
  ErrorCode ignored;
  if (connection_ != nullptr) connection_->socket.close(ignored);
}

}  // namespace loadgen
