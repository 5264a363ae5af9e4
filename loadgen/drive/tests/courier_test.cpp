// A courier against scripted servers: every kind of address, what the kernel stamps, writes that do not fit, idle
// connections that die.
#include "loadgen/drive/courier.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>

#include "loadgen/drive/tests/stub_server.hpp"

namespace loadgen {
namespace {

using testing_support::StubConnection;
using testing_support::StubServer;

const std::string answer =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{\"generated_text\":\"a\"}";

/// Gives up after a minute, and whoever waited finds out.
void wait_until(const std::function<bool()>& is_true) {
  const std::int64_t give_up_ns = monotonic_ns() + 60'000'000'000;
  while (!is_true() && monotonic_ns() < give_up_ns) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// Carries one exchange after the other on its own loop.
struct Carried final : Courier::Client {
  explicit Carried(const Address& address, SourceAddresses sources = {})
      : courier(loop, *this, {make_endpoint(address).value()}, std::move(sources)) {
    entry.route = Route::tgi;
    entry.delivery = Delivery::whole;
  }
  void on_over(Exchange&) override { loop.stop(); }
  void on_sent(Exchange&) override {
    ++sent;
    if (reads_after) wait_until(reads_after);
  }
  void on_read(const Exchange&, const Arrival& arrival) override { reads.push_back(arrival); }

  const RequestRecord& ask(const std::string& request = "POST /generate HTTP/1.1\r\n\r\n") {
    exchange.prepare(entry, Timeouts{});
    loop.call_at(0, [&] {
      exchange.record.stamps.intended = exchange.record.stamps.dispatch = monotonic_ns();
      courier.carry(exchange, 0, request);
    });
    loop.run();
    return exchange.record;
  }
  /// Lets the loop run for a while.
  void wait_ms(int ms) {
    loop.call_at(monotonic_ns() + ms * 1'000'000LL, [&] { loop.stop(); });
    loop.run();
  }

  MixEntry entry;
  EventLoop loop;
  Courier courier;
  Exchange exchange;
  int sent = 0;
  std::function<bool()> reads_after;  ///< nothing is read of an answer before this is true
  std::vector<Arrival> reads;
};

bool answer_well(StubConnection& c, const std::string&) {
  c.send(answer);
  return true;
}

TEST(Courier, KeepsAConnectionFromOneRequestToTheNext) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()});
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_TRUE(carried.exchange.record.new_connection);
  EXPECT_GE(carried.exchange.record.stamps.connected, carried.exchange.record.stamps.dispatch);
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_FALSE(carried.exchange.record.new_connection);
  EXPECT_EQ(carried.sent, 2);
  EXPECT_EQ(carried.courier.under_way(), 0U);
}

TEST(Courier, TheKernelStampsWhatArrivesOverLoopback) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()});
  // The kernel begins to stamp a moment after the first socket has asked for it; a long one on a busy machine.
  const std::int64_t patience_ns = monotonic_ns() + 20'000'000'000;
  while (carried.reads.empty() || !carried.reads.back().is_kernel_stamp) {
    if (monotonic_ns() > patience_ns) GTEST_SKIP() << "this kernel gives no receive stamps";
    ASSERT_EQ(carried.ask().outcome, Outcome::ok);
    carried.wait_ms(1);
  }
  const RequestRecord& r = carried.ask();
  EXPECT_EQ(r.stamp_source, StampSource::kernel);
  EXPECT_GE(r.stamps.end, r.stamps.send);
  EXPECT_LE(carried.reads.back().at_ns, carried.reads.back().read_ns);
  EXPECT_GT(carried.reads.back().delay_ns(), 0);
  EXPECT_EQ(r.recv_delay_max_ns, carried.reads.back().delay_ns());
  EXPECT_LT(carried.courier.realtime_offset().error_ns(), 1'000'000);
}

TEST(Courier, ReachesIpv6AndUnixSockets) {
  char folder[] = "/tmp/courier-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/socket";
  {
    StubServer local(answer_well, AF_UNIX, path);
    Carried carried({path, 0});
    EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
    EXPECT_EQ(carried.exchange.record.stamp_source, StampSource::user);
  }
  ::unlink(path.c_str());
  ::rmdir(folder);
  StubServer six(answer_well, AF_INET6);
  Carried carried({"::1", six.port()});
  EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
}

TEST(Courier, ARequestThatDoesNotFitLeavesInPieces) {
  std::size_t got = 0;
  StubServer server([&](StubConnection& c, const std::string& request) {
    got = request.size();
    c.send(answer);
    return true;
  });
  Carried carried({"127.0.0.1", server.port()});
  const std::string body(8 * 1024 * 1024, 'x');
  const std::string request = "POST / HTTP/1.1\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  const RequestRecord& r = carried.ask(request);
  EXPECT_EQ(r.outcome, Outcome::ok) << r.error;
  EXPECT_EQ(got, request.size());
  EXPECT_GE(r.stamps.sent, r.stamps.send);
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_FALSE(carried.exchange.record.new_connection);
}

TEST(Courier, AnAnswerBeforeTheRequestIsWholeEndsTheConnection) {
  std::atomic<bool> over{false};
  StubServer server([&](StubConnection& c, const std::string&) {
    c.send(answer);
    while (!over && !server.stopped()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return false;
  });
  Carried carried({"127.0.0.1", server.port()});
  // The stub takes the head for a whole request: no length is stated for the 32 MB that follow, and nobody reads them.
  EXPECT_EQ(carried.ask("POST / HTTP/1.1\r\n\r\n" + std::string(32 * 1024 * 1024, 'x')).outcome, Outcome::ok);
  over = true;
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_TRUE(carried.exchange.record.new_connection);
}

TEST(Courier, AnIdleConnectionTheServerClosedIsNotUsedAgain) {
  std::atomic<int> accepted{0};
  StubServer server([&](StubConnection& c, const std::string&) {
    ++accepted;
    c.send(answer);
    return false;  // closes although it promised to keep the connection
  });
  Carried carried({"127.0.0.1", server.port()});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
    wait_until([&] { return server.closed() == i + 1; });
    carried.wait_ms(1);
  }
  EXPECT_EQ(accepted.load(), 3);
}

/// Everything is there before the first read, which takes a part of it: no new event will tell of the rest.
TEST(Courier, AConnectionIsNotUsedAgainAfterItsIdleLimit) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()});
  carried.courier.limit_idle(std::chrono::minutes(5));
  carried.ask();
  carried.ask();
  EXPECT_FALSE(carried.exchange.record.new_connection) << "it has not been idle for so long";
  carried.courier.limit_idle(std::chrono::milliseconds(5));
  carried.wait_ms(6);
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_TRUE(carried.exchange.record.new_connection) << "the server would still have taken it";
}

TEST(Courier, AnIdleLimitOfZeroGivesEachRequestAConnection) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()});
  carried.courier.limit_idle(std::chrono::nanoseconds(0));
  bool is_open = false;
  carried.courier.open_ahead(0, 1, [&] {
    is_open = true;
    carried.loop.stop();
  });
  if (!is_open) carried.loop.run();
  carried.ask();
  EXPECT_FALSE(carried.exchange.record.new_connection) << "what was opened ahead has carried nothing yet";
  carried.ask();
  EXPECT_TRUE(carried.exchange.record.new_connection);
  carried.ask();
  EXPECT_TRUE(carried.exchange.record.new_connection);
}

TEST(Courier, AKeptConnectionThatEndsWithoutAByteIsAResetThatSaysWhatHelps) {
  StubServer server([answered = false](StubConnection& c, const std::string&) mutable {
    if (std::exchange(answered, true)) return false;
    c.send(answer);
    return true;
  });
  Carried carried({"127.0.0.1", server.port()});
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  const RequestRecord& record = carried.ask();
  EXPECT_EQ(record.outcome, Outcome::reset) << "and it is not sent again";
  EXPECT_NE(record.error.find("kept open after an answer"), std::string::npos) << record.error;
  EXPECT_NE(record.error.find("--idle-timeout"), std::string::npos) << record.error;
  EXPECT_EQ(carried.sent, 2);
}

TEST(Courier, ReadsTheRestOfWhatArrivedAtOnce) {
  const std::string body = "{\"generated_text\":\"" + std::string(300'000, 'a') + "\"}";
  bool states_length = false;
  std::atomic<int> answered{0};
  StubServer server([&](StubConnection& c, const std::string&) {
    c.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
    if (states_length) c.send("content-length: " + std::to_string(body.size()) + "\r\n");
    c.send("\r\n" + body);
    ++answered;
    return states_length;  // else the end of the connection is the end of the body
  });
  for (const bool stated : {false, true}) {
    states_length = stated;
    Carried carried({"127.0.0.1", server.port()});
    carried.reads_after = [&] { return stated ? answered == 2 : server.closed() == 1; };
    EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
    EXPECT_GT(carried.exchange.record.response_bytes, body.size());
    EXPECT_GT(carried.reads.size(), 4U);
  }
}

TEST(Courier, AConnectionThatEndsWithItsAnswerIsNotUsedAgain) {
  StubServer server([&](StubConnection& c, const std::string&) {
    c.send(answer);
    return false;  // closes although it promised to keep the connection
  });
  Carried carried({"127.0.0.1", server.port()});
  carried.reads_after = [&] { return server.closed() == carried.sent; };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
    EXPECT_TRUE(carried.exchange.record.new_connection);
  }
}

TEST(Courier, StrayBytesOnAnIdleConnectionEndIt) {
  std::atomic<bool> is_idle{false};
  std::atomic<bool> has_strayed{false};
  StubServer server([&](StubConnection& c, const std::string&) {
    c.send(answer);
    if (has_strayed) return true;
    wait_until([&] { return is_idle.load(); });
    c.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    has_strayed = true;
    return true;
  });
  Carried carried({"127.0.0.1", server.port()});
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  is_idle = true;
  wait_until([&] { return has_strayed.load(); });
  carried.wait_ms(1);
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_TRUE(carried.exchange.record.new_connection);
}

TEST(Courier, SweepingCutsWhatIsOverItsDeadlineAndNothingElse) {
  StubServer server([&](StubConnection& c, const std::string&) {
    c.swallow(server.stopped());
    return false;
  });
  Carried carried({"127.0.0.1", server.port()});
  carried.exchange.prepare(carried.entry, Timeouts{});
  carried.exchange.record.stamps.dispatch = monotonic_ns();
  carried.courier.carry(carried.exchange, 0, "POST / HTTP/1.1\r\n\r\n");
  carried.wait_ms(5);
  carried.courier.sweep(carried.exchange.deadline_ns() - 1);
  EXPECT_EQ(carried.courier.under_way(), 1U);
  carried.courier.sweep(carried.exchange.deadline_ns());
  EXPECT_EQ(carried.courier.under_way(), 0U);
  EXPECT_EQ(carried.exchange.record.outcome, Outcome::timeout_total);
}

TEST(Courier, ConnectionsOpenedAheadAreThereWhenNeeded) {
  std::atomic<int> requests{0};
  StubServer server([&](StubConnection& c, const std::string&) {
    ++requests;
    c.send(answer);
    return true;
  });
  Carried carried({"127.0.0.1", server.port()});
  int done = 0;
  carried.courier.open_ahead(0, 100, [&] {
    ++done;
    carried.loop.stop();
  });
  if (done == 0) carried.loop.run();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(carried.ask().outcome, Outcome::ok);
  EXPECT_FALSE(carried.exchange.record.new_connection);
  EXPECT_EQ(requests.load(), 1);
}

TEST(Courier, OpeningAheadEndsAtTheFirstRefusal) {
  std::uint16_t port = 0;
  { port = StubServer(answer_well).port(); }
  Carried carried({"127.0.0.1", port});
  int done = 0;
  carried.courier.open_ahead(0, 100, [&] {
    ++done;
    carried.loop.stop();
  });
  if (done == 0) carried.loop.run();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(carried.ask().outcome, Outcome::connect);
}

TEST(Courier, ConnectsFromItsSourceAddressesInTurn) {
  std::mutex mutex;
  std::vector<std::string> peers;
  StubServer server([&](StubConnection& c, const std::string&) {
    const std::scoped_lock lock(mutex);
    peers.push_back(c.peer());
    c.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 22\r\n\r\n{\"generated_text\":\"a\"}");
    return false;
  });
  Carried carried({"127.0.0.1", server.port()}, SourceAddresses({"127.0.0.2", "::1", "127.0.0.3"}));
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(carried.ask().outcome, Outcome::ok) << carried.exchange.record.error;
    numbers.push_back(carried.exchange.record.connection);
  }
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(peers, (std::vector<std::string>{"127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"}));
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST(Courier, ASourceAddressOfAnotherMachineIsTheGeneratorsFault) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()}, SourceAddresses({"192.0.2.1"}));
  EXPECT_EQ(carried.ask().outcome, Outcome::client_resource) << carried.exchange.record.error;
  EXPECT_EQ(carried.exchange.record.connection, 0U);
}

TEST(Courier, CountsBytesAndNumbersConnections) {
  StubServer server(answer_well);
  Carried carried({"127.0.0.1", server.port()});
  carried.courier.number_connections(3, 8);
  const std::string request = "POST /generate HTTP/1.1\r\n\r\n";
  for (int i = 0; i < 2; ++i) {
    const RequestRecord& r = carried.ask(request);
    EXPECT_EQ(r.connection, 3U) << "the same one";
    EXPECT_EQ(r.request_bytes, request.size());
    EXPECT_EQ(r.response_bytes, answer.size());
    EXPECT_GT(r.write_delay_ns, 0);
  }
}

}  // namespace
}  // namespace loadgen
