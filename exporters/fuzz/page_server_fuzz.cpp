// libFuzzer entry: any bytes on a connection to the page others pull are answered with HTTP or end it, and every
// connection is counted once. They are sent to a listener on a loopback port, cut in two where the first byte says.
// Not part of the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. exporters/fuzz/page_server_fuzz.cpp
//   exporters/page_server.cpp exporters/host_port.cpp -lfmt -lpthread -o page_server_fuzz
//   ./page_server_fuzz -max_len=12000 -timeout=10 CORPUS
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/page_server.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

exporters::PageServer& server() {
  static const std::unique_ptr<exporters::PageServer> instance = [] {
    exporters::PageServerOptions options;
    options.where = {"127.0.0.1", 0};
    options.content_type = "text/plain";
    options.page = [] { return exporters::Page{"a_metric 1\n", 1}; };
    auto opened = exporters::open_page_server(std::move(options));
    require(opened.has_value());
    return *std::move(opened);
  }();
  return *instance;
}

/// Bytes the server does not want to read any more are no failure.
void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string read_to_end(int socket) {
  std::string out;
  std::array<char, 4096> some;
  for (ssize_t got = ::recv(socket, some.data(), some.size(), 0); got > 0;
       got = ::recv(socket, some.data(), some.size(), 0))
    out.append(some.data(), static_cast<std::size_t>(got));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] * bytes.size() / 256;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server().port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval limit{10, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  send_all(socket, bytes.substr(0, cut));
  send_all(socket, bytes.substr(cut));
  ::shutdown(socket, SHUT_WR);
  const std::string answer = read_to_end(socket);
  // A reset on closing leaves no port waiting for stray packets: ten thousands of connections a minute need theirs
  // back.
  const linger reset{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(socket);
  require(answer.empty() || answer.starts_with("HTTP/1.1 "));
  static std::uint64_t runs = 0;
  const exporters::PageServer::Counts counts = server().counts();
  require(counts.asked + counts.refused <= ++runs && counts.served + counts.lost <= counts.asked);
  return 0;
}
