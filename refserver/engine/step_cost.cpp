// Presets are small JSON files with every field stated, so that none is 0 by oversight.
#include "refserver/engine/step_cost.hpp"

#include <algorithm>
#include <array>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;
constexpr double kLongestUs = 60e6;

struct Known {
  std::string_view name;
  const std::string_view* text;
};

constexpr std::array<Known, 6> kKnown = {{{"qwen2-7b-rtx4070s", &embedded::cost_qwen2_7b_rtx4070s},
                                          {"qwen2-7b-rtx4090", &embedded::cost_qwen2_7b_rtx4090},
                                          {"qwen2-7b-h200", &embedded::cost_qwen2_7b_h200},
                                          {"llama-3.1-8b-rtx4070s", &embedded::cost_llama_3_1_8b_rtx4070s},
                                          {"llama-3.1-8b-rtx4090", &embedded::cost_llama_3_1_8b_rtx4090},
                                          {"llama-3.1-8b-h200", &embedded::cost_llama_3_1_8b_h200}}};

double needed_us(const ConfigFields& fields, std::string_view key) {
  const auto value = fields.number(key, 0, kLongestUs);
  if (!value) fields.fail(key, CheckpointErrc::bad_field, "is missing");
  return value.value_or(0) * 1000;
}

}  // namespace

double StepCost::of(const StepPlan& plan) const {
  double context = 0;
  if (context_token > 0) {
    for (const Row& row : plan.rows) context += static_cast<double>(row.position) + row.count;
  }
  const double products = prefill_token * plan.prefill_tokens + decode_token * (plan.tokens - plan.prefill_tokens);
  return base + std::max(weights, products) + context_token * context;
}

CheckpointResult<CostPreset> parse_cost_preset(std::string_view json, const std::string& file) {
  const auto document = parse_json(json, file);
  if (document.has_error()) return document.error();
  ConfigFailure failure;
  const ConfigFields fields(*document, file, "", failure);
  CostPreset preset;
  preset.name = fields.text("name").value_or(file);
  preset.cost.base = needed_us(fields, "base_us");
  preset.cost.weights = needed_us(fields, "weights_us");
  preset.cost.prefill_token = needed_us(fields, "prefill_token_us");
  preset.cost.decode_token = needed_us(fields, "decode_token_us");
  preset.cost.context_token = needed_us(fields, "context_token_ns") / 1000;
  preset.kv_bytes_per_token = fields.integer("kv_bytes_per_token", 0, std::uint64_t{1} << 40U).value_or(0);
  preset.notes = fields.text("notes").value_or("");
  if (failure.error) return *failure.error;
  return preset;
}

CheckpointResult<CostPreset> load_cost_preset(const std::string& name_or_file) {
  for (const Known& known : kKnown) {
    if (name_or_file == known.name) return parse_cost_preset(*known.text, name_or_file);
  }
  const auto text = read_small_file(name_or_file, kMostBytes);
  if (text.has_error()) {
    std::string names;
    for (const std::string& name : known_cost_presets()) names += (names.empty() ? "" : ", ") + name;
    CheckpointError error = text.error();
    error.text += " (and it is not a preset; there are " + names + ")";
    return error;
  }
  return parse_cost_preset(*text, name_or_file);
}

std::vector<std::string> known_cost_presets() {
  std::vector<std::string> names;
  names.reserve(kKnown.size());
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

}  // namespace refserver
