// The cheapest token server there can be: answers every POST with a TGI stream of ready-made events on exact times, or
// with --whole 1 with one ready-made body at once. One thread, no allocation per event. With --truth it keeps when each
// request was read and when its tokens were written. --replay FILE sends another server's bytes: a recorded answer
// (head and chunked body), one chunk per token, the end with the last.
#include <peers/net.hpp>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <sys/prctl.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <queue>

namespace {

using peers::must;

volatile std::sig_atomic_t stop_asked = 0;

struct Stream {
  int fd = -1;
  std::size_t next = 0;     ///< token to be written next; tokens() when idle
  std::int64_t due_ns = 0;  ///< of that token
  std::string unread;       ///< bytes of a request that is not whole yet
  std::string request_id;
  std::int64_t read_ns = 0, first_ns = 0, last_ns = 0;
  std::int64_t late_ns = 0;  ///< the latest a token was written after it was due
};

struct Settings {
  std::int64_t ttft_ns, gap_ns, spread_ns;
  std::int64_t gather_ns;  ///< what falls due sooner than this after a wake-up waits for company
  std::size_t tokens;
  bool whole;
};

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::vector<std::string> make_events(std::size_t tokens) {
  std::vector<std::string> events;
  for (std::size_t i = 1; i <= tokens; ++i) {
    const std::string n = std::to_string(i);
    const bool last = i == tokens;
    std::string event = "data:{\"index\":" + n + ",\"token\":{\"id\":" + n + ",\"text\":\" t" + n +
                        "\",\"logprob\":-0.5,\"special\":false},\"generated_text\":";
    event += last ? "\"...\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":" + n +
                        ",\"seed\":null,\"input_length\":9}}\n\n"
                  : "null,\"details\":null}\n\n";
    events.push_back(chunk(event) + (last ? "0\r\n\r\n" : ""));
  }
  events[0] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + events[0];
  return events;
}

/// Cut behind every chunk. The head goes with the first event, the closing chunk with the last.
std::vector<std::string> read_events(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string answer((std::istreambuf_iterator<char>(file)), {});
  std::size_t at = answer.find("\r\n\r\n");
  must(at != std::string::npos, "replay: no head");
  std::vector<std::string> events;
  std::size_t begin = 0;
  for (at += 4; at < answer.size();) {
    const std::size_t size = std::stoul(answer.substr(at, 16), nullptr, 16);
    at = answer.find("\r\n", at) + 2 + size + 2;
    must(at <= answer.size(), "replay: cut off");
    if (size == 0 && !events.empty()) {
      events.back() += answer.substr(begin, at - begin);
    } else {
      events.push_back(answer.substr(begin, at - begin));
    }
    begin = at;
  }
  must(!events.empty(), "replay: no events");
  return events;
}

std::string make_body() {
  const std::string body =
      R"({"generated_text":" word word word word word word word word","details":{"finish_reason":"length","generated_tokens":8,"seed":null,"prefill":[],"tokens":[]}})";
  return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class Server {
 public:
  Server(int port, Settings settings, const std::string& truth, std::vector<std::string> events)
      : settings_(settings), events_(std::move(events)), body_(make_body()) {
    settings_.tokens = events_.size();
    if (!truth.empty()) must((truth_ = std::fopen(truth.c_str(), "w")) != nullptr, "truth file");
    listener_ = peers::listen_on(port);
    peers::watch(epoll_, listener_);
  }
  ~Server() {
    if (truth_ != nullptr) std::fclose(truth_);
  }

  void run() {
    std::vector<epoll_event> ready(256);
    for (std::int64_t woke_ns = 0; stop_asked == 0; woke_ns = peers::clock_ns()) {
      const std::int64_t due_ns = due_.empty() ? INT64_MAX : std::max(due_.top().first, woke_ns + settings_.gather_ns);
      const int n = peers::wait(epoll_, ready.data(), static_cast<int>(ready.size()), due_ns);
      for (int i = 0; i < n; ++i) {
        const int fd = ready[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else {
          read(*streams_[static_cast<std::size_t>(fd)]);
        }
        write_due();
      }
      write_due();
    }
  }

 private:
  using Due = std::pair<std::int64_t, Stream*>;

  void accept_all() {
    for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      peers::set_no_delay(fd);
      const int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
      if (truth_ != nullptr) ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
      const auto at = static_cast<std::size_t>(fd);
      if (streams_.size() <= at) streams_.resize(at + 1);
      streams_[at] = std::make_unique<Stream>();
      streams_[at]->fd = fd;
      streams_[at]->next = settings_.tokens;
      peers::watch(epoll_, fd);
    }
  }

  /// One read; `at_ns` is when the kernel got its last byte, where it says so.
  ssize_t receive(int fd, std::int64_t& at_ns) {
    alignas(cmsghdr) char control[256];
    iovec part{buffer_, sizeof buffer_};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(fd, &message, 0);
    at_ns = peers::clock_ns();
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); n > 0 && c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
      scm_timestamping stamps{};
      std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
      const std::int64_t real = stamps.ts[0].tv_sec * 1'000'000'000 + stamps.ts[0].tv_nsec;
      if (real != 0) at_ns -= peers::clock_ns(CLOCK_REALTIME) - real;
    }
    return n;
  }

  void read(Stream& stream) {
    std::int64_t at_ns = 0;
    const ssize_t n = truth_ != nullptr ? receive(stream.fd, at_ns) : ::recv(stream.fd, buffer_, sizeof buffer_, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      ::close(stream.fd);
      stream.next = settings_.tokens;  // what is still queued for it is skipped
      stream.fd = -1;
      return;
    }
    const auto size = static_cast<std::size_t>(n);
    if (stream.unread.empty() && peers::request_length(buffer_, size) == size)
      return start(stream, {buffer_, size}, at_ns);
    stream.unread.append(buffer_, size);
    const std::size_t length = peers::request_length(stream.unread.data(), stream.unread.size());
    if (length == 0) return;
    start(stream, stream.unread.substr(0, length), at_ns);
    stream.unread.erase(0, length);
  }

  void start(Stream& stream, std::string_view request, std::int64_t at_ns) {
    if (settings_.whole) {
      if (::send(stream.fd, body_.data(), body_.size(), MSG_NOSIGNAL) < 0) return;
      return;
    }
    if (truth_ != nullptr) {
      const auto id = request.find("x-request-id: ");
      if (id != std::string_view::npos) stream.request_id = request.substr(id + 14, request.find('\r', id) - id - 14);
      stream.late_ns = 0;
    } else {
      at_ns = peers::clock_ns();
    }
    stream.read_ns = at_ns;
    stream.next = 0;
    stream.due_ns = at_ns + settings_.ttft_ns;
    if (settings_.spread_ns > 0) stream.due_ns += std::rand() % settings_.spread_ns;
    due_.emplace(stream.due_ns, &stream);
  }

  void write_due() {
    if (due_.empty()) return;
    for (std::int64_t now = peers::clock_ns(); !due_.empty() && due_.top().first <= now;) {
      Stream& stream = *due_.top().second;
      due_.pop();
      if (stream.next == settings_.tokens) continue;
      const std::string& event = events_[stream.next++];
      if (::send(stream.fd, event.data(), event.size(), MSG_NOSIGNAL) < 0) {
        stream.next = settings_.tokens;
        continue;
      }
      now = peers::clock_ns();
      if (truth_ != nullptr) note(stream, now);
      stream.due_ns += settings_.gap_ns;
      if (stream.next < settings_.tokens) due_.emplace(stream.due_ns, &stream);
    }
  }

  void note(Stream& stream, std::int64_t now) {
    if (stream.next == 1) stream.first_ns = now;
    stream.last_ns = now;
    stream.late_ns = std::max(stream.late_ns, now - stream.due_ns);
    if (stream.next == settings_.tokens) {
      std::fprintf(truth_,
                   "{\"client_id\":\"%s\",\"recv_ns\":%ld,\"first_ns\":%ld,\"last_ns\":%ld,\"late_max_ns\":%ld,"
                   "\"tokens\":%zu}\n",
                   stream.request_id.c_str(), stream.read_ns, stream.first_ns, stream.last_ns, stream.late_ns,
                   settings_.tokens);
    }
  }

  Settings settings_;
  std::vector<std::string> events_;
  std::string body_;
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1;
  std::FILE* truth_ = nullptr;
  std::vector<std::unique_ptr<Stream>> streams_;  ///< by descriptor
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  char buffer_[65536];
};

}  // namespace

int main(int argc, char** argv) {
  const peers::Flags flags(argc, argv);
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  peers::raise_file_limit();
  const Settings settings{flags.number("--ttft-us", 50'000) * 1000,
                          flags.number("--gap-us", 10'000) * 1000,
                          flags.number("--spread-us", 0) * 1000,
                          flags.number("--gather-us", 0) * 1000,
                          static_cast<std::size_t>(flags.number("--tokens", 128)),
                          flags.number("--whole", 0) != 0};
  const std::string replay = flags.text("--replay");
  const auto server =
      std::make_unique<Server>(static_cast<int>(flags.number("--port", 0)), settings, flags.text("--truth"),
                               replay.empty() ? make_events(settings.tokens) : read_events(replay));
  server->run();
  std::fprintf(stderr, "cpu_s %.3f\n", peers::cpu_seconds());
}
