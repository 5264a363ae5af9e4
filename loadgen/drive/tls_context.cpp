// Certificates and keys out of their files.
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "loadgen/drive/way.hpp"

namespace loadgen {
namespace {

using Made = Result<std::shared_ptr<const TlsContext>, std::string>;

std::string openssl_words() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "OpenSSL does not say why" : reason;
}

/// What is wrong, or empty.
std::string load_trust(SSL_CTX* context, const TlsOptions& options) {
  if (options.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return "the system's certificates cannot be read: " + openssl_words() + "; give --ca-file";
  }
  if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) == 1) return {};
  return fmt::format("the CA file '{}' cannot be used: {}; it must hold certificates in PEM", options.ca_file,
                     openssl_words());
}

std::string load_identity(SSL_CTX* context, const TlsOptions& options) {
  if (options.certificate.empty()) return {};
  const std::string& key = options.key.empty() ? options.certificate : options.key;
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1)
    return fmt::format("the client certificate '{}' cannot be used: {}", options.certificate, openssl_words());
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fmt::format("the client key '{}' cannot be used with the certificate '{}': {}", key, options.certificate,
                       openssl_words());
  return {};
}

/// An encrypted key would make OpenSSL ask on the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

}  // namespace

Made TlsContext::make(const TlsOptions& options) {
  const std::shared_ptr<TlsContext> made(new TlsContext);
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  made->context_ = context;
  if (context == nullptr) return Made(boost::system::in_place_error, "TLS: " + openssl_words());
  made->verifies_ = !options.insecure;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, options.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // thousands of connections are idle most of the time
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_default_passwd_cb(context, no_password);
  constexpr unsigned char alpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
  std::string fault = options.insecure ? "" : load_trust(context, options);
  if (fault.empty()) fault = load_identity(context, options);
  if (!fault.empty()) return Made(boost::system::in_place_error, "TLS: " + fault);
  return std::shared_ptr<const TlsContext>(made);
}

TlsContext::~TlsContext() {
  SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

}  // namespace loadgen
