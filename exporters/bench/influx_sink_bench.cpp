// How many points per second get into an InfluxDB over one connection: rendered, queued, sent and stored, all of it
// timed by the wall? Needs a server: PLUMBLINE_INFLUX_URL=http://127.0.0.1:8086/bench; bench/export_benchmark.py starts
// one.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "exporters/influx_line.hpp"
#include "exporters/influx_sink.hpp"

namespace exporters {
namespace {

/// Points under way at a time: more would only wait.
constexpr std::uint64_t max_under_way = 100'000;

/// Eight tags, six numbers, one text: the point of a finished request.
void append_point(Batch& batch, std::int64_t i, std::int64_t unix_ns) {
  constexpr std::string_view entries[] = {"qwen2-qa", "qwen2-summarize", "qwen2-rewrite", "llama3-qa",
                                          "llama3-rewrite"};
  const double jitter = static_cast<double>(i % 1009) * 1e-6;
  InfluxPoint point(batch.bytes, "llm_request");
  point.tag("run", "20261121T031500Z-1a2b")
      .tag("entry", entries[i % 5])
      .tag("scenario", "qa")
      .tag("route", "tgi-stream");
  point.tag("phase", "measure").tag("target", "http://127.0.0.1:8080").tag("model", "qwen2").tag("outcome", "ok");
  point.field("ttft", 0.1 + jitter).field("tpot", 0.02 + jitter / 7).field("e2e", 2.5 + jitter * 3);
  point.field("tok_out", 128).field("chunks", 128).field("http_status", 200).field("id", std::to_string(i));
  point.finish(unix_ns);
  batch.end_record();
}

void offer(Sink& sink, std::int64_t first, std::int64_t count, std::int64_t start_ns) {
  for (std::int64_t i = first; i < first + count;) {
    Batch batch;
    for (const std::int64_t end = std::min(first + count, i + 5000); i < end; ++i) append_point(batch, i, start_ns + i);
    sink.write(std::move(batch));
    for (SinkAccount now = sink.account(); now.offered - now.stored - now.rejected > max_under_way;
         now = sink.account())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void store_points(benchmark::State& state, Compression compression) {
  const char* const text = std::getenv("PLUMBLINE_INFLUX_URL");
  if (text == nullptr) return state.SkipWithError("PLUMBLINE_INFLUX_URL names no server");
  const auto url = parse_influx_url(text);
  if (!url) return state.SkipWithError(url.error().c_str());
  InfluxTarget target;
  target.url = *url;
  target.compression = compression;
  if (const auto ready = preflight(target, DatabasePolicy::create_if_missing); !ready)
    return state.SkipWithError(ready.error().c_str());
  const std::int64_t points = state.range(0);
  const std::int64_t start_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::int64_t first = 0;
  for (auto _ : state) {
    InfluxSinkOptions options;
    options.drain_timeout = std::chrono::minutes(5);
    const auto sink = make_influx_sink(target, options);
    offer(*sink, first, points, start_ns);
    const SinkAccount account = sink->finish();
    if (account.stored != account.offered) return state.SkipWithError(account.first_error.c_str());
    first += points;
  }
  state.SetItemsProcessed(first);
}

void influx_sink_plain(benchmark::State& state) {
  store_points(state, Compression::none);
}
void influx_sink_gzip(benchmark::State& state) {
  store_points(state, Compression::gzip);
}
BENCHMARK(influx_sink_plain)->Arg(500'000)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(influx_sink_gzip)->Arg(500'000)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace exporters
