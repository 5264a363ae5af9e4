// SHA-256 (FIPS 180-4), to tell whether two files or plans are the same. Not for secrets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace loadgen {

class Sha256 {
 public:
  /// Throws std::runtime_error where OpenSSL has no SHA-256 to give.
  Sha256();
  void add(std::string_view bytes);
  /// 64 hexadecimal digits of everything added; call it once.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace loadgen
