// Field names of AutoGPTQ, Optimum and GPTQModel.
#include "refserver/checkpoint/quant_config.hpp"

#include <fmt/format.h>

namespace refserver {
namespace {

std::string text_of(const ConfigFields& fields, std::string_view key, std::string_view other, std::string fallback) {
  const auto* const value = fields.find_either(key, other);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  fields.fail(key, CheckpointErrc::bad_field, fmt::format("{} is not a text", shown(*value)));
  return fallback;
}

void read_method_and_format(const ConfigFields& fields, QuantConfig& quant) {
  const std::string method = text_of(fields, "quant_method", "method", "gptq");
  if (method != "gptq") {
    fields.refuse("quant_method", fmt::format("\"{}\" cannot be read; gptq can", printable(method)));
  }
  const std::string format = text_of(fields, "checkpoint_format", "format", "gptq");
  if (format == "gptq_v2") {
    quant.version = kernels::GptqVersion::v2;
  } else if (format != "gptq") {
    fields.refuse("checkpoint_format", fmt::format("\"{}\" cannot be read; gptq and gptq_v2 can", printable(format)));
  }
  if (fields.boolean("is_marlin_format").value_or(false)) fields.refuse("is_marlin_format", "true cannot be read");
  if (fields.has("version")) fields.refuse("version", "marks an AWQ checkpoint, which cannot be read");
  const std::string pack = fields.text("pack_dtype").value_or("int32");
  if (pack != "int32") {
    fields.refuse("pack_dtype", fmt::format("\"{}\" cannot be read; int32 can", printable(pack)));
  }
}

void read_group_size(const ConfigFields& fields, QuantConfig& quant) {
  constexpr std::int64_t largest = 1 << 20;
  const auto* const value = fields.find("group_size");
  if (value == nullptr) {
    fields.fail("group_size", CheckpointErrc::bad_field, "is missing");
    return;
  }
  const bool whole =
      value->is_number_integer() && (!value->is_number_unsigned() || value->get<std::uint64_t>() <= largest);
  const std::int64_t size = whole ? value->get<std::int64_t>() : 0;
  if (size != -1 && (size < 1 || size > largest)) {
    fields.fail("group_size", CheckpointErrc::bad_field,
                fmt::format("{} is neither -1 nor a whole number from 1 to {}", shown(*value), largest));
    return;
  }
  quant.group_size = size == -1 ? 0 : static_cast<std::size_t>(size);
}

/// `dynamic` maps patterns of module names to settings of their own; "-:pattern" leaves modules as they are, which the
/// tensors show by themselves.
void check_dynamic(const ConfigFields& fields) {
  const auto dynamic = fields.object("dynamic");
  if (!dynamic) return;
  for (const auto& [pattern, settings] : dynamic->json().items()) {
    if (!pattern.starts_with("-:")) dynamic->refuse(pattern, "settings for single modules cannot be read");
  }
}

}  // namespace

QuantConfig read_quant_config(const ConfigFields& fields, std::vector<std::string>& warnings) {
  QuantConfig quant;
  read_method_and_format(fields, quant);
  quant.bits = static_cast<unsigned>(fields.needed("bits", 1, 16));
  if (!fields.failed() && quant.bits != 4 && quant.bits != 8) {
    fields.refuse("bits", fmt::format("{} bits cannot be read; 4 and 8 can", quant.bits));
  }
  read_group_size(fields, quant);
  quant.desc_act = fields.boolean("desc_act");
  quant.sym = fields.boolean("sym");
  quant.lm_head = fields.boolean("lm_head").value_or(false);
  quant.file_base_name = fields.text("model_file_base_name").value_or("");
  check_dynamic(fields);
  if (fields.failed()) return quant;
  if (!quant.sym) warnings.push_back(fmt::format("{}: {} is absent", fields.file(), fields.path("sym")));
  if (quant.sym == false && quant.version == kernels::GptqVersion::v1) {
    warnings.push_back(
        fmt::format("{}: {} is false in format gptq: writers before GPTQModel 0.9 lost zero points of 0 in it, which "
                    "nobody can see",
                    fields.file(), fields.path("sym")));
  }
  return quant;
}

std::string differing_settings(const QuantConfig& a, const QuantConfig& b) {
  std::string names;
  const auto note = [&names](bool differs, const char* name) {
    if (differs) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  note(a.bits != b.bits, "bits");
  note(a.group_size != b.group_size, "group_size");
  note(a.version != b.version, "checkpoint_format");
  note(a.desc_act && b.desc_act && a.desc_act != b.desc_act, "desc_act");
  note(a.sym && b.sym && a.sym != b.sym, "sym");
  note(a.lm_head != b.lm_head, "lm_head");
  return names;
}

}  // namespace refserver
