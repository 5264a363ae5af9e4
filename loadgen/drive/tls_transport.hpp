// TLS and a proxy's tunnel as transports around another one. Internal to drive.
#pragma once

#include <memory>

#include "loadgen/drive/transport.hpp"
#include "loadgen/drive/way.hpp"

namespace loadgen {

/// TLS over `inner`, checking the certificate for `way.server_name`. Receive stamps are those of the read that brought
/// the last byte of the last record decrypted.
std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<Transport> inner, const Way& way);

/// The bytes of `inner` once its peer, a proxy, has agreed to CONNECT to `way.tunnel`.
std::unique_ptr<Transport> make_tunnel_transport(std::unique_ptr<Transport> inner, const Way& way);

}  // namespace loadgen
