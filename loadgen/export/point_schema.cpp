#include "loadgen/export/point_schema.hpp"

#include <string_view>

namespace loadgen {
namespace {

using exporters::FieldType;

/// Names of fields with spaces between them. The counted one is an integer or a string that stands in its list too; it
/// is empty where no field is in every point.
struct Measurement {
  std::string_view name, counted, floats, integers, strings;
};

constexpr Measurement measurements[] = {
    {"llm_request", "chunks",
     "ttft ttft_sched ttfo tpot e2e e2e_sched e2e_last_token ttst lateness connect server_wait icl_mean icl_p99 "
     "icl_max",
     "tok_in tok_out chunks http_status", "id error"},
    {"llm_interval", "sent",
     "ttft_p50 ttft_p95 ttft_p99 ttft_max ttfo_p50 ttfo_p95 ttfo_p99 ttfo_max tpot_p50 tpot_p95 tpot_p99 tpot_max "
     "icl_p50 icl_p95 icl_p99 icl_max "
     "e2e_p50 e2e_p95 e2e_p99 e2e_max ttft_sched_p50 ttft_sched_p95 ttft_sched_p99 ttft_sched_max "
     "e2e_sched_p50 e2e_sched_p95 e2e_sched_p99 e2e_sched_max",
     "sent in_flight done failed tok_in tok_out", ""},
    {"llm_load", "sent", "cpu_share loop_lag_p99 recv_delay_p99", "sent in_flight tok_out", ""},
    {"llm_hdr", "n", "", "slot value_us n", ""},
    {"llm_event", "text", "", "", "text config"},
    {"exporter", "offered", "", "offered stored rejected spilled dropped", ""},
    {"gpu", "", "util mem_used_mib mem_total_mib process_mem_mib power_w energy_j temp_c sm_clock_mhz", "throttle", ""},
    {"llm_server", "", "kv_usage queue_time_sum",
     "running waiting requests_ok prompt_tokens generated_tokens prefix_queried_tokens prefix_hit_tokens preemptions "
     "queue_time_count",
     ""},
};

void append(std::vector<exporters::FieldUse>& fields, std::string_view measurement, std::string_view names,
            FieldType type) {
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    if (end > 0) fields.push_back({std::string(measurement), std::string(names.substr(0, end)), type});
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

}  // namespace

std::vector<exporters::FieldUse> point_fields() {
  std::vector<exporters::FieldUse> fields;
  for (const Measurement& measurement : measurements) {
    append(fields, measurement.name, measurement.floats, FieldType::floating);
    append(fields, measurement.name, measurement.integers, FieldType::integer);
    append(fields, measurement.name, measurement.strings, FieldType::text);
  }
  return fields;
}

std::vector<exporters::CountedField> counted_fields() {
  std::vector<exporters::CountedField> fields;
  for (const Measurement& measurement : measurements)
    if (!measurement.counted.empty())
      fields.push_back({std::string(measurement.name), std::string(measurement.counted)});
  return fields;
}

}  // namespace loadgen
