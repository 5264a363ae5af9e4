// The worked example of the metric definitions from bytes to metrics: a chat stream whose events arrive at stated
// milliseconds, read later by various delays that must not show.
#include <gtest/gtest.h>

#include "loadgen/drive/exchange.hpp"
#include "loadgen/record/request_metrics.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;

std::string text_chunk(const std::string& content, int tokens) {
  return R"({"choices":[{"index":0,"delta":{"content":")" + content +
         R"("},"finish_reason":null}],"usage":{"prompt_tokens":4,"completion_tokens":)" + std::to_string(tokens) + "}}";
}

RequestRecord worked_example() {
  MixEntry entry;
  entry.route = Route::openai_chat;
  Exchange x;
  x.prepare(entry, Timeouts{});
  x.record.stamps.dispatch = 5 * ms;
  x.on_reused_connection();
  x.on_sending(5 * ms);
  x.on_sent(5 * ms);
  std::int64_t delay_ns = 0;
  const auto arrives = [&](std::int64_t at_ns, const std::string& bytes) {
    delay_ns = (delay_ns + 700'000) % (3 * ms);
    x.on_bytes(bytes, {at_ns, at_ns + delay_ns, true});
  };
  arrives(60 * ms, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
  arrives(80 * ms, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n");
  arrives(105 * ms, "data: " + text_chunk("a", 1) + "\n\n");
  arrives(145 * ms, "data: " + text_chunk("bcd", 4) + "\n\n");
  arrives(165 * ms, "data: " + text_chunk("e", 5) + "\n\n");
  arrives(170 * ms, "data: " + text_chunk("", 5) + "\n\n");
  arrives(205 * ms, "data: " + text_chunk("fg", 7) + "\n\n");
  arrives(206 * ms, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":7}}\n\n");
  arrives(206 * ms + ms / 2, "data: [DONE]\n\n");
  x.on_closed(0, "", 230 * ms);
  return x.record;
}

TEST(WorkedExample, FromBytesToMetrics) {
  const RequestRecord record = worked_example();
  ASSERT_EQ(record.outcome, Outcome::ok) << record.error;
  EXPECT_EQ(record.output_tokens, 7U);
  EXPECT_EQ(record.token_source, TokenSource::server_usage);
  const RequestMetrics m = compute_metrics(record, LoopKind::open);
  EXPECT_EQ(m[Metric::ttft], 100 * ms);
  EXPECT_EQ(m[Metric::ttft_sched], 105 * ms);
  EXPECT_EQ(m[Metric::ttfo], m[Metric::ttft]) << "nothing was reasoned";
  EXPECT_EQ(m[Metric::tpot], 100 * ms / 6);
  EXPECT_EQ(m[Metric::ttst], 40 * ms);
  EXPECT_EQ(m[Metric::e2e], 201 * ms + ms / 2);
  EXPECT_EQ(m[Metric::e2e_sched], 206 * ms + ms / 2);
  EXPECT_EQ(m[Metric::e2e_last_token], 200 * ms);
  EXPECT_EQ(m[Metric::lateness], 5 * ms);
  EXPECT_EQ(m[Metric::server_wait], 55 * ms);
  std::vector<GapValue> icl, itl;
  append_icl(record, icl);
  ASSERT_TRUE(append_itl(record, itl));
  ASSERT_EQ(icl.size(), 3U);
  EXPECT_EQ(icl[0].gap_ns, 40 * ms);
  EXPECT_EQ(icl[1].gap_ns, 20 * ms);
  EXPECT_EQ(icl[2].gap_ns, 40 * ms);
  ASSERT_EQ(itl.size(), 3U);
  EXPECT_EQ(itl[0].gap_ns, 40 * ms / 3);
  EXPECT_EQ(itl[0].count, 3U);
  EXPECT_EQ(itl[2].count, 2U);
  EXPECT_EQ(record.coalesced_events, 0U);
}

}  // namespace
}  // namespace loadgen
