// Who is let in, whose deadlines are looked at, and the two steps of stopping, with connections that serve nothing.
#include "refserver/http/reception.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

namespace refserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

/// What the fake connections of one reception have seen.
struct Seen {
  int made = 0, ticks = 0, drained = 0, cut = 0, ended = 0;
};

enum class Manner : std::uint8_t { goes_when_asked, stays, throws };

/// Serves until it is told to go.
class FakeConnection final : public Connection {
 public:
  FakeConnection(Reception& reception, Seen& seen, Manner manner, tcp::socket socket)
      : reception_(reception), seen_(seen), manner_(manner), socket_(std::move(socket)), gone_(reception.io()) {
    ++seen_.made;
    gone_.expires_at(std::chrono::steady_clock::time_point::max());
    reception_.enter(*this);
  }
  ~FakeConnection() override {
    ++seen_.ended;
    reception_.leave(*this);
  }
  asio::awaitable<void> run() override {
    if (manner_ == Manner::throws) throw std::runtime_error("a bug, on purpose");
    co_await gone_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  void on_tick(std::chrono::steady_clock::time_point) override { ++seen_.ticks; }
  void drain() override {
    ++seen_.drained;
    if (manner_ == Manner::goes_when_asked) gone_.cancel();
  }
  void cut() override {
    ++seen_.cut;
    gone_.cancel();
  }

 private:
  Reception& reception_;
  Seen& seen_;
  Manner manner_;
  tcp::socket socket_;
  asio::steady_timer gone_;
};

struct Fixture {
  explicit Fixture(Manner manner, ReceptionOptions options = {}) : reception(options, [this] { ++internal_errors; }) {
    port = reception.listen("127.0.0.1", 0, [this, manner](tcp::socket socket) {
      return std::make_shared<FakeConnection>(reception, seen, manner, std::move(socket));
    });
  }
  /// A client that has connected; the system accepts for a reception that does not run yet.
  void connect() { clients.emplace_back(client_io).connect({asio::ip::make_address("127.0.0.1"), port}); }
  /// Runs `step` as often as anything happens, until it says that it is done.
  template <class Step>
  asio::awaitable<void> watch(Step step) {
    asio::steady_timer pause(reception.io());
    while (!step()) {
      pause.expires_after(1ms);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  Seen seen;
  int internal_errors = 0;
  Reception reception;
  std::uint16_t port = 0;
  asio::io_context client_io;
  std::vector<tcp::socket> clients;
};

TEST(Reception, LetsIdleConnectionsGoAtTheFirstStep) {
  Fixture fixture(Manner::goes_when_asked);
  fixture.connect();
  fixture.connect();
  int drains_told = 0;
  fixture.reception.on_drain([&] { ++drains_told; });
  fixture.reception.spawn(fixture.watch([&] {
    if (fixture.seen.made < 2) return false;
    fixture.reception.stop();
    return true;
  }));
  fixture.reception.run();
  EXPECT_EQ(fixture.seen.drained, 2);
  EXPECT_EQ(fixture.seen.cut, 0);
  EXPECT_EQ(fixture.seen.ended, 2);
  EXPECT_EQ(drains_told, 1);
  EXPECT_TRUE(fixture.reception.is_draining());
  EXPECT_EQ(fixture.reception.connections(), 0U);
}

TEST(Reception, CutsAtTheSecondStep) {
  Fixture fixture(Manner::stays, {.graceful_termination_timeout = 1h, .sweep_interval = 1ms});
  fixture.connect();
  fixture.reception.spawn(fixture.watch([&] {
    if (fixture.seen.made < 1) return false;
    fixture.reception.stop();
    return fixture.reception.is_draining();  // the second time round
  }));
  fixture.reception.run();
  EXPECT_EQ(fixture.seen.drained, 1);
  EXPECT_GE(fixture.seen.cut, 1);
  EXPECT_EQ(fixture.seen.ended, 1);
}

TEST(Reception, CutsWhenTheGraceIsOver) {
  Fixture fixture(Manner::stays, {.graceful_termination_timeout = 20ms, .sweep_interval = 1ms});
  fixture.connect();
  fixture.reception.spawn(fixture.watch([&] {
    if (fixture.seen.ticks < 2) return false;
    fixture.reception.stop();
    return true;
  }));
  fixture.reception.run();
  EXPECT_GE(fixture.seen.ticks, 2) << "deadlines are looked at before";
  EXPECT_EQ(fixture.seen.drained, 1);
  EXPECT_GE(fixture.seen.cut, 1);
}

TEST(Reception, ClosesConnectionsOverTheLimitAtOnce) {
  Fixture fixture(Manner::goes_when_asked, {.max_connections = 1});
  fixture.connect();
  fixture.connect();
  fixture.reception.spawn(fixture.watch([&] {
    // The second client sees the end of its connection.
    fixture.clients[1].non_blocking(true);
    char byte = 0;
    boost::system::error_code ec;
    fixture.clients[1].read_some(asio::buffer(&byte, 1), ec);
    if (ec == asio::error::would_block) return false;
    EXPECT_EQ(ec, asio::error::eof);
    fixture.reception.stop();
    return true;
  }));
  fixture.reception.run();
  EXPECT_EQ(fixture.seen.made, 1);
}

TEST(Reception, CountsAnExceptionAndGoesOn) {
  Fixture fixture(Manner::throws);
  fixture.connect();
  fixture.connect();
  fixture.reception.spawn(fixture.watch([&] {
    if (fixture.internal_errors < 2) return false;
    fixture.reception.stop();
    return true;
  }));
  fixture.reception.run();
  EXPECT_EQ(fixture.seen.ended, 2);
}

TEST(Reception, DoesNotBindWhatIsTaken) {
  Fixture fixture(Manner::stays);
  EXPECT_THROW(fixture.reception.listen("127.0.0.1", fixture.port, {}), boost::system::system_error);
}

}  // namespace
}  // namespace refserver
