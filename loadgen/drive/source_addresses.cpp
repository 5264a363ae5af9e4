#include "loadgen/drive/source_addresses.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace loadgen {

SourceAddresses::SourceAddresses(const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    if (const auto endpoint = make_endpoint({text, 0, nullptr})) addresses_.push_back(*endpoint);
  }
}

std::size_t SourceAddresses::count(int family) const noexcept {
  return static_cast<std::size_t>(std::count_if(addresses_.begin(), addresses_.end(),
                                                [family](const Endpoint& e) { return e.family() == family; }));
}

int SourceAddresses::bind_next(int socket, int family) noexcept {
  for (std::size_t tried = 0; tried < addresses_.size(); ++tried) {
    const Endpoint& address = addresses_[next_];
    next_ = (next_ + 1) % addresses_.size();
    if (address.family() != family) continue;
    const int on = 1;  // an older kernel takes a port here and now: fewer connections, but still right
    ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return ::bind(socket, address.raw(), address.size) == 0 ? 0 : errno;
  }
  return 0;
}

}  // namespace loadgen
