// What carries the bytes of a connection: the seam behind which plain sockets, TLS and proxies' tunnels lie. Never
// waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "loadgen/drive/file_descriptor.hpp"

namespace loadgen {

class Transport {
 public:
  /// What one read or write came to. Exactly one of: bytes > 0; at_end; must_wait; error != 0.
  struct Result {
    std::size_t bytes = 0;
    bool at_end = false;              ///< the peer has closed its side (reads)
    bool must_wait = false;           ///< not now: wait until the socket is ready for what `wants` says
    int error = 0;                    ///< errno
    std::int64_t kernel_real_ns = 0;  ///< CLOCK_REALTIME at which the kernel got the last byte read; 0 = not stamped
  };

  /// How far that is what must happen before the first byte of a request: a tunnel, a handshake.
  enum class Setup : std::uint8_t { done, must_wait, failed };

  virtual ~Transport() = default;

  /// Goes on with it; to be called once the socket is connected and whenever it is ready after that, until it is done.
  virtual Setup set_up() { return Setup::done; }
  /// Why that failed, or a read or write did where errno does not say: one line; empty: no such reason.
  virtual std::string failure() const { return {}; }

  /// Bytes of the peer, at most one system call's worth.
  virtual Result read(std::span<char> into) noexcept = 0;
  /// Hands over as many of `bytes` as can be taken now.
  virtual Result write(std::string_view bytes) noexcept = 0;
  /// What it waits for besides bytes to read, as epoll's bits: EPOLLOUT while something of its own (a handshake, a
  /// record that was cut) is unfinished.
  virtual std::uint32_t wants() const noexcept = 0;
  /// Nothing has come that was not asked for, no end and no error: an idle connection that can be used again.
  virtual bool is_quiet() noexcept = 0;
  virtual int descriptor() const noexcept = 0;
  /// A read that did not fill its buffer took everything that was there: new bytes are a new event of the socket.
  virtual bool is_emptied_by_short_reads() const noexcept { return false; }
};

struct Way;

/// The transport of a connected (or connecting) socket. `way` null: make_plain_transport.
std::unique_ptr<Transport> make_transport(FileDescriptor socket, const Way* way);

/// Bytes as they are, over a connected stream socket (TCP or unix), whose receive stamps are read where there are any.
std::unique_ptr<Transport> make_plain_transport(FileDescriptor socket);

/// Asks the kernel to stamp what is received on `socket` (SO_TIMESTAMPNS); without effect where it cannot.
void enable_receive_stamps(int socket) noexcept;

}  // namespace loadgen
