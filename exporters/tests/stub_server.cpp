#include "exporters/tests/stub_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace exporters {

StubServer::StubServer(std::deque<Step> script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 8) != 0 || getsockname(listener_, generic, &size) != 0)
    throw std::runtime_error("the stub server cannot listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

StubServer::~StubServer() {
  stopping_ = true;
  thread_.join();
  close(listener_);
}

std::vector<StubRequest> StubServer::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

StubServer::Step StubServer::status(int code, const std::string& body, const std::string& headers) {
  const std::string length = code == 204 ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return {Kind::answer, "HTTP/1.1 " + std::to_string(code) + " Scripted\r\n" + length + headers + "\r\n" + body};
}

void StubServer::run() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, 10) <= 0) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve(connection);
    close(connection);
  }
}

void StubServer::serve(int connection) {
  std::string buffered;
  while (true) {
    StubRequest request;
    if (!read_head(connection, buffered, request)) return;
    const Step step = next_step();
    const bool whole = step.kind != Kind::refuse && read_body(connection, buffered, request);
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(std::move(request));
    }
    if ((!whole && step.kind != Kind::refuse) || !act(connection, step)) return;
  }
}

/// More bytes from the client; false when it is gone or the test is over.
bool StubServer::receive(int connection, std::string& buffered) const {
  while (!stopping_) {
    pollfd waiting{connection, POLLIN, 0};
    if (poll(&waiting, 1, 10) <= 0) continue;
    std::array<char, 65'536> chunk;
    const ssize_t got = recv(connection, chunk.data(), chunk.size(), 0);
    if (got <= 0) return false;
    buffered.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }
  return false;
}

bool StubServer::read_head(int connection, std::string& buffered, StubRequest& request) const {
  std::size_t end = buffered.find("\r\n\r\n");
  while (end == std::string::npos) {
    if (!receive(connection, buffered)) return false;
    end = buffered.find("\r\n\r\n");
  }
  request.head = buffered.substr(0, end + 2);
  buffered.erase(0, end + 4);
  return true;
}

bool StubServer::read_body(int connection, std::string& buffered, StubRequest& request) const {
  const std::size_t header = request.head.find("Content-Length: ");
  const std::size_t length = header == std::string::npos ? 0 : std::stoul(request.head.substr(header + 16));
  while (buffered.size() < length)
    if (!receive(connection, buffered)) return false;
  request.body = buffered.substr(0, length);
  buffered.erase(0, length);
  return true;
}

/// True if the connection can take another request.
bool StubServer::act(int connection, const Step& step) const {
  std::string ignored;
  send(connection, step.text.data(), step.text.size(), MSG_NOSIGNAL);
  if (step.kind == Kind::answer) return true;
  if (step.kind == Kind::reset) {
    const linger hard{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  if (step.kind == Kind::refuse) shutdown(connection, SHUT_WR);
  while (step.kind != Kind::reset && receive(connection, ignored)) {
  }
  return false;
}

StubServer::Step StubServer::next_step() {
  const std::scoped_lock lock(mutex_);
  if (script_.empty()) return status(204);
  Step step = std::move(script_.front());
  script_.pop_front();
  return step;
}

}  // namespace exporters
