// Packing, pace and the account of datagrams, with a receiver of the test's own and with none.
#include "exporters/udp_sink.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "exporters/datagrams.hpp"
#include "exporters/token_bucket.hpp"

namespace exporters {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Batch records(const std::vector<std::string>& texts) {
  Batch batch;
  for (const std::string& text : texts) {
    batch.bytes += text;
    batch.end_record();
  }
  return batch;
}

TEST(Datagrams, are_filled_up_to_the_limit_and_no_record_is_cut) {
  std::deque<Datagram> queue;
  EXPECT_EQ(pack_datagrams(records({"aaaa", "bbb", "cc", "dddddddd"}), 8, queue), 0U);
  ASSERT_EQ(queue.size(), 3U);
  EXPECT_EQ(queue[0].bytes, "aaaa\nbbb");
  EXPECT_EQ(queue[0].records, 2U);
  EXPECT_EQ(queue[1].bytes, "cc");
  EXPECT_EQ(queue[2].bytes, "dddddddd");
}

TEST(Datagrams, a_record_over_the_limit_is_left_out_and_counted) {
  std::deque<Datagram> queue;
  EXPECT_EQ(pack_datagrams(records({"a", "123456789", "b"}), 8, queue), 1U);
  ASSERT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue[0].bytes, "a\nb");
  EXPECT_EQ(pack_datagrams({}, 8, queue), 0U);
  EXPECT_EQ(pack_datagrams(records({"c"}), 8, queue), 0U);
  EXPECT_EQ(queue.size(), 2U) << "each batch begins a new one";
}

TEST(TokenBucket, gives_a_burst_and_then_the_rate) {
  const TokenBucket::TimePoint start{};
  TokenBucket bucket(2000, 16, start);
  EXPECT_EQ(bucket.available(start), 16U);
  bucket.take(16);
  EXPECT_EQ(bucket.available(start), 0U);
  EXPECT_EQ(bucket.ready_at(1), start + std::chrono::microseconds(500));
  EXPECT_EQ(bucket.available(start + milliseconds(5)), 10U);
  EXPECT_EQ(bucket.available(start + seconds(9)), 16U);
  EXPECT_EQ(bucket.available(start), 16U) << "a time before the last one takes nothing back";
  std::size_t gone = 0;
  auto now = start + seconds(9);
  for (int i = 0; i < 1000; ++i, now += milliseconds(1)) {
    const std::size_t some = bucket.available(now);
    bucket.take(some);
    gone += some;
  }
  EXPECT_GE(gone, 2000U);
  EXPECT_LE(gone, 2016U);
}

TEST(HostPort, is_parsed_or_refused_with_what_would_be_right) {
  for (const auto& [text, host, port] : {std::tuple{"localhost:8125", "localhost", 8125},
                                         {"127.0.0.1:0", "127.0.0.1", 0},
                                         {"[::1]:65535", "::1", 65535}}) {
    const auto parsed = parse_host_port(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->host, host);
    EXPECT_EQ(parsed->port, port);
    EXPECT_EQ(parsed->text(), text);
  }
  for (const auto* text : {"", "localhost", ":8125", "::1:8125", "a b:1", "a:", "a:-1", "a:65536", "a:1x", "[]:1",
                           "http://a:1", "a\n:1", "[::1]"}) {
    const auto parsed = parse_host_port(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().find("HOST:PORT"), std::string::npos) << parsed.error();
  }
  EXPECT_FALSE(parse_host_port(std::string(65536, 'a') + ":1"));
}

/// A UDP port of this host; what comes is kept.
class Receiver {
 public:
  explicit Receiver(int family = AF_INET) : fd_(::socket(family, SOCK_DGRAM, 0)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    const bool is_v4 = family == AF_INET;
    const auto* address = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    is_bound_ = ::bind(fd_, address, is_v4 ? sizeof v4 : sizeof v6) == 0;
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(is_v4 ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                        : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
    const timeval wait{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  }
  ~Receiver() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  bool is_bound() const { return is_bound_; }
  std::uint16_t port() const { return port_; }

  /// The next datagram; "(nothing)" after 5 s.
  std::string next() const {
    std::array<char, 65536> buffer;
    const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return size < 0 ? "(nothing)" : std::string(buffer.data(), static_cast<std::size_t>(size));
  }

 private:
  int fd_;
  bool is_bound_ = false;
  std::uint16_t port_ = 0;
};

std::unique_ptr<Sink> open(std::uint16_t port, UdpSinkOptions options = {}, const char* host = "127.0.0.1") {
  auto sink = open_udp_sink({host, port}, options);
  EXPECT_TRUE(sink);
  return std::move(*sink);
}

TEST(UdpSink, sends_what_it_was_given) {
  for (const int family : {AF_INET, AF_INET6}) {
    const Receiver receiver(family);
    if (!receiver.is_bound()) continue;  // a machine without IPv6
    const auto sink = open(receiver.port(), {}, family == AF_INET ? "127.0.0.1" : "::1");
    sink->write(records({"a:1|c", "b:2|c"}));
    EXPECT_EQ(receiver.next(), "a:1|c\nb:2|c");
    sink->write(records({"c:3|c"}));
    const SinkAccount account = sink->finish();
    EXPECT_EQ(receiver.next(), "c:3|c");
    EXPECT_EQ(account.offered, 3U);
    EXPECT_EQ(account.stored, 3U);
    EXPECT_EQ(account.first_error, "");
  }
}

TEST(UdpSink, everything_arrives_paced) {
  const Receiver receiver;
  const auto sink = open(receiver.port());
  constexpr std::size_t count = 4'000;  // what a receiver that gets no time has room for
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back("name.of.a.metric:" + std::to_string(i) + "|c");
  std::size_t lines = 0;
  std::size_t longest = 0;
  std::thread reader([&] {
    while (lines < count) {
      const std::string datagram = receiver.next();
      if (datagram == "(nothing)") return;
      longest = std::max(longest, datagram.size());
      lines += static_cast<std::size_t>(std::count(datagram.begin(), datagram.end(), '\n')) + 1;
    }
  });
  sink->write(records(texts));
  reader.join();
  EXPECT_EQ(lines, count);
  EXPECT_LE(longest, 1432U);
  EXPECT_GT(longest, 1432U - 40U);
  EXPECT_EQ(sink->finish().stored, count);
}

TEST(UdpSink, is_never_faster_than_its_pace) {
  const Receiver receiver;
  UdpSinkOptions options;
  options.datagrams_per_second = 100;
  const auto sink = open(receiver.port(), options);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 60; ++i) sink->write(records({"x:1|c"}));
  EXPECT_EQ(sink->finish().stored, 60U);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(440 - 10))
      << "60 less a burst of 16 at 100 per second";
}

TEST(UdpSink, knows_when_nobody_listens) {
  Receiver receiver;
  const std::uint16_t port = receiver.port();
  receiver.close();
  const auto sink = open(port);
  for (int i = 0; i < 40; ++i) sink->write(records({"x:1|c", "y:2|c"}));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 80U);
  // All of them on a quiet machine; the kernel may say so of the last ones after the sink was closed.
  EXPECT_GT(account.dropped, 0U);
  EXPECT_TRUE(account.is_settled());
  EXPECT_NE(account.first_error.find("nobody listens"), std::string::npos) << account.first_error;
}

TEST(UdpSink, what_does_not_fit_is_dropped_and_said) {
  const Receiver receiver;
  UdpSinkOptions options;
  options.max_queue_bytes = 5000;
  const auto sink = open(receiver.port(), options);
  sink->write(records({std::string(1433, 'x'), "ok:1|c"}));
  EXPECT_EQ(receiver.next(), "ok:1|c");
  sink->write(records({std::string(6000, 'y')}));
  const SinkAccount account = sink->finish();
  EXPECT_EQ(account.offered, 3U);
  EXPECT_EQ(account.stored, 1U);
  EXPECT_EQ(account.dropped, 2U);
  EXPECT_NE(account.first_error.find("longer than 1432 bytes"), std::string::npos) << account.first_error;
}

TEST(UdpSink, gives_up_what_is_left_when_its_time_is_over) {
  const Receiver receiver;
  UdpSinkOptions options;
  options.datagrams_per_second = 10;
  options.drain_time = milliseconds(0);
  const auto sink = open(receiver.port(), options);
  for (int i = 0; i < 500; ++i) sink->write(records({"x:1|c"}));
  const SinkAccount account = sink->finish();
  EXPECT_TRUE(account.is_settled());
  EXPECT_GT(account.dropped, 0U);
}

TEST(UdpSink, a_host_that_does_not_exist_is_an_error_at_once) {
  const auto sink = open_udp_sink({"256.256.256.256", 1}, {});
  ASSERT_FALSE(sink);
  EXPECT_NE(sink.error().find("256.256.256.256"), std::string::npos) << sink.error();
}

}  // namespace
}  // namespace exporters
