// Records packed into datagrams. Pure: knows no socket.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "exporters/sink.hpp"

namespace exporters {

struct Datagram {
  std::string bytes;        ///< records with line feeds between them, none at the end
  std::size_t records = 0;  ///< in it
};

/// Appends the records to `queue`, as many to a datagram as fit into `limit` bytes, in their order; each call begins a
/// new datagram. Returns how many records alone are longer than the limit: they are left out.
std::size_t pack_datagrams(const Batch& batch, std::size_t limit, std::deque<Datagram>& queue);

}  // namespace exporters
