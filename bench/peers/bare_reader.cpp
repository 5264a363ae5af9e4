// The floor of what reading token streams costs: N connections, one request each after the other, epoll_wait and recv,
// nothing looked at but the end of a stream. Prints one JSON object: events, reads, CPU per event (the --stagger-us are
// spun through and count).
#include <peers/net.hpp>

namespace {

std::string make_request(std::string path, std::string body) {
  if (path.empty()) path = "/generate_stream";
  if (body.empty()) body = R"({"inputs":"hello","parameters":{"max_new_tokens":128,"details":true}})";
  return "POST " + path + " HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

int main(int argc, char** argv) {
  const peers::Flags flags(argc, argv);
  const auto streams = static_cast<std::size_t>(flags.number("--streams", 1000));
  const long waves = flags.number("--waves", 3), tokens = flags.number("--tokens", 128);
  peers::raise_file_limit();
  const std::string request = make_request(flags.text("--path"), flags.text("--body"));
  const sockaddr_in address = peers::loopback(static_cast<int>(flags.number("--port", 0)));
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::map<int, long> waves_left;
  std::vector<long> left;
  for (std::size_t i = 0; i < streams; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peers::must(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    peers::set_no_delay(fd);
    peers::watch(epoll, fd);
    left.resize(std::max(left.size(), static_cast<std::size_t>(fd) + 1));
    left[static_cast<std::size_t>(fd)] = waves;
    waves_left[fd] = waves;
  }
  const double cpu_before = peers::cpu_seconds();
  const std::int64_t begin = peers::clock_ns();
  // The first requests leave evenly over --stagger-us, so that the streams' tokens do not all fall due together.
  const long stagger_ns = flags.number("--stagger-us", 0) * 1000 / static_cast<long>(streams);
  std::int64_t due_ns = begin;
  for (const auto& [fd, n] : waves_left) {
    while (peers::clock_ns() < due_ns) continue;
    peers::must(::send(fd, request.data(), request.size(), 0) > 0, "send");
    due_ns += stagger_ns;
  }
  std::size_t open = streams;
  std::uint64_t reads = 0, waits = 0;
  static char buffer[65536];
  std::vector<epoll_event> ready(256);
  while (open > 0) {
    const int n = ::epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
    ++waits;
    for (int i = 0; i < n; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      peers::must(got > 0, "recv");
      ++reads;
      if (got < 5 || std::memcmp(buffer + got - 5, "0\r\n\r\n", 5) != 0) continue;
      if (--left[static_cast<std::size_t>(fd)] == 0) {
        --open;
        continue;
      }
      peers::must(::send(fd, request.data(), request.size(), 0) > 0, "send");
    }
  }
  const double cpu = peers::cpu_seconds() - cpu_before;
  const double wall = static_cast<double>(peers::clock_ns() - begin) * 1e-9;
  const double events = static_cast<double>(streams) * static_cast<double>(waves * tokens);
  std::printf(
      "{\"events\":%.0f,\"reads\":%lu,\"waits\":%lu,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"cpu_us_per_event\":%.3f,"
      "\"events_per_s\":%.0f}\n",
      events, reads, waits, wall, cpu, cpu / events * 1e6, events / wall);
}
