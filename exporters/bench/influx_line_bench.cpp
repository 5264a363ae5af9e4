// How many points per second does one thread render? The point is the one that is written per finished request.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "exporters/influx_line.hpp"

namespace exporters {
namespace {

PointResult append_request(std::string& out, std::int64_t i, std::int64_t unix_ns) {
  const double seconds = 0.08 + static_cast<double>(i % 1000) * 1.7e-5;
  InfluxPoint point(out, "llm_request");
  point.tag("run", "20261121T031500Z-1a2b").tag("entry", "qa_zh").tag("scenario", "qa").tag("route", "tgi-stream");
  point.tag("phase", "measure").tag("target", "http://127.0.0.1:8080").tag("model", "qwen2").tag("outcome", "ok");
  point.field("ttft", seconds)
      .field("ttft_sched", seconds + 1e-5)
      .field("tpot", seconds / 9)
      .field("e2e", seconds * 14);
  point.field("e2e_sched", seconds * 14 + 1e-5).field("lateness", 1e-5).field("tok_in", i % 512).field("tok_out", 128);
  point.field("chunks", 128).field("http_status", 200).field("id", "request-000001");
  return point.finish(unix_ns);
}

void render_llm_request(benchmark::State& state) {
  std::string out;
  UniqueClock clock;
  std::int64_t i = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    if (append_request(out, ++i, clock.next(1'700'000'000'000'000'000)) != PointResult::appended) std::abort();
    if (out.size() < 1'000'000) continue;
    bytes += out.size();
    out.clear();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes + out.size()));
}
BENCHMARK(render_llm_request);

void render_llm_hdr(benchmark::State& state) {
  std::string out;
  std::int64_t slot = 0;
  for (auto _ : state) {
    InfluxPoint point(out, "llm_hdr");
    point.tag("run", "20261121T031500Z-1a2b").tag("entry", "qa_zh").tag("metric", "e2e");
    point.field("slot", slot).field("value_us", slot * 64).field("n", slot % 7);
    benchmark::DoNotOptimize(point.finish(1'700'000'000'000'000'000 + slot));
    ++slot;
    if (out.size() > 1'000'000) out.clear();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(render_llm_hdr);

}  // namespace
}  // namespace exporters
