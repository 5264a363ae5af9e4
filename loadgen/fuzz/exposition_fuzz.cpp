// libFuzzer entry: any bytes as a metrics page end in readings or in an error, never in a crash, a hang or an
// exception. Not part of the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/exposition_fuzz.cpp \
//     loadgen/observe/exposition_parser.cpp loadgen/observe/page_metrics.cpp -lfmt -o exposition_fuzz
//   ./exposition_fuzz -max_len=65536 -timeout=10 CORPUS loadgen/fuzz/seeds/exposition
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loadgen/observe/exposition_parser.hpp"
#include "loadgen/observe/page_metrics.hpp"

namespace {

/// A reading that was taken is one that can be stored.
void expect_storable(const std::vector<loadgen::SubjectReading>& readings) {
  if (readings.empty()) std::abort();
  for (const auto& [subject, reading] : readings) {
    for (std::size_t i = 0; i < loadgen::read_metric_count; ++i) {
      const auto metric = static_cast<loadgen::ObservedMetric>(i);
      if (reading.values.has(metric) && std::isnan(reading.values[metric])) std::abort();
    }
    if ((reading.throttle & ~loadgen::Throttle::any) != 0) std::abort();
    if (subject.kind == loadgen::Subject::Kind::gpu && subject.gpu.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view page(reinterpret_cast<const char*>(data), size);
  const auto samples = loadgen::parse_exposition(page, {""});
  const auto gpus = loadgen::gpu_readings(page);
  const auto servers = loadgen::server_readings(page);
  if (!samples && (gpus || servers)) std::abort();  // a page is malformed for everybody
  if (gpus) expect_storable(*gpus);
  if (servers) expect_storable(*servers);
  return 0;
}
