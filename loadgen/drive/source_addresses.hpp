// Local addresses that connections are made from, in turn: each has ports of its own, so several of them allow more
// connections to one target than one. Internal to drive.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loadgen/drive/endpoint.hpp"

namespace loadgen {

class SourceAddresses {
 public:
  SourceAddresses() = default;
  /// `addresses` are numeric; what is none is left out (a scenario has refused it before).
  explicit SourceAddresses(const std::vector<std::string>& addresses);

  /// How many there are of a family (AF_INET, AF_INET6); 0: the kernel chooses.
  std::size_t count(int family) const noexcept;

  /// Binds `socket` to the next one of `family` without taking a port yet: that is chosen with the target known, so
  /// that one port serves several targets. 0 or errno; 0 where there is none of the family.
  int bind_next(int socket, int family) noexcept;

 private:
  std::vector<Endpoint> addresses_;
  std::size_t next_ = 0;
};

}  // namespace loadgen
