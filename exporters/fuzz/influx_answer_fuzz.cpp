// libFuzzer entry: whatever a server answers, to writes or to questions, becomes a verdict or an error; never a crash,
// never more points refused than were sent. Not part of the build (g++ has no libFuzzer). With clang, from the root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. exporters/fuzz/influx_answer_fuzz.cpp
//   exporters/influx_response.cpp exporters/influx_answer.cpp -o influx_answer_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "exporters/influx_query.hpp"
#include "exporters/influx_response.hpp"

namespace {

constexpr int statuses[] = {0, 200, 204, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503};

void check_verdict(const exporters::HttpAnswer& answer, std::uint64_t points) {
  const auto verdict = exporters::classify_write(answer, points);
  if (verdict.rejected > points) std::abort();
  if (verdict.reason.size() > 400 || verdict.reason.find('\n') != std::string::npos) std::abort();
  if (verdict.action == exporters::InfluxAction::stored && !verdict.reason.empty()) std::abort();
  if (verdict.action == exporters::InfluxAction::split && points < 2) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const exporters::HttpAnswer answer{statuses[data[0] % std::size(statuses)],
                                     std::string(reinterpret_cast<const char*>(data) + 2, size - 2),
                                     std::chrono::seconds(data[1]), "no answer"};
  for (const std::uint64_t points : {1U, 2U, 5000U}) check_verdict(answer, points);
  (void)exporters::influxql_error(answer);
  (void)exporters::parse_influxql_fields(answer);
  (void)exporters::parse_sql_fields(answer);
  (void)exporters::parse_influxql_count(answer);
  (void)exporters::parse_sql_count(answer);
  (void)exporters::parse_flux_counts(answer);
  return 0;
}
