// Plain sockets. One recvmsg per read: its control data holds the kernel's receive stamp.
#include "loadgen/drive/transport.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "loadgen/drive/tls_transport.hpp"

namespace loadgen {
namespace {

std::int64_t receive_stamp(msghdr& message) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
    return static_cast<std::int64_t>(stamp.tv_sec) * 1'000'000'000 + stamp.tv_nsec;
  }
  return 0;
}

// The C library makes of these two a point where a thread may be cancelled, which costs each of them two locked
// instructions as soon as there is a second thread. Nobody cancels a thread here.
ssize_t receive_message(int socket, msghdr& message) noexcept {
  ssize_t n = 0;
  do {
    n = ::syscall(SYS_recvmsg, socket, &message, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);  // what is not read now may not be told of again
  return n;
}
ssize_t send_bytes(int socket, std::string_view bytes) noexcept {
  return ::syscall(SYS_sendto, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
}

Transport::Result from_errno() noexcept {
  Transport::Result result;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    result.must_wait = true;
  } else {
    result.error = errno;
  }
  return result;
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(FileDescriptor socket) noexcept : socket_(std::move(socket)) {}

  Result read(std::span<char> into) noexcept override {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec)) + 64];
    iovec part{into.data(), into.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = receive_message(socket_.get(), message);
    if (n < 0) return from_errno();
    Result result;
    result.bytes = static_cast<std::size_t>(n);
    result.at_end = n == 0;
    if (n > 0) result.kernel_real_ns = receive_stamp(message);
    return result;
  }

  Result write(std::string_view bytes) noexcept override {
    const ssize_t n = send_bytes(socket_.get(), bytes);
    if (n < 0) return from_errno();
    Result result;
    result.bytes = static_cast<std::size_t>(n);
    return result;
  }

  bool is_quiet() noexcept override {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  std::uint32_t wants() const noexcept override { return 0; }
  int descriptor() const noexcept override { return socket_.get(); }
  bool is_emptied_by_short_reads() const noexcept override { return true; }

 private:
  FileDescriptor socket_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(FileDescriptor socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> make_transport(FileDescriptor socket, const Way* way) {
  auto transport = make_plain_transport(std::move(socket));
  if (way != nullptr && !way->tunnel.empty()) transport = make_tunnel_transport(std::move(transport), *way);
  if (way != nullptr && way->tls) transport = make_tls_transport(std::move(transport), *way);
  return transport;
}

void enable_receive_stamps(int socket) noexcept {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

}  // namespace loadgen
