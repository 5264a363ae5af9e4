// Every stamp of a request that is not the kernel's is taken here: directly before the write, directly after the read.
#include "loadgen/drive/courier.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace loadgen {
namespace {

constexpr std::uint32_t connect_parallel = 32;
constexpr std::int64_t fresh_ns = 1'000'000;

void set_option(int socket, int level, int name, int value) noexcept {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

/// A stream of tokens is one small segment after the other; acknowledging each of them at once would cost more than
/// reading it. The kernel forgets this whenever an acknowledgement has been delayed to its limit, as it is before a
/// first token.
void acknowledge_lazily(int socket) noexcept {
  set_option(socket, IPPROTO_TCP, TCP_QUICKACK, 0);
}

}  // namespace

Courier::Courier(EventLoop& loop, Client& client, std::vector<Endpoint> endpoints, SourceAddresses sources)
    : loop_(loop),
      client_(client),
      endpoints_(std::move(endpoints)),
      sources_(std::move(sources)),
      pool_(endpoints_.size()),
      ahead_(endpoints_.size()) {
  measure_clocks();
}

void Courier::measure_clocks() noexcept {
  const std::int64_t before = monotonic_ns();
  const std::int64_t real = realtime_ns();
  offset_.measure(before, real, monotonic_ns());
}

// --- sending
// ----------------------------------------------------------------------------------------------------------

void Courier::carry(Exchange& exchange, std::size_t target, std::string_view request) {
  exchange.record.request_bytes = request.size();
  if (auto idle = take_idle(target, exchange.record.stamps.dispatch)) {
    exchange.on_reused_connection();
    Connection& connection = *idle;
    attach(exchange, std::move(idle));
    return send(connection, request);
  }
  exchange.on_connecting();
  int error = 0;
  auto opened = open(target, error);
  if (!opened) {
    attach(exchange, nullptr);
    exchange.on_connect_failed(error, {}, monotonic_ns());
    return finish(exchange);
  }
  Connection& connection = *opened;
  const bool is_open = connection.state() == Connection::State::open;
  attach(exchange, std::move(opened));
  if (!is_open) return connection.keep(request);
  exchange.on_connected(monotonic_ns());
  send(connection, request);
}

/// A connection that has only just carried an answer is good; one that has been idle may have been closed by the
/// server, which the loop may not have been told yet.
std::unique_ptr<Connection> Courier::take_idle(std::size_t target, std::int64_t now_ns) {
  while (auto connection = pool_.take(target)) {
    const std::int64_t idle_ns = now_ns - connection->idle_since_ns;
    const bool may_be_used = connection->idle_since_ns == 0 || idle_ns < idle_limit_ns_;  // 0: it has carried nothing
    if (may_be_used && (idle_ns < fresh_ns || connection->transport().is_quiet())) return connection;
    retire(std::move(connection));
  }
  return nullptr;
}

/// A socket that is connected to `endpoint` (`error` 0) or about to be (EINPROGRESS). Where one source address has no
/// port left for this target, the next one may.
FileDescriptor Courier::connect_to(const Endpoint& endpoint, int& error) {
  FileDescriptor socket;
  std::size_t left = sources_.count(endpoint.family());
  do {
    socket = FileDescriptor(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    error = socket.is_open() ? 0 : errno;
    if (error != 0) return socket;
    if (endpoint.family() != AF_UNIX) {
      set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
      enable_receive_stamps(socket.get());
    }
    error = sources_.bind_next(socket.get(), endpoint.family());
    if (error == 0) error = ::connect(socket.get(), endpoint.raw(), endpoint.size) == 0 ? 0 : errno;
  } while (error == EADDRNOTAVAIL && left-- > 1);
  return socket;
}

std::unique_ptr<Connection> Courier::open(std::size_t target, int& error) {
  const Endpoint& endpoint = endpoints_[target];
  FileDescriptor socket = connect_to(endpoint, error);
  if (error != 0 && error != EINPROGRESS) return nullptr;
  const bool is_open = error == 0 && endpoint.way == nullptr;
  const auto state = is_open ? Connection::State::open : Connection::State::connecting;
  ConnectionOwner& owner = *this;
  auto transport = make_transport(std::move(socket), endpoint.way.get());
  auto connection = std::make_unique<Connection>(owner, target, std::move(transport), state);
  connection->number = next_number_;
  next_number_ += number_step_;
  error = connection->update_interest(loop_);
  return error == 0 ? std::move(connection) : nullptr;
}

void Courier::on_connect_done(Connection& connection) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(connection.transport().descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return on_set_up(connection, error, {});
  connection.on_setting_up();
  go_on_setting_up(connection);
}

/// A handshake or a tunnel, if there is one; otherwise done at once.
void Courier::go_on_setting_up(Connection& connection) {
  switch (connection.transport().set_up()) {
    case Transport::Setup::done:
      return on_set_up(connection, 0, {});
    case Transport::Setup::must_wait:
      if (const int error = connection.update_interest(loop_); error != 0) on_set_up(connection, error, {});
      return;
    case Transport::Setup::failed:
      return on_set_up(connection, EPROTO, connection.transport().failure());
  }
}

void Courier::on_set_up(Connection& connection, int error, const std::string& why) {
  const std::int64_t now = monotonic_ns();
  const std::string request = connection.take_kept();
  if (error == 0) {
    connection.on_connected();
    error = connection.update_interest(loop_);
  }
  if (connection.exchange == nullptr) return on_opened_ahead(connection, error);
  Exchange& exchange = *connection.exchange;
  if (error != 0) {
    exchange.on_connect_failed(error, why, now);
    return finish(exchange);
  }
  exchange.on_connected(now);
  send(connection, request);
}

void Courier::send(Connection& connection, std::string_view request) {
  Exchange& exchange = *connection.exchange;
  exchange.on_sending(monotonic_ns());
  int error = connection.write(request);
  const std::int64_t now = monotonic_ns();
  exchange.on_written(now);
  if (error == 0 && connection.has_unsent()) {
    error = connection.update_interest(loop_);
  } else if (error == 0) {
    exchange.on_sent(now);
  }
  if (error != 0) {
    exchange.on_closed(error, connection.transport().failure(), now);
    return finish(exchange);
  }
  active_[exchange.position].deadline_ns = exchange.deadline_ns();
  client_.on_sent(exchange);
}

void Courier::go_on_writing(Connection& connection) {
  if (connection.exchange == nullptr) {  // the last bytes of a handshake
    if (connection.write_rest() != 0 || connection.update_interest(loop_) != 0) on_unwanted(connection);
    return;
  }
  Exchange& exchange = *connection.exchange;
  int error = connection.write_rest();
  if (error == 0 && !connection.has_unsent()) {
    exchange.on_sent(monotonic_ns());
    error = connection.update_interest(loop_);
  }
  if (error == 0) return;
  exchange.on_closed(error, connection.transport().failure(), monotonic_ns());
  finish(exchange);
}

// --- reading
// ----------------------------------------------------------------------------------------------------------

void Courier::on_ready(Connection& connection, std::uint32_t events) {
  if (connection.state() == Connection::State::connecting) return on_connect_done(connection);
  if (connection.state() == Connection::State::setting_up) return go_on_setting_up(connection);
  if ((events & EPOLLOUT) != 0 && connection.has_unsent()) {
    go_on_writing(connection);
    if (connection.state() == Connection::State::closed) return;
  }
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) on_readable(connection, events);
}

void Courier::on_readable(Connection& connection, std::uint32_t events) {
  constexpr auto plain = static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT);
  const bool is_ending = (events & ~plain) != 0;
  if (is_ending) connection.note_end();
  const Transport::Result read = connection.transport().read(buffer_);
  const std::int64_t now = monotonic_ns();
  loop_.saw_time(now);
  if (read.must_wait) {
    if (connection.transport().wants() != 0) connection.update_interest(loop_);  // TLS has something to say by itself
    return;
  }
  if (connection.exchange == nullptr) return on_unwanted(connection);
  Exchange& exchange = *connection.exchange;
  if (read.bytes > 0) {
    const Arrival arrival = make_arrival(read.kernel_real_ns, offset_, exchange.last_stamp_ns(), now);
    exchange.on_bytes({buffer_.data(), read.bytes}, arrival);
    client_.on_read(exchange, arrival);
  } else {
    exchange.on_closed(read.error, read.error == 0 ? std::string() : connection.transport().failure(), now);
  }
  const bool may_be_more = read.bytes > 0 && (is_ending || read.bytes == buffer_.size());
  const int error = may_be_more ? connection.ask_again(loop_) : 0;
  if (error != 0 && !exchange.is_over()) exchange.on_closed(error, {}, now);
  if (exchange.is_over()) return finish(exchange);
  if (!exchange.has_just_begun()) return;
  active_[exchange.position].deadline_ns = exchange.deadline_ns();
  acknowledge_lazily(connection.transport().descriptor());
}

/// An idle connection has nothing to say: end of file, an error or stray bytes all make it useless.
void Courier::on_unwanted(Connection& connection) {
  retire(pool_.remove(connection));
}

// --- the list of what is under way
// ----------------------------------------------------------------------------------------------------------

void Courier::attach(Exchange& exchange, std::unique_ptr<Connection> connection) {
  if (connection) {
    connection->exchange = &exchange;
    exchange.record.connection = connection->number;
  }
  exchange.position = active_.size();
  active_.push_back({exchange.deadline_ns(), &exchange, std::move(connection)});
}

void Courier::finish(Exchange& exchange) {
  const std::size_t at = exchange.position;
  std::unique_ptr<Connection> connection = std::move(active_[at].connection);
  if (at + 1 < active_.size()) {
    active_[at] = std::move(active_.back());
    active_[at].exchange->position = at;
  }
  active_.pop_back();
  if (connection && idle_limit_ns_ > 0 && exchange.leaves_connection_usable() && !connection->has_unsent() &&
      !connection->is_ending()) {
    connection->exchange = nullptr;
    connection->idle_since_ns = loop_.now_ns();  // when the answer was read, however long ago it had arrived
    pool_.put_back(std::move(connection));
  } else if (connection) {
    retire(std::move(connection));
  }
  client_.on_over(exchange);
}

void Courier::retire(std::unique_ptr<Connection> connection) {
  connection->close(loop_);
  loop_.retire(std::move(connection));
}

void Courier::cut(Exchange& exchange, Outcome outcome, const char* why) {
  exchange.cut(outcome, why, monotonic_ns());
  finish(exchange);
}

void Courier::sweep(std::int64_t now_ns) {
  for (std::size_t i = active_.size(); i-- > 0;) {  // from the end: finishing one moves the last one into its place
    if (i >= active_.size() || now_ns < active_[i].deadline_ns) continue;
    Exchange& exchange = *active_[i].exchange;
    exchange.cut_at_deadline(now_ns);
    finish(exchange);
  }
}

// --- connections opened ahead
// ----------------------------------------------------------------------------------------------------------

void Courier::open_ahead(std::size_t target, std::uint32_t count, std::function<void()> done) {
  ahead_[target] = {count, 0, std::move(done)};
  open_next_ahead(target);
}

void Courier::open_next_ahead(std::size_t target) {
  OpenAhead& ahead = ahead_[target];
  while (ahead.left > 0 && ahead.connecting < connect_parallel) {
    int error = 0;
    auto connection = open(target, error);
    if (!connection) {
      ahead.left = 0;
      break;
    }
    --ahead.left;
    if (connection->state() == Connection::State::open) {
      pool_.put_back(std::move(connection));
      continue;
    }
    ++ahead.connecting;
    connection->position = opening_.size();
    opening_.push_back(std::move(connection));
  }
  if (ahead.left == 0 && ahead.connecting == 0 && ahead.done) std::exchange(ahead.done, nullptr)();
}

void Courier::on_opened_ahead(Connection& connection, int error) {
  const std::size_t at = connection.position;
  std::swap(opening_[at], opening_.back());
  opening_[at]->position = at;
  std::unique_ptr<Connection> opened = std::move(opening_.back());
  opening_.pop_back();
  OpenAhead& ahead = ahead_[opened->target()];
  --ahead.connecting;
  const std::size_t target = opened->target();
  if (error == 0) {
    pool_.put_back(std::move(opened));
  } else {
    ahead.left = 0;
    retire(std::move(opened));
  }
  open_next_ahead(target);
}

}  // namespace loadgen
