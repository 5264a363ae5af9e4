// Plain rotation and Llama 3.1's scaling; everything else is refused by name.
#include "refserver/checkpoint/rope_config.hpp"

#include <fmt/format.h>

namespace refserver {
namespace {

constexpr double kSmallestTheta = 1;
constexpr double kLargestTheta = 1e12;

double needed_number(const ConfigFields& fields, std::string_view key) {
  const auto value = fields.number(key, 1e-3, 1e6);
  if (!value) fields.fail(key, CheckpointErrc::bad_field, "is missing");
  return value.value_or(1);
}

Llama3RopeScaling read_llama3(const ConfigFields& fields) {
  Llama3RopeScaling scaling;
  scaling.factor = needed_number(fields, "factor");
  scaling.low_freq_factor = needed_number(fields, "low_freq_factor");
  scaling.high_freq_factor = needed_number(fields, "high_freq_factor");
  scaling.original_max_positions = fields.needed("original_max_position_embeddings", 1, 1U << 30U);
  if (!fields.failed() && scaling.high_freq_factor <= scaling.low_freq_factor) {
    fields.fail("high_freq_factor", CheckpointErrc::bad_field,
                fmt::format("{} is not above low_freq_factor, {}", scaling.high_freq_factor, scaling.low_freq_factor));
  }
  return scaling;
}

/// `rope_type` (older files: `type`) and what belongs to it.
std::optional<Llama3RopeScaling> read_scaling(const ConfigFields& fields) {
  const auto* const value = fields.find_either("rope_type", "type");
  if (fields.failed()) return std::nullopt;
  if (value == nullptr || !value->is_string()) {
    fields.fail("rope_type", CheckpointErrc::bad_field, value == nullptr ? "is missing" : "is not a text");
    return std::nullopt;
  }
  const auto& type = value->get_ref<const std::string&>();
  if (type == "llama3") return read_llama3(fields);
  if (type != "default") {
    fields.refuse("rope_type", fmt::format("\"{}\" is not known; default and llama3 are", printable(type)));
  }
  return std::nullopt;
}

}  // namespace

RopeConfig read_rope_config(const ConfigFields& config) {
  RopeConfig rope;
  const auto old_theta = config.number("rope_theta", kSmallestTheta, kLargestTheta);
  const auto old_scaling = config.object("rope_scaling");
  const auto parameters = config.object("rope_parameters");
  if (const auto part = config.number("partial_rotary_factor", 0, 1); part && *part != 1) {
    config.refuse("partial_rotary_factor", fmt::format("{} is not known; 1 is", *part));
  }
  if (!parameters) {
    rope.theta = old_theta.value_or(rope.theta);
    if (old_scaling) rope.llama3 = read_scaling(*old_scaling);
    return rope;
  }
  const auto theta = parameters->number("rope_theta", kSmallestTheta, kLargestTheta);
  if (theta && old_theta && *theta != *old_theta) {
    config.fail("rope_theta", CheckpointErrc::bad_field,
                fmt::format("{}, but rope_parameters.rope_theta is {}", *old_theta, *theta));
  }
  if (!theta && !old_theta) parameters->fail("rope_theta", CheckpointErrc::bad_field, "is missing");
  if (old_scaling && old_scaling->json() != parameters->json()) {
    config.fail("rope_scaling", CheckpointErrc::bad_field, "is given beside rope_parameters and differs from it");
  }
  rope.theta = theta ? *theta : old_theta.value_or(rope.theta);
  rope.llama3 = read_scaling(*parameters);
  return rope;
}

}  // namespace refserver
