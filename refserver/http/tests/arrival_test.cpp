// The kernel's stamp of a request lies between its sending and its reading, however late it is read.
#include "refserver/http/arrival.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace refserver {
namespace {

using Clock = std::chrono::steady_clock;

struct Pair {
  Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    enable_arrival_stamps(listener);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener, raw, size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, raw, &size), 0);
    client = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(client, raw, size), 0);
    server = ::accept(listener, nullptr, nullptr);
    ::close(listener);
    enable_arrival_stamps(server);
  }
  ~Pair() {
    ::close(client);
    ::close(server);
  }
  int client = -1;
  int server = -1;
};

enum class Stamp { none, of_the_arrival, late };

/// Sends, waits 30 ms, reads: does the stamp lie well before the read? The kernel begins to stamp a little after the
/// first socket asks for it, so the first reads may have none, and a busy one may pass data on late.
Stamp stamp_of_a_late_read(const Pair& pair) {
  char data[64];
  const auto sent = Clock::now();
  EXPECT_EQ(::send(pair.client, "hello", 5, 0), 5);
  while (Clock::now() - sent < std::chrono::milliseconds(30)) {
  }
  const StampedRead read = receive_stamped(pair.server, data, sizeof data);
  EXPECT_EQ(read.bytes, 5);
  if (!read.arrived) return Stamp::none;
  EXPECT_LE(*read.arrived, Clock::now());
  EXPECT_GT(*read.arrived, sent - std::chrono::milliseconds(100));
  return *read.arrived < sent + std::chrono::milliseconds(25) ? Stamp::of_the_arrival : Stamp::late;
}

TEST(Arrival, TheStampIsOfTheArrivalNotOfTheRead) {
  const Pair pair;
  char data[64];
  ASSERT_EQ(receive_stamped(pair.server, data, sizeof data).bytes, -1);
  bool any = false;
  for (int attempt = 0; attempt < 50; ++attempt) {
    const Stamp stamp = stamp_of_a_late_read(pair);
    if (stamp == Stamp::of_the_arrival) return;
    any = any || stamp == Stamp::late;
  }
  ASSERT_FALSE(any) << "the stamp is of the read";
  GTEST_SKIP() << "this kernel gives no receive stamps";
}

TEST(Arrival, TheEndOfTheStreamHasNoStamp) {
  Pair pair;
  ::shutdown(pair.client, SHUT_WR);
  char byte = 0;
  StampedRead read{-1, {}};
  while (read.bytes < 0) read = receive_stamped(pair.server, &byte, 1);
  EXPECT_EQ(read.bytes, 0);
  EXPECT_FALSE(read.arrived);
}

}  // namespace
}  // namespace refserver
