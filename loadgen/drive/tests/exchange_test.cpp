// The exchange as a machine, told what happens by hand: stamps, deadlines, reuse, and every way to end.
#include "loadgen/drive/exchange.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;

const std::string stream_head =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string token(int index, bool last = false) {
  return "data:{\"index\":" + std::to_string(index) +
         ",\"token\":{\"id\":1,\"text\":\"t\"},\"generated_text\":" + (last ? "\"t\"" : "null") + "}\n\n";
}

struct ExchangeTest : testing::Test {
  ExchangeTest() { start(Route::tgi_stream, Delivery::stream); }

  void start(Route route, Delivery delivery) {
    entry.route = route;
    entry.delivery = delivery;
    timeouts.connect = std::chrono::milliseconds(50);
    timeouts.first_token = std::chrono::milliseconds(200);
    timeouts.total = std::chrono::milliseconds(1000);
    x.prepare(entry, timeouts);
    x.record.stamps.intended = x.record.stamps.dispatch = 10 * ms;
  }
  void send() {
    x.on_reused_connection();
    x.on_sending(11 * ms);
    x.on_sent(12 * ms);
  }
  /// Read at `read_ms`, stamped by the kernel `delay_us` earlier.
  void read(const std::string& bytes, std::int64_t read_ms, std::int64_t delay_us = 0) {
    x.on_bytes(bytes, {read_ms * ms - delay_us * 1000, read_ms * ms, true});
  }

  MixEntry entry;
  Timeouts timeouts;
  Exchange x;
};

TEST_F(ExchangeTest, StampsAreThoseOfTheArrival) {
  send();
  read(stream_head, 100, 50);
  read(chunk(token(1)), 110, 700);
  EXPECT_TRUE(x.has_just_begun());
  read(chunk(token(2)), 120, 100);
  EXPECT_FALSE(x.has_just_begun());
  EXPECT_FALSE(x.is_over());
  read(chunk(token(3, true)) + "0\r\n\r\n", 130, 20);
  ASSERT_TRUE(x.is_over());
  EXPECT_TRUE(x.leaves_connection_usable());
  const RequestRecord& r = x.record;
  EXPECT_EQ(r.outcome, Outcome::ok);
  EXPECT_EQ(r.stamps.connected, 10 * ms);
  EXPECT_EQ(r.stamps.send, 11 * ms);
  EXPECT_EQ(r.stamps.sent, 12 * ms);
  EXPECT_EQ(r.stamps.headers, 100 * ms - 50'000);
  EXPECT_EQ(r.stamps.first_token, 110 * ms - 700'000);
  EXPECT_EQ(r.events[1].at_ns, 120 * ms - 100'000);
  EXPECT_EQ(r.stamps.last_token, 130 * ms - 20'000);
  EXPECT_EQ(r.stamps.end, r.stamps.last_token);
  EXPECT_EQ(r.recv_delay_first_ns, 700'000);
  EXPECT_EQ(r.recv_delay_max_ns, 700'000);
  EXPECT_EQ(r.stamp_source, StampSource::kernel);
  EXPECT_EQ(r.coalesced_events, 0U);
  EXPECT_EQ(r.index_breaks, 0U);
}

TEST_F(ExchangeTest, OneUnstampedReadMakesTheStampsOurs) {
  send();
  read(stream_head, 100);
  x.on_bytes(chunk(token(1)), {110 * ms, 110 * ms, false});
  EXPECT_EQ(x.record.stamp_source, StampSource::user);
  x.prepare(entry, timeouts);
  EXPECT_EQ(x.record.stamp_source, StampSource::kernel);
}

TEST_F(ExchangeTest, AnAnswerStampedBeforeTheSendReturnedMovesTheSentStamp) {
  x.on_reused_connection();
  x.on_sending(11 * ms);
  x.on_sent(30 * ms);  // this thread was held up in between
  read(stream_head, 40, 15'000);
  EXPECT_EQ(x.record.stamps.sent, 25 * ms);
}

TEST_F(ExchangeTest, DeadlinesFollowWhatHasHappened) {
  x.on_connecting();
  EXPECT_EQ(x.deadline_ns(), 60 * ms);
  x.on_connected(20 * ms);
  EXPECT_EQ(x.deadline_ns(), INT64_MAX);
  x.on_sending(21 * ms);
  EXPECT_EQ(x.deadline_ns(), 221 * ms);
  read(stream_head, 100);
  EXPECT_EQ(x.deadline_ns(), 221 * ms);
  read(chunk(token(1)), 150);
  EXPECT_EQ(x.deadline_ns(), 1021 * ms);
  x.cut_at_deadline(1022 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::timeout_total);
  EXPECT_FALSE(x.leaves_connection_usable());
  EXPECT_EQ(x.record.output_tokens, 1U);
}

TEST_F(ExchangeTest, EachDeadlineHasItsClass) {
  x.on_connecting();
  x.cut_at_deadline(60 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::timeout_connect);
  start(Route::tgi_stream, Delivery::stream);
  send();
  x.cut_at_deadline(300 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::timeout_ttft);
  start(Route::tgi, Delivery::whole);
  send();
  x.cut_at_deadline(1100 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::timeout_total);
}

TEST_F(ExchangeTest, ConnectErrorsAreTheTargetsOrOurs) {
  x.on_connecting();
  x.on_connect_failed(ECONNREFUSED, {}, 20 * ms);
  EXPECT_TRUE(x.is_over());
  EXPECT_EQ(x.record.outcome, Outcome::connect);
  EXPECT_EQ(x.record.stamps.end, 20 * ms);
  for (const int error : {EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    start(Route::tgi_stream, Delivery::stream);
    x.on_connect_failed(error, {}, 20 * ms);
    EXPECT_EQ(x.record.outcome, Outcome::client_resource) << error;
  }
}

TEST_F(ExchangeTest, AClosedConnectionIsAResetBeforeTheHeadAndTruncationAfterIt) {
  send();
  x.on_closed(ECONNRESET, {}, 20 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::reset);
  start(Route::tgi_stream, Delivery::stream);
  send();
  read(stream_head + chunk(token(1)), 20);
  x.on_closed(0, {}, 30 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::truncated);
  start(Route::tgi, Delivery::whole);  // a body that ends with the connection
  send();
  read("HTTP/1.1 200 OK\r\n\r\n{\"generated_text\":\"x\"}", 20);
  x.on_closed(0, {}, 30 * ms);
  EXPECT_EQ(x.record.outcome, Outcome::ok);
  EXPECT_FALSE(x.leaves_connection_usable());
}

TEST_F(ExchangeTest, BytesAfterTheAnswerMakeTheConnectionUseless) {
  send();
  read(stream_head + chunk(token(1, true)) + "0\r\n\r\nHTTP/1.1 200 OK\r\n", 20);
  EXPECT_EQ(x.record.outcome, Outcome::ok);
  EXPECT_FALSE(x.leaves_connection_usable());
}

TEST_F(ExchangeTest, TokensThatSkipAnIndexAreCounted) {
  send();
  read(stream_head, 20);
  for (const int index : {1, 2, 4, 5, 5}) read(chunk(token(index)), 20 + index);
  EXPECT_EQ(x.record.index_breaks, 2U);
  EXPECT_EQ(x.record.events.size(), 5U);
}

TEST_F(ExchangeTest, AHundredMegabyteEventIsRefusedWithoutBeingKept) {
  send();
  read(stream_head, 20);
  const std::string piece = chunk(std::string(64 * 1024, 'x'));
  read(chunk("data: "), 21);
  int pieces = 0;
  for (; pieces < 1600 && !x.is_over(); ++pieces) read(piece, 22);
  EXPECT_TRUE(x.is_over());
  EXPECT_LE(pieces, 257);
  EXPECT_EQ(x.record.outcome, Outcome::malformed);
  EXPECT_NE(x.record.error.find("16 MiB"), std::string::npos);
}

TEST_F(ExchangeTest, AStreamThatDoesNotEndIsCutBeforeItTakesAllMemory) {
  entry.parameters.max_new_tokens = 8;
  start(Route::tgi_stream, Delivery::stream);
  send();
  read(stream_head, 20);
  std::string tokens;
  for (int i = 0; i < 1000; ++i) tokens += token(1);
  int reads = 0;
  for (; reads < 400 && !x.is_over(); ++reads) read(chunk(tokens), 21);
  EXPECT_EQ(reads, 263);  // the first read beyond 262,144 events
  EXPECT_EQ(x.record.outcome, Outcome::malformed);
  entry.parameters.max_new_tokens = 300'000;  // a long answer that was asked for is none
  start(Route::tgi_stream, Delivery::stream);
  send();
  read(stream_head, 20);
  for (reads = 0; reads < 300; ++reads) read(chunk(tokens), 21);
  EXPECT_FALSE(x.is_over());
}

TEST_F(ExchangeTest, ABodyOver64MebibytesIsRefusedWhileItComes) {
  start(Route::tgi, Delivery::whole);
  send();
  read("HTTP/1.1 200 OK\r\n\r\n", 20);
  const std::string piece(1 << 20, ' ');
  int pieces = 0;
  for (; pieces < 100 && !x.is_over(); ++pieces) read(piece, 21);
  EXPECT_EQ(pieces, 65);
  EXPECT_EQ(x.record.outcome, Outcome::malformed);
  EXPECT_EQ(x.record.error, "the body is longer than 64 MiB");
}

TEST_F(ExchangeTest, CompressedAnswersAndRedirectsAreNamed) {
  start(Route::tgi, Delivery::whole);
  send();
  read("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b", 20);
  EXPECT_EQ(x.record.outcome, Outcome::malformed);
  EXPECT_EQ(x.record.error, "the answer is compressed (content-encoding: gzip), which was not asked for");
  EXPECT_FALSE(x.leaves_connection_usable());
  start(Route::tgi, Delivery::whole);
  send();
  read("HTTP/1.1 500 X\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n\x1f\x8b", 20);
  EXPECT_EQ(x.record.outcome, Outcome::http_5xx);
  EXPECT_EQ(x.record.error, "HTTP 500");
  start(Route::tgi, Delivery::whole);
  send();
  read("HTTP/1.1 307 X\r\nlocation: https://x/generate\r\ncontent-length: 0\r\n\r\n", 20);
  EXPECT_EQ(x.record.outcome, Outcome::malformed);
  EXPECT_EQ(x.record.error, "a redirect to https://x/generate, which is not followed: use it as the target");
  start(Route::tgi, Delivery::whole);
  send();
  read("HTTP/1.1 200 OK\r\ncontent-encoding: Identity\r\ncontent-length: 22\r\n\r\n{\"generated_text\":\"x\"}", 20);
  EXPECT_EQ(x.record.outcome, Outcome::ok);
}

TEST_F(ExchangeTest, LiveTokensAreCountedAsTheyArrive) {
  std::atomic<std::uint64_t> tokens{5};
  x.live_tokens = &tokens;
  send();
  read(stream_head + chunk(token(1) + token(2)), 20);
  EXPECT_EQ(tokens.load(), 7U);
  EXPECT_EQ(x.record.coalesced_events, 2U);
}

TEST_F(ExchangeTest, ABodyIsTheSameHoweverItIsCut) {
  const std::string body = R"({"generated_text":"one two","details":{"finish_reason":"length","generated_tokens":2}})";
  const std::string bytes =
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  IntakePool intakes;
  for (const bool is_shared : {false, true}) {
    for (std::size_t cut = 1; cut <= bytes.size(); ++cut) {
      x.intakes = is_shared ? &intakes : nullptr;
      start(Route::tgi, Delivery::whole);
      send();
      read(bytes.substr(0, cut), 20);
      if (cut < bytes.size()) read(bytes.substr(cut), 21);
      ASSERT_TRUE(x.is_over()) << cut;
      ASSERT_EQ(x.record.outcome, Outcome::ok) << cut << ": " << x.record.error;
      EXPECT_TRUE(x.leaves_connection_usable());
      EXPECT_EQ(x.record.output_tokens, 2U);
      EXPECT_EQ(x.record.finish_reason, "length");
    }
  }
}

TEST_F(ExchangeTest, StreamsThatShareIntakesDoNotMix) {
  IntakePool intakes;
  Exchange other;
  x.intakes = other.intakes = &intakes;
  for (int round = 0; round < 3; ++round) {
    start(Route::tgi_stream, Delivery::stream);
    other.prepare(entry, timeouts);
    send();
    other.on_reused_connection();
    other.on_sending(11 * ms);
    read(stream_head + chunk(token(1)), 100);
    const std::string half = chunk(token(1));
    other.on_bytes(stream_head + half.substr(0, 20), {101 * ms, 101 * ms, true});
    read(chunk(token(2)), 110);
    if (round == 1) {
      x.cut(Outcome::cancelled, "enough", 111 * ms);
    } else {
      read(chunk(token(3, true)) + "0\r\n\r\n", 120);
    }
    EXPECT_EQ(x.record.outcome, round == 1 ? Outcome::cancelled : Outcome::ok);
    EXPECT_EQ(x.record.output_tokens, round == 1 ? 2U : 3U);
    other.on_bytes(half.substr(20) + chunk(token(2, true)) + "0\r\n\r\n", {130 * ms, 130 * ms, true});
    EXPECT_EQ(other.record.outcome, Outcome::ok);
    EXPECT_EQ(other.record.output_tokens, 2U);
  }
}

}  // namespace
}  // namespace loadgen
