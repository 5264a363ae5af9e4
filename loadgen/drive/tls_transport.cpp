// OpenSSL between two memory buffers: it never sees the socket, so that every read of it is ours and stamped.
#include "loadgen/drive/tls_transport.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace loadgen {
namespace {

/// One system call's worth of records. What is decrypted of it and of a record begun before fits into any buffer that a
/// courier reads into, so nothing stays behind that no readiness of the socket would tell of.
constexpr std::size_t raw_bytes = 16 * 1024;

bool is_numeric_address(const std::string& name) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

struct FreeSsl {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(std::unique_ptr<Transport> inner, const Way& way)
      : inner_(std::move(inner)),
        tls_(way.tls),
        name_(way.server_name),
        ssl_(SSL_new(static_cast<SSL_CTX*>(way.tls->native()))) {
    if (!ssl_) return;
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);  // empty means "not yet"
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    if (is_numeric_address(name_)) {  // an address is no server name, but certificates may be for one
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name_.c_str());
    } else {
      // What SSL_set_tlsext_host_name does, which is a macro with an old cast.
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name_.data());
      SSL_set1_host(ssl_.get(), name_.c_str());
    }
  }

  Setup set_up() override {
    if (!ssl_) return fail("out of memory");
    if (const Setup inner = inner_->set_up(); inner != Setup::done) return inner;
    for (;;) {
      const int done = SSL_do_handshake(ssl_.get());
      const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
      if (const Result sent = flush(); sent.error != 0) return fail(words_of(sent.error));
      if (done == 1) return Setup::done;
      if (why != SSL_ERROR_WANT_READ) return fail(handshake_fault());
      const Result got = pump();
      if (got.must_wait) return Setup::must_wait;
      if (got.at_end) return fail("the server closed the connection during the handshake; does it speak TLS there?");
      if (got.error != 0) return fail(words_of(got.error));
    }
  }
  std::string failure() const override { return failure_.empty() ? inner_->failure() : failure_; }

  Result read(std::span<char> into) noexcept override {
    Result result;
    for (bool pumped = false;;) {
      std::size_t n = 0;
      const int ok = SSL_read_ex(ssl_.get(), into.data() + result.bytes, into.size() - result.bytes, &n);
      if (ok == 1) {
        result.bytes += n;
        if (result.bytes < into.size()) continue;
        return result;
      }
      const int why = SSL_get_error(ssl_.get(), ok);
      if (result.bytes > 0) return result;  // whatever it is, it will say so again
      if (why == SSL_ERROR_ZERO_RETURN) {
        result.at_end = true;
        return result;
      }
      if (why != SSL_ERROR_WANT_READ) return broken();
      if (pumped) {
        result.must_wait = true;
        return result;
      }
      const Result got = pump();
      if (got.bytes == 0) return got;
      result.kernel_real_ns = got.kernel_real_ns;
      pumped = true;
    }
  }

  Result write(std::string_view bytes) noexcept override {
    if (!bytes.empty()) {
      std::size_t taken = 0;
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken) != 1) return broken();
    }
    Result result = flush();
    if (result.error == 0) result = Result{};
    result.bytes = bytes.size();  // what is not sent yet waits encrypted: see wants()
    return result;
  }

  std::uint32_t wants() const noexcept override { return inner_->wants() | (unsent_.empty() ? 0U : EPOLLOUT); }

  /// Servers send session tickets when they like: those are no answer to anything, and reading takes them away.
  bool is_quiet() noexcept override {
    std::array<char, 256> some;
    const Result result = read(some);
    return result.must_wait;
  }
  int descriptor() const noexcept override { return inner_->descriptor(); }

 private:
  Setup fail(std::string why) {
    failure_ = "TLS: " + std::move(why);
    ERR_clear_error();
    return Setup::failed;
  }
  Result broken() noexcept {
    Result result;
    result.error = EPROTO;
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    failure_ = std::string("TLS: ") + (reason == nullptr ? "broken" : reason);
    ERR_clear_error();
    return result;
  }
  static std::string words_of(int error) { return std::system_category().message(error); }

  std::string handshake_fault() const {
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
      return fmt::format("the certificate is not for '{}'; 'host' (--host NAME) says which name to expect", name_);
    if (verdict != X509_V_OK && tls_->verifies()) {
      return fmt::format("the certificate is not trusted: {}; --ca-file FILE trusts its issuer, --insecure takes any",
                         X509_verify_cert_error_string(verdict));
    }
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    const char* const hint = ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER
                                 ? " (what answers there seems to speak no TLS: http:// instead of https://?)"
                                 : "";
    return fmt::format("the handshake failed: {}{}", reason == nullptr ? "no reason given" : reason, hint);
  }

  /// One read of the socket into OpenSSL's hands.
  Result pump() noexcept {
    std::array<char, raw_bytes> raw;
    const Result got = inner_->read(raw);
    if (got.bytes > 0) BIO_write(in_, raw.data(), static_cast<int>(got.bytes));
    return got;
  }
  /// Everything encrypted so far towards the socket, as far as that takes it.
  Result flush() noexcept {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    if (size > 0) {
      unsent_.append(data, static_cast<std::size_t>(size));
      (void)BIO_reset(out_);
    }
    Result sent;
    if (unsent_.empty()) return sent;
    sent = inner_->write(unsent_);
    unsent_.erase(0, sent.bytes);
    return sent;
  }

  std::unique_ptr<Transport> inner_;
  std::shared_ptr<const TlsContext> tls_;
  std::string name_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  BIO* in_ = nullptr;  ///< owned by ssl_, as is the other
  BIO* out_ = nullptr;
  std::string unsent_;  ///< encrypted, not taken by the socket yet
  std::string failure_;
};

class TunnelTransport final : public Transport {
 public:
  TunnelTransport(std::unique_ptr<Transport> inner, const Way& way) : inner_(std::move(inner)), name_(way.tunnel) {
    request_ = fmt::format("CONNECT {} HTTP/1.1\r\nhost: {}\r\n", way.tunnel, way.tunnel);
    if (!way.tunnel_authorization.empty()) request_ += "proxy-authorization: " + way.tunnel_authorization + "\r\n";
    request_ += "\r\n";
  }

  Setup set_up() override {
    if (is_through_) return Setup::done;
    while (!request_.empty()) {
      const Result sent = inner_->write(request_);
      if (sent.error != 0) return fail(std::system_category().message(sent.error));
      if (sent.must_wait) return Setup::must_wait;
      request_.erase(0, sent.bytes);
    }
    for (;;) {
      std::array<char, 1> byte;  // not one byte of what comes after the head, which is the server's
      const Result got = inner_->read(byte);
      if (got.must_wait) return Setup::must_wait;
      if (got.at_end) return fail("it closed the connection");
      if (got.error != 0) return fail(std::system_category().message(got.error));
      head_.append(byte.data(), got.bytes);
      if (head_.ends_with("\r\n\r\n")) return judge();
      if (head_.size() > head_limit_bytes) return fail("its answer has no end");
    }
  }
  std::string failure() const override { return failure_; }

  Result read(std::span<char> into) noexcept override { return inner_->read(into); }
  Result write(std::string_view bytes) noexcept override { return inner_->write(bytes); }
  std::uint32_t wants() const noexcept override { return request_.empty() ? 0U : EPOLLOUT; }
  bool is_quiet() noexcept override { return inner_->is_quiet(); }
  int descriptor() const noexcept override { return inner_->descriptor(); }

 private:
  static constexpr std::size_t head_limit_bytes = 16 * 1024;

  Setup judge() {
    const bool is_http = head_.size() > 12 && head_.compare(0, 7, "HTTP/1.") == 0;
    if (!is_http) return fail("its answer is not HTTP/1.x");
    const std::string status = head_.substr(9, 3);
    if (status[0] != '2') {
      const char* const hint = status == "407" ? " (it wants other credentials: http://USER:PASSWORD@HOST:PORT)" : "";
      return fail(fmt::format("it answered {}{}", status, hint));
    }
    is_through_ = true;
    head_ = {};
    return Setup::done;
  }
  Setup fail(const std::string& why) {
    failure_ = fmt::format("the proxy gives no tunnel to {}: {}", name_, why);
    return Setup::failed;
  }

  std::unique_ptr<Transport> inner_;
  std::string name_;
  std::string request_;  ///< what of it has not been sent
  std::string head_;     ///< of the proxy's answer
  bool is_through_ = false;
  std::string failure_;
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<Transport> inner, const Way& way) {
  return std::make_unique<TlsTransport>(std::move(inner), way);
}

std::unique_ptr<Transport> make_tunnel_transport(std::unique_ptr<Transport> inner, const Way& way) {
  return std::make_unique<TunnelTransport>(std::move(inner), way);
}

}  // namespace loadgen
