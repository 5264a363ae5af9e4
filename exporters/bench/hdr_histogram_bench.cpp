// What does recording a value cost beside the least it could cost: an increment in a plain array of the same size?
// Both walk the same values in the same run; report the difference. Encoding is per call, for a second of one series.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>

#include "exporters/metrics/distribution.hpp"
#include "exporters/metrics/hdr_codec.hpp"
#include "exporters/metrics/hdr_histogram.hpp"

namespace exporters {
namespace {

constexpr std::uint64_t seed = 20'261'121;

/// Latencies in µs around 60 ms, as many as fit the first-level cache twice over.
std::vector<std::int64_t> latencies_us() {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> values(11.0, 0.5);
  std::vector<std::int64_t> all(8192);
  for (auto& value : all) value = static_cast<std::int64_t>(values(random));
  return all;
}

void plain_array_increment(benchmark::State& state) {
  const HdrLayout layout(HdrConfig{});
  std::vector<std::size_t> slots;
  for (const std::int64_t value : latencies_us()) slots.push_back(layout.slot_of(value));
  std::vector<std::uint64_t> counts(layout.slot_count());
  std::size_t i = 0;
  for (auto _ : state) {
    ++counts[slots[i++ % slots.size()]];
    benchmark::ClobberMemory();
  }
}
BENCHMARK(plain_array_increment);

void hdr_record(benchmark::State& state) {
  const auto values = latencies_us();
  HdrHistogram histogram;
  std::size_t i = 0;
  for (auto _ : state) {
    histogram.record(values[i++ % values.size()]);
    benchmark::ClobberMemory();
  }
  if (histogram.count() != static_cast<std::uint64_t>(state.iterations())) std::abort();
}
BENCHMARK(hdr_record);

void distribution_record(benchmark::State& state) {
  const auto values = latencies_us();
  Distribution distribution;
  std::size_t i = 0;
  for (auto _ : state) {
    distribution.record_ns(values[i++ % values.size()] * 1000);
    benchmark::ClobberMemory();
  }
  if (distribution.count() != static_cast<std::uint64_t>(state.iterations())) std::abort();
}
BENCHMARK(distribution_record);

HdrHistogram filled(std::int64_t count) {
  const auto values = latencies_us();
  HdrHistogram histogram;
  for (std::int64_t i = 0; i < count; ++i) histogram.record(values[static_cast<std::size_t>(i) % values.size()]);
  return histogram;
}

void hdr_quantile(benchmark::State& state) {
  const HdrHistogram histogram = filled(8192);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.value_at_quantile(0.99));
}
BENCHMARK(hdr_quantile)->Unit(benchmark::kMicrosecond);

void hdr_add(benchmark::State& state) {
  const HdrHistogram part = filled(8192);
  HdrHistogram sum;
  for (auto _ : state) {
    sum.add(part);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(hdr_add)->Unit(benchmark::kMicrosecond);

void hdr_encode(benchmark::State& state) {
  const HdrHistogram histogram = filled(state.range(0));
  const std::string text = encode_hdr_base64(histogram);
  if (decode_hdr_base64(text).value().count() != histogram.count()) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(encode_hdr_base64(histogram));
  state.counters["base64_bytes"] = static_cast<double>(text.size());
}
BENCHMARK(hdr_encode)->Arg(100)->Arg(8192)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace exporters
