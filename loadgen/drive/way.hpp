// What lies between a connected socket and a server: a proxy's tunnel, TLS, both or neither. Internal to drive.
#pragma once

#include <memory>
#include <string>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// Trust and identity of TLS, prepared once and shared by all connections of all threads.
class TlsContext {
 public:
  /// Reads the files of `options`; the error names the one that is not good and why.
  static Result<std::shared_ptr<const TlsContext>, std::string> make(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  void* native() const noexcept { return context_; }  ///< SSL_CTX: OpenSSL's headers stay out of ours
  bool verifies() const noexcept { return verifies_; }

 private:
  TlsContext() = default;
  void* context_ = nullptr;
  bool verifies_ = true;
};

struct Way {
  std::shared_ptr<const TlsContext> tls;  ///< null: plain
  std::string server_name;                ///< sent in the handshake and looked for in the certificate
  std::string tunnel;                     ///< HOST:PORT that a proxy is asked to CONNECT to; empty: no tunnel
  std::string tunnel_authorization;       ///< of the proxy; empty: none
};

}  // namespace loadgen
