// The fields of the engine that computes.
#include <fmt/format.h>

#include <limits>

#include "refserver/config_draft.hpp"

namespace refserver {
namespace {

template <class Value>
Value choose(const std::string& text, const char* what, std::initializer_list<std::pair<const char*, Value>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) return value;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  throw BadValue(fmt::format("'{}' is not {}; there are: {}", text, what, names));
}

std::uint64_t parse_count(const std::string& text, std::uint64_t most) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > most)
      throw BadValue(fmt::format("'{}' is not a number from 0 to {}", text, most));
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (text.empty() || value > most) throw BadValue(fmt::format("'{}' is not a number from 0 to {}", text, most));
  return value;
}

}  // namespace

std::vector<Field> cpu_fields() {
  using Draft = ConfigDraft;
  constexpr auto kOurs = Field::Origin::ours;
  constexpr auto kValue = Field::Kind::value;
  return {
      {"cpu_threads", "N", "cpu engine: threads that compute; 0: one per usable core (default 1)", kOurs, kValue,
       [](Draft& d, const std::string& v) { d.config.cpu.backend.threads = parse_count(v, 1024); }},
      {"cpu_precision", "NAME",
       "cpu engine: exact (default; activations stay float) or fast (rounded to 8 bits before quantised matrices)",
       kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.backend.precision = choose<kernels::Precision>(
             v, "a precision", {{"exact", kernels::Precision::exact}, {"fast", kernels::Precision::fast}});
       }},
      {"cpu_backend", "NAME", "cpu engine: cpu-avx512, cpu-avx2, cpu-portable or reference (default: the fastest)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.cpu.backend.name = v; }},
      {"cpu_lm_head", "NAME", "cpu engine: a plain output layer is kept as stored (default) or rounded to int8", kOurs,
       kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.head = choose<HeadStorage>(v, "a form of the output layer",
                                                 {{"stored", HeadStorage::as_stored}, {"int8", HeadStorage::int8}});
       }},
      {"cpu_kv", "NAME", "cpu engine: keys and values are kept as f32 (default) or bf16", kOurs, kValue,
       [](Draft& d, const std::string& v) {
         d.config.cpu.kv_type = choose<kernels::KvType>(
             v, "a form of keys and values", {{"f32", kernels::KvType::f32}, {"bf16", kernels::KvType::bf16}});
       }},
      {"cpu_memory_mb", "N",
       "cpu engine: budget for weights, buffers, keys and values of all models, of 1000000 bytes; what does not fit is "
       "refused (default 0: none)",
       kOurs, kValue, [](Draft& d, const std::string& v) { d.config.cpu.memory_mb = parse_count(v, 1U << 30U); }},
  };
}

}  // namespace refserver
