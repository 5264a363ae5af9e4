// What a StatsD daemon gets of requests that ended, read from a socket of the test's own.
#include "refserver/http/statsd_meter.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <sstream>

namespace refserver {
namespace {

class Daemon {
 public:
  Daemon() : fd_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    where_ = {"127.0.0.1", ntohs(address.sin_port)};
  }
  ~Daemon() { ::close(fd_); }

  StatsdOptions options() const {
    StatsdOptions options;
    options.where = where_;
    return options;
  }

  /// Counters added up and timers, of all that came. Only after the meter has gone: then all of it is there.
  std::map<std::string, double> sums() const {
    std::map<std::string, double> all;
    std::array<char, 65536> bytes;
    for (ssize_t got = 0; (got = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0;) {
      std::istringstream lines(std::string(bytes.data(), static_cast<std::size_t>(got)));
      for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (line.find("|g") == std::string::npos) all[line.substr(0, colon)] += std::stod(line.substr(colon + 1));
      }
    }
    return all;
  }

 private:
  int fd_;
  exporters::HostPort where_;
};

TEST(StatsdMeter, tells_what_ended_by_model) {
  const Daemon daemon;
  {
    StatsdMeter meter(daemon.options(), {"qwen2", "qwen.2", "unknown"});
    meter.on_end(0, {RequestEnd::ok, 0.0125, 7, 5});
    meter.on_end(0, {RequestEnd::timeout, 3, 7, 0});
    meter.on_end(0, {RequestEnd::model_error, 3, 7, 2});
    meter.on_end(0, {RequestEnd::other, 3, 0, 0});
    meter.on_end(1, {RequestEnd::model_error, 0, 0, 0});
    meter.on_end(2, {RequestEnd::other, 0, 0, 0});
    meter.on_end(3, {RequestEnd::other, 0, 0, 0});
  }
  EXPECT_EQ(daemon.sums(), (std::map<std::string, double>{{"requests.total.qwen2", 4},
                                                          {"tokens.input.qwen2", 21},
                                                          {"tokens.output.qwen2", 7},
                                                          {"errors.timeout.qwen2", 1},
                                                          {"errors.model_error.qwen2", 1},
                                                          {"request.latency.qwen2", 12.503},
                                                          {"requests.total.qwen_2", 1},
                                                          {"errors.model_error.qwen_2", 1},
                                                          {"requests.total.unknown-2", 1},
                                                          {"requests.total.unknown", 1}}));
}

TEST(StatsdMeter, options_are_read_or_refused_with_what_would_be_right) {
  StatsdOptions options;
  EXPECT_TRUE(set_statsd_address(options, "[::1]:8125"));
  EXPECT_EQ(options.where->text(), "[::1]:8125");
  EXPECT_TRUE(set_statsd_format(options, "influx"));
  EXPECT_EQ(options.format, exporters::StatsdFormat::influx);
  EXPECT_TRUE(set_statsd_prefix(options, "gateway.a"));
  EXPECT_TRUE(set_statsd_prefix(options, ""));
  EXPECT_NE(set_statsd_address(options, "localhost").error().find("HOST:PORT"), std::string::npos);
  EXPECT_NE(set_statsd_address(options, "localhost:0").error().find("8125"), std::string::npos);
  EXPECT_NE(set_statsd_format(options, "graphite").error().find("dogstatsd"), std::string::npos);
  EXPECT_NE(set_statsd_prefix(options, "a b").error().find("gateway"), std::string::npos);
}

TEST(StatsdMeter, a_host_that_does_not_exist_is_an_error_at_once) {
  StatsdOptions options;
  options.where = {"256.256.256.256", 1};
  EXPECT_THROW(StatsdMeter(options, {"m"}), std::runtime_error);
}

}  // namespace
}  // namespace refserver
