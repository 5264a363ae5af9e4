// When did bytes arrive? The kernel stamps them as they come in; a server that is busy with 255 other requests reads
// them later, and its own clock would call that delay the network's. Linux only; without stamps the caller uses its own
// clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace refserver {

/// What one read brought.
struct StampedRead {
  std::ptrdiff_t bytes = 0;  ///< as recv(2): 0 at the end of the stream, -1 with errno
  /// When the last of these bytes arrived, on the monotonic clock; absent where the kernel gave no stamp.
  std::optional<std::chrono::steady_clock::time_point> arrived;
};

/// Asks the kernel for receive stamps on a socket (SO_TIMESTAMPING, software). Without effect where it cannot.
void enable_arrival_stamps(int socket) noexcept;

/// Reads what is there without waiting.
StampedRead receive_stamped(int socket, void* data, std::size_t size) noexcept;

}  // namespace refserver
