#include "exporters/udp_sink.hpp"

#include <fmt/format.h>
#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "exporters/datagrams.hpp"
#include "exporters/token_bucket.hpp"
#include "exporters/worker_sink.hpp"

namespace exporters {
namespace {

constexpr std::size_t burst = 16;              ///< datagrams per call of the kernel
constexpr std::size_t remembered = 4 * burst;  ///< sent ones whose refusal may still come
constexpr std::chrono::milliseconds longest_nap{50};
constexpr int full_buffer_wait_ms = 100;
constexpr int last_word_wait_ms = 20;

/// Connected, and told of every datagram that came back as undeliverable.
class UdpSocket {
 public:
  explicit UdpSocket(const SocketAddress& peer) : fd_(::socket(peer.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    const bool is_v6 = peer.family() == AF_INET6;
    if (fd_ < 0 || ::connect(fd_, peer.get(), peer.size) != 0) {
      error_ = errno;
    } else {
      ::setsockopt(fd_, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on);
    }
  }
  ~UdpSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  UdpSocket(UdpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  UdpSocket& operator=(UdpSocket&&) = delete;

  int fd() const noexcept { return fd_; }
  int error() const noexcept { return error_; }  ///< why it could not be opened; 0: it was

  /// How many datagrams came back since the last call.
  std::size_t take_refusals() const {
    std::array<char, 512> control;
    std::size_t refused = 0;
    while (true) {
      msghdr message{};
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      if (::recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return refused;
      ++refused;
    }
  }

 private:
  int fd_;
  int error_ = 0;
};

class UdpSink final : public WorkerSink {
 public:
  UdpSink(const HostPort& where, UdpSocket socket, const UdpSinkOptions& options)
      : WorkerSink(options.drain_time), name_("UDP " + where.text()), options_(options), socket_(std::move(socket)) {
    start();
  }
  ~UdpSink() override { finish(); }

  std::string describe() const override { return name_; }

  void write(Batch batch) override {
    {
      const std::scoped_lock lock(mutex_);
      assert(!stopping_);
      account_.offered += batch.size();
      if (queued_bytes_ + batch.bytes.size() > options_.max_queue_bytes) return drop(batch.size(), "its queue is full");
      const std::size_t before = queue_.size();
      const std::size_t too_long = pack_datagrams(batch, options_.datagram_bytes, queue_);
      if (too_long > 0) drop(too_long, fmt::format("a record is longer than {} bytes", options_.datagram_bytes));
      for (std::size_t i = before; i < queue_.size(); ++i) queued_bytes_ += queue_[i].bytes.size();
    }
    wake_.notify_one();
  }

  SinkAccount account() const override {
    const std::scoped_lock lock(mutex_);
    return account_;
  }

 private:
  void run() override {
    TokenBucket pace(options_.datagrams_per_second, burst, Clock::now());
    while (wait_for_work()) {
      const std::size_t allowed = pace.available(Clock::now());
      const std::vector<Datagram> some = take(allowed);
      pace.take(some.size());
      send(some);
      if (some.empty()) std::this_thread::sleep_until(std::min(pace.ready_at(burst / 2), Clock::now() + longest_nap));
    }
    pollfd late{socket_.fd(), 0, 0};
    ::poll(&late, 1, last_word_wait_ms);
    count_refusals();
  }

  /// False when all was sent, or there is no time for the rest, which is dropped.
  bool wait_for_work() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_ && Clock::now() >= deadline_) {
      for (const Datagram& datagram : std::exchange(queue_, {})) drop(datagram.records, "there was no time left");
    }
    return !queue_.empty();
  }

  std::vector<Datagram> take(std::size_t most) {
    const std::scoped_lock lock(mutex_);
    std::vector<Datagram> taken;
    for (; taken.size() < most && !queue_.empty(); queue_.pop_front()) {
      queued_bytes_ -= queue_.front().bytes.size();
      taken.push_back(std::move(queue_.front()));
    }
    return taken;
  }

  void send(const std::vector<Datagram>& datagrams) {
    std::array<mmsghdr, burst> messages{};
    std::array<iovec, burst> parts{};
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      parts[i] = {const_cast<char*>(datagrams[i].bytes.data()), datagrams[i].bytes.size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    bool is_second_try = false;
    for (std::size_t done = 0; done < datagrams.size();) {
      const auto left = static_cast<unsigned>(datagrams.size() - done);
      const int sent = ::sendmmsg(socket_.fd(), &messages[done], left, MSG_DONTWAIT);
      if (sent > 0) {
        for (int i = 0; i < sent; ++i) note_sent(datagrams[done++].records);
        is_second_try = false;
        continue;
      }
      const int error = errno;
      if (error == EINTR) continue;
      if (std::exchange(is_second_try, true) || !is_worth_another_try(error)) {
        note_lost(datagrams[done++].records, error);
        is_second_try = false;
      }
    }
    count_refusals();
  }

  /// What is reported of an earlier datagram says nothing of this one, and a full buffer may empty soon.
  bool is_worth_another_try(int error) const {
    if (error == EMSGSIZE) return false;
    if (error != EAGAIN && error != ENOBUFS) return true;
    pollfd writable{socket_.fd(), POLLOUT, 0};
    return ::poll(&writable, 1, full_buffer_wait_ms) == 1;
  }

  void note_sent(std::size_t records) {
    const std::scoped_lock lock(mutex_);
    account_.stored += records;
    last_sent_.push_back(records);
    if (last_sent_.size() > remembered) last_sent_.pop_front();
  }

  void note_lost(std::size_t records, int error) {
    const std::scoped_lock lock(mutex_);
    drop(records, std::strerror(error));
  }

  void count_refusals() {
    const std::size_t refused = socket_.take_refusals();
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < refused && !last_sent_.empty(); ++i) {
      account_.stored -= last_sent_.back();
      drop(last_sent_.back(), "nobody listens there (the datagrams came back)");
      last_sent_.pop_back();
    }
  }

  void drop(std::uint64_t records, const std::string& why) {  // with mutex_ held
    account_.dropped += records;
    if (account_.first_error.empty()) account_.first_error = why;
  }

  const std::string name_;
  const UdpSinkOptions options_;
  const UdpSocket socket_;

  std::deque<Datagram> queue_;
  std::size_t queued_bytes_ = 0;
  SinkAccount account_;
  std::deque<std::size_t> last_sent_;  ///< records of the last datagrams that left
};

}  // namespace

Result<std::unique_ptr<Sink>, std::string> open_udp_sink(const HostPort& where, const UdpSinkOptions& options) {
  const auto address = resolve(where, SOCK_DGRAM);
  if (!address) return address.error();
  UdpSocket socket(*address);
  if (socket.error() != 0)
    return {boost::system::in_place_error, fmt::format("{}: {}", where.text(), std::strerror(socket.error()))};
  return std::unique_ptr<Sink>(std::make_unique<UdpSink>(where, std::move(socket), options));
}

}  // namespace exporters
