// The pulled page: what honest and hostile clients get, and what is counted of it.
#include "exporters/page_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace exporters {
namespace {

using std::chrono::milliseconds;

class PageServerTest : public ::testing::Test {
 protected:
  PageServer& open(PageServerOptions options = {}) {
    options.where = {"127.0.0.1", 0};
    options.content_type = "text/x-test";
    options.page = [this] { return Page{text_, ++version_}; };
    auto opened = open_page_server(std::move(options));
    EXPECT_TRUE(opened);
    server_ = std::move(*opened);
    return *server_;
  }

  int connect_client() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(server_->port());
    const timeval patience{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  static void say(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Everything until the other side closes; "(stuck)" after 20 s.
  static std::string hear(int fd) {
    std::string all;
    std::array<char, 65536> some;
    while (true) {
      const ssize_t got = ::recv(fd, some.data(), some.size(), 0);
      if (got < 0 && errno == EAGAIN) all = "(stuck)";
      if (got <= 0) break;
      all.append(some.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return all;
  }

  std::string ask(std::string_view request) const {
    const int fd = connect_client();
    say(fd, request);
    return hear(fd);
  }

  /// A count settles a moment after the client saw the last byte.
  template <class Condition>
  void wait_until(Condition condition) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition(server_->counts()) && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(milliseconds(1));
    EXPECT_TRUE(condition(server_->counts()));
  }

  std::string text_ = "up 1\n";
  std::uint64_t version_ = 0;
  std::unique_ptr<PageServer> server_;
};

TEST_F(PageServerTest, answers_get_and_head) {
  open();
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/x-test\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), head + "up 1\n");
  EXPECT_EQ(ask("GET /metrics?name[]=up HTTP/1.0\n\n"), head + "up 1\n");
  EXPECT_EQ(ask("HEAD /metrics HTTP/1.1\r\n\r\n"), head);
  wait_until([](const auto& n) { return n.asked == 2 && n.served == 2 && n.newest_version == 2; });
}

TEST_F(PageServerTest, refuses_the_rest_with_a_word) {
  open();
  EXPECT_TRUE(ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(ask("GET /metrics/ HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(ask("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(ask("GET /metrics\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET /metrics HTTP/2\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask(std::string("\x16\x03\x01\0\n\n", 6)).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  wait_until([](const auto& n) { return n.refused == 7 && n.asked == 0; });
}

TEST_F(PageServerTest, a_head_may_come_in_pieces) {
  open();
  const int fd = connect_client();
  for (const char c : std::string("GET /metrics HTTP/1.1\r\n\r\n")) say(fd, {&c, 1});
  EXPECT_TRUE(hear(fd).ends_with("up 1\n"));
}

TEST_F(PageServerTest, a_silent_client_is_cut_off_and_does_not_block_others) {
  PageServerOptions options;
  options.time_limit = milliseconds(1500);  // a busy client has asked by then
  options.max_connections = 2;
  open(options);
  const int silent = connect_client();
  const int slow = connect_client();
  say(slow, "GET /met");
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("up 1\n")) << "it waits for a place and gets one";
  EXPECT_EQ(hear(silent), "");
  EXPECT_EQ(hear(slow), "");
  wait_until([](const auto& n) { return n.refused == 2 && n.served == 1; });
}

TEST_F(PageServerTest, a_client_that_does_not_read_is_cut_off_and_not_counted_as_served) {
  PageServerOptions options;
  options.time_limit = milliseconds(1500);
  text_ = std::string(64 << 20, 'x');
  open(options);
  const int fd = connect_client();
  say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
  wait_until([](const auto& n) { return n.asked == 1; });
  text_ = "up 1\n";
  wait_until([](const auto& n) { return n.lost == 1; });
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("up 1\n"));
  EXPECT_LT(hear(fd).size(), 64U << 20U);
  EXPECT_EQ(server_->counts().served, 1U);
  EXPECT_EQ(server_->counts().lost, 1U);
}

TEST_F(PageServerTest, many_clients_that_leave_at_once) {
  open();
  for (int i = 0; i < 200; ++i) {
    const int fd = connect_client();
    if (i % 2 == 0) say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    ::close(fd);
  }
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("up 1\n"));
}

TEST_F(PageServerTest, stopping_lets_an_answer_end) {
  text_ = std::string(8 << 20, 'x');
  PageServer& server = open();
  const int fd = connect_client();
  say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
  wait_until([](const auto& n) { return n.asked == 1; });
  std::string heard;
  std::thread reader([&] { heard = hear(fd); });
  server.stop(std::chrono::seconds(20));
  reader.join();
  EXPECT_GT(heard.size(), 8U << 20U);
  EXPECT_EQ(server.counts().served, 1U);
}

TEST_F(PageServerTest, an_address_in_use_is_an_error_that_names_it) {
  const PageServer& server = open();
  PageServerOptions second;
  second.where = {"127.0.0.1", server.port()};
  const auto refused = open_page_server(std::move(second));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("127.0.0.1:" + std::to_string(server.port())), std::string::npos) << refused.error();
}

}  // namespace
}  // namespace exporters
