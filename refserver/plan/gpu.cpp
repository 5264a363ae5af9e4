// Every field is needed: a plan on a silent default would be a guess.
#include "refserver/plan/gpu.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMaxGpuFileBytes = 64 * 1024;

struct Known {
  const char* name;
  const std::string_view* text;
};
constexpr std::array<Known, 5> kKnown{{{"rtx4070s", &embedded::gpu_rtx4070s},
                                       {"rtx4090", &embedded::gpu_rtx4090},
                                       {"a10", &embedded::gpu_a10},
                                       {"a100", &embedded::gpu_a100},
                                       {"h200", &embedded::gpu_h200}}};

double needed(const ConfigFields& fields, std::string_view key, double low, double high) {
  const auto value = fields.number(key, low, high);
  if (!value) fields.fail(key, CheckpointErrc::bad_field, "is missing");
  return value.value_or(1);
}

}  // namespace

CheckpointResult<Gpu> parse_gpu(std::string_view json, const std::string& file) {
  const auto document = parse_json(json, file);
  if (document.has_error()) return document.error();
  ConfigFailure failure;
  const ConfigFields fields(*document, file, "", failure);
  constexpr double large = 1e9;
  Gpu gpu;
  gpu.name = fields.text("name").value_or("");
  gpu.memory_mib = needed(fields, "memory_mib", 1, large);
  gpu.bandwidth_gb_s = needed(fields, "bandwidth_gb_s", 1e-3, large);
  gpu.bandwidth_attained = needed(fields, "bandwidth_attained", 0.01, 1);
  gpu.fp16_tflops = needed(fields, "fp16_tflops", 1e-3, large);
  gpu.decode_efficiency = needed(fields, "decode_efficiency", 0.01, 1);
  gpu.prefill_efficiency = needed(fields, "prefill_efficiency", 0.01, 1);
  gpu.context_mib = needed(fields, "context_mib", 0, large);
  gpu.step_gap_us = needed(fields, "step_gap_us", 0, large);
  gpu.notes = fields.text("notes").value_or("");
  if (!fields.failed() && gpu.name.empty()) fields.fail("name", CheckpointErrc::bad_field, "is missing");
  if (failure.error) return *failure.error;
  return gpu;
}

CheckpointResult<Gpu> load_gpu(const std::string& name_or_file) {
  for (const Known& known : kKnown) {
    if (name_or_file == known.name) return parse_gpu(*known.text, name_or_file);
  }
  const auto text = read_small_file(name_or_file, kMaxGpuFileBytes);
  if (text.has_error()) {
    CheckpointError error = text.error();
    error.text += fmt::format(" (and it is no GPU known here; there are {})", fmt::join(known_gpus(), ", "));
    return error;
  }
  return parse_gpu(*text, name_or_file);
}

std::vector<std::string> known_gpus() {
  std::vector<std::string> names;
  names.reserve(kKnown.size());
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

}  // namespace refserver
