// Copies fields but the hop-by-hop ones (RFC 9110, 7.6.1) and those that the `connection` field names.
#include "refserver/gateway/head.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/beast/http/rfc7230.hpp>

namespace refserver {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::array kHopByHop{
    http::field::connection, http::field::keep_alive,        http::field::proxy_authenticate,
    http::field::te,         http::field::transfer_encoding, http::field::proxy_authorization,
    http::field::trailer,    http::field::upgrade,           http::field::proxy_connection,
    http::field::expect,     http::field::content_length,    http::field::host};

bool is_hop_by_hop(const http::fields& all, const http::fields::value_type& field) {
  for (const http::field name : kHopByHop) {
    if (field.name() == name) return true;
  }
  http::token_list named(all[http::field::connection]);
  return named.exists(field.name_string());
}

void append(std::string& out, beast::string_view name, beast::string_view value) {
  out.append(name.data(), name.size());
  out += ": ";
  out.append(value.data(), value.size());
  out += "\r\n";
}

void append_fields(std::string& out, const http::fields& fields) {
  for (const auto& field : fields) {
    if (!is_hop_by_hop(fields, field)) append(out, field.name_string(), field.value());
  }
}

}  // namespace

std::string make_backend_head(std::string_view method, std::string_view target, const BackendAddress& backend,
                              const http::fields& headers, std::size_t body_bytes) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  append(out, "host", host_header(backend));
  append_fields(out, headers);
  append(out, "connection", "close");
  if (body_bytes > 0 || method == "POST" || method == "PUT")
    append(out, "content-length", fmt::format("{}", body_bytes));
  return out + "\r\n";
}

std::string make_client_head(const http::response_header<>& answer, BodyFraming framing, std::uint64_t length,
                             bool closes_afterwards) {
  const beast::string_view reason = answer.reason();
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\n", answer.result_int(), std::string_view(reason.data(), reason.size()));
  append_fields(out, answer);
  if (framing == BodyFraming::length) append(out, "content-length", fmt::format("{}", length));
  if (framing == BodyFraming::chunked) append(out, "transfer-encoding", "chunked");
  if (closes_afterwards) append(out, "connection", "close");
  return out + "\r\n";
}

}  // namespace refserver
