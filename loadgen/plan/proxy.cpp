#include "loadgen/plan/proxy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "loadgen/plan/target.hpp"
#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

using Environment = std::function<const char*(const char*)>;
using Found = Result<std::optional<Proxy>, std::string>;

struct Variable {
  const char* name = nullptr;
  std::string value;
};

Variable first_set(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const char* const value = environment(name);
    if (value != nullptr && *value != '\0') return {name, value};
  }
  return {};
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// Whether one item of no_proxy means this host.
bool means(std::string_view item, const Target& target) {
  if (item == "*") return true;
  std::string name = lower_case(item);
  const std::string port = fmt::format(":{}", target.port);
  const bool is_address6 = std::count(name.begin(), name.end(), ':') > 1 && name.front() != '[';
  if (!is_address6 && name.ends_with(port)) name.resize(name.size() - port.size());
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  if (!name.empty() && name.front() == '*') name.erase(0, 1);
  const std::string host = lower_case(target.host);
  if (!name.empty() && name.front() == '.') return host.ends_with(name) || host == name.substr(1);
  return !name.empty() && (host == name || host.ends_with("." + name));
}

bool is_excepted(std::string_view list, const Target& target) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view item = trimmed(list.substr(0, end));
    if (!item.empty() && means(item, target)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

/// %XX back to bytes.
std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out += coded ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  return out;
}

Found read_proxy(const Variable& variable) {
  const auto refuse = [&](const char* why) {
    return Found(boost::system::in_place_error,
                 fmt::format("the environment variable {} {}; --no-proxy ignores it", variable.name, why));
  };
  std::string url = variable.value;
  if (url.find("://") == std::string::npos) url = "http://" + url;
  if (url.rfind("http://", 0) != 0) return refuse("names a proxy that is not reached over http://");
  Proxy proxy;
  const std::size_t at = url.rfind('@');
  if (at != std::string::npos) {
    const std::string user = percent_decoded(std::string_view(url).substr(7, at - 7));
    proxy.authorization = "Basic " + base64(user);
    url.erase(7, at + 1 - 7);
  }
  const auto target = parse_target(url);
  if (!target) return refuse("does not hold a URL such as http://proxy.example:3128");
  if (!target->base_path.empty()) return refuse("holds a URL with a path");
  const bool has_port = target->authority != target->host && target->authority != "[" + target->host + "]";
  proxy.host = target->host;
  proxy.port = has_port ? target->port : std::uint16_t{1080};
  return std::optional<Proxy>(std::move(proxy));
}

}  // namespace

std::string base64(std::string_view text) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? digits[bits >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

Found proxy_for(const Target& target, const Environment& environment) {
  if (!target.unix_path.empty()) return std::optional<Proxy>();
  Variable variable =
      target.is_tls ? first_set(environment, {"https_proxy", "HTTPS_PROXY"}) : first_set(environment, {"http_proxy"});
  if (variable.name == nullptr) variable = first_set(environment, {"all_proxy", "ALL_PROXY"});
  if (variable.name == nullptr) return std::optional<Proxy>();
  if (is_excepted(first_set(environment, {"no_proxy", "NO_PROXY"}).value, target)) return std::optional<Proxy>();
  return read_proxy(variable);
}

}  // namespace loadgen
