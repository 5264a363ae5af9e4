// Kernel stamps are in real time; they become monotonic by the offset of the two clocks, taken directly after the read.
#include "refserver/http/arrival.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <sys/socket.h>

#include <cstring>
#include <ctime>

namespace refserver {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

Nanoseconds to_duration(const timespec& t) {
  return std::chrono::seconds(t.tv_sec) + Nanoseconds(t.tv_nsec);
}

Nanoseconds now_on(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return to_duration(t);
}

std::optional<std::chrono::steady_clock::time_point> read_stamp(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
    scm_timestamping stamps{};
    std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
    const Nanoseconds real = to_duration({stamps.ts[0].tv_sec, stamps.ts[0].tv_nsec});
    if (real == Nanoseconds::zero()) return std::nullopt;
    const Nanoseconds age = now_on(CLOCK_REALTIME) - real;
    // A clock that was set meanwhile makes nonsense of the stamp.
    if (age < Nanoseconds::zero() || age > std::chrono::seconds(60)) return std::nullopt;
    return std::chrono::steady_clock::time_point(now_on(CLOCK_MONOTONIC) - age);
  }
  return std::nullopt;
}

}  // namespace

void enable_arrival_stamps(int socket) noexcept {
  const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  ::setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
}

StampedRead receive_stamped(int socket, void* data, std::size_t size) noexcept {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(scm_timestamping)) + 64];
  iovec part{data, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT);
  return {n, n > 0 ? read_stamp(message) : std::nullopt};
}

}  // namespace refserver
