// Name resolution and the trial connection, with plain sockets: this happens once, before any event loop runs.
#include "loadgen/drive/targets.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>

#include "loadgen/drive/endpoint.hpp"
#include "loadgen/drive/file_descriptor.hpp"
#include "loadgen/drive/source_addresses.hpp"
#include "loadgen/drive/transport.hpp"
#include "loadgen/drive/way.hpp"

namespace loadgen {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

/// Waits for the socket; false once `until` has passed.
bool wait_ready(int socket, short events, std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  pollfd poll{socket, events, 0};
  return left > 0 && ::poll(&poll, 1, static_cast<int>(left)) > 0;
}

/// Connects from the next of `sources`, and goes through tunnel and handshake if there are any. Why it could not, or
/// empty.
std::string try_connect(const Endpoint& endpoint, SourceAddresses& sources, nanoseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  FileDescriptor socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return std::strerror(errno);
  const int fd = socket.get();
  if (const int error = sources.bind_next(fd, endpoint.family()); error != 0)
    return fmt::format("the source address: {}", std::strerror(error));
  int error = ::connect(fd, endpoint.raw(), endpoint.size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    if (!wait_ready(fd, POLLOUT, until)) return std::strerror(ETIMEDOUT);
    socklen_t length = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) return std::strerror(error);
  const auto transport = make_transport(std::move(socket), endpoint.way.get());
  for (;;) {
    const Transport::Setup state = transport->set_up();
    if (state == Transport::Setup::done) return {};
    if (state == Transport::Setup::failed) return transport->failure();
    const bool writes = transport->wants() != 0;
    if (!wait_ready(fd, static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), until))
      return endpoint.way->tls ? "TLS: no handshake within the connect timeout; does the server speak TLS there?"
                               : "the proxy does not answer within the connect timeout";
  }
}

std::string numeric(const addrinfo& address) {
  char host[NI_MAXHOST] = {};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

using Found = Result<Address, std::string>;

Found not_connected(const Target& target, const std::string& why) {
  const std::string place = target.proxy ? fmt::format("the proxy {}:{}", target.proxy->host, target.proxy->port)
                            : target.unix_path.empty() ? target.authority
                                                       : target.unix_path;
  const bool set_up = why.rfind("TLS: ", 0) == 0 || why.rfind("the proxy ", 0) == 0;
  return Found(boost::system::in_place_error, fmt::format("target {}: cannot connect to {}: {}{}", target.url, place,
                                                          why, set_up ? "" : "; is the server running there?"));
}

/// From each source address once, so that none turns out to be useless in the middle of a run.
Found try_address(const Scenario& scenario, const Target& target, Address address) {
  const auto refuse = [&](const std::string& why) {
    return Found(boost::system::in_place_error, fmt::format("target {}: {}", target.url, why));
  };
  const auto endpoint = make_endpoint(address);
  if (!endpoint) return not_connected(target, std::strerror(ENAMETOOLONG));
  if (scenario.source_addresses.empty() || endpoint->family() == AF_UNIX) {
    SourceAddresses any;
    const std::string why = try_connect(*endpoint, any, scenario.timeouts.connect);
    return why.empty() ? Found(std::move(address)) : not_connected(target, why);
  }
  std::size_t usable = 0;
  for (const std::string& text : scenario.source_addresses) {
    SourceAddresses source({text});
    if (source.count(endpoint->family()) == 0) continue;
    ++usable;
    const std::string why = try_connect(*endpoint, source, scenario.timeouts.connect);
    if (!why.empty())
      return refuse(
          fmt::format("cannot connect to {} from the source address {}: {}; is it an address of this machine "
                      "with a way there?",
                      address.text, text, why));
  }
  if (usable == 0)
    return refuse(
        fmt::format("is reached at {}, and no source address is of that kind: give one that is", address.text));
  return address;
}

/// What lies between a socket and the target; null: nothing.
Result<std::shared_ptr<const Way>, std::string> make_way(const Target& target, const TlsOptions& options) {
  if (!target.is_tls) return std::shared_ptr<const Way>();
  auto tls = TlsContext::make(options);
  if (!tls) return {boost::system::in_place_error, fmt::format("target {}: {}", target.url, tls.error())};
  Way way{std::move(*tls), target.server_name.empty() ? target.host : target.server_name, {}, {}};
  if (target.proxy) {
    const bool is_address6 = target.host.find(':') != std::string::npos;
    way.tunnel = fmt::format("{}{}{}:{}", is_address6 ? "[" : "", target.host, is_address6 ? "]" : "", target.port);
    way.tunnel_authorization = target.proxy->authorization;
  }
  return std::shared_ptr<const Way>(std::make_shared<const Way>(std::move(way)));
}

/// Two targets that are reached in the same way from one process.
std::string key_of(const Target& target) {
  const std::string proxy = target.proxy ? fmt::format("{}:{}", target.proxy->host, target.proxy->port) : "";
  return fmt::format("{}|{}|{}|{}|{}|{}", target.unix_path, target.host, target.port, target.is_tls, target.server_name,
                     proxy);
}

}  // namespace

Result<Address, std::string> preflight(const Scenario& scenario, const Target& target) {
  auto way = make_way(target, scenario.tls);
  if (!way) return Found(boost::system::in_place_error, way.error());
  if (!target.unix_path.empty()) return try_address(scenario, target, {target.unix_path, 0, *way});
  std::string host = target.proxy ? target.proxy->host : target.host;
  const std::uint16_t port = target.proxy ? target.proxy->port : target.port;
  for (const ResolveRule& rule : scenario.resolve) {
    if (rule.host == host && rule.port == port) return try_address(scenario, target, {rule.address, port, *way});
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* found = nullptr;
  if (const int rc = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); rc != 0) {
    return Found(boost::system::in_place_error, fmt::format("target {}: cannot resolve {}'{}': {}", target.url,
                                                            target.proxy ? "the proxy " : "", host, gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  Found last = not_connected(target, std::strerror(EHOSTUNREACH));
  for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
    last = try_address(scenario, target, {numeric(*address), port, *way});
    if (last) break;
  }
  return last;
}

Result<std::vector<Address>, std::string> preflight(const Scenario& scenario) {
  std::map<std::string, Address> known;
  std::vector<Address> addresses;
  for (const MixEntry& entry : scenario.mix) {
    const std::string key = key_of(entry.target);
    auto it = known.find(key);
    if (it == known.end()) {
      const auto address = preflight(scenario, entry.target);
      if (!address) return address.error();
      it = known.emplace(key, *address).first;
    }
    addresses.push_back(it->second);
  }
  return addresses;
}

std::uint64_t raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace loadgen
