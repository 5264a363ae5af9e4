// Reads the members of one JSON object by name, refusing a name that comes twice.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/api/json_reader.hpp"

namespace refserver {

/// Remembers which of an object's known fields were seen. Fields are small numbers of the caller's choice.
class SeenFields {
 public:
  /// False, with the error set in the reader, if the field was seen before. Call it before reading the value. `name` is
  /// what the error calls it; empty means as the client wrote it.
  bool first_time(JsonReader& json, std::size_t field, std::string_view name = {}) {
    if (seen_.test(field)) {
      json.fail_duplicate(name.empty() ? json.key() : name);
      return false;
    }
    seen_.set(field);
    return true;
  }
  bool has(std::size_t field) const { return seen_.test(field); }

 private:
  std::bitset<32> seen_;
};

/// Null gives an empty optional, anything else goes to `read`.
template <class Read>
auto read_optional(JsonReader& json, Read read) -> std::optional<decltype(read(json))> {
  if (json.try_null() || json.failed()) return std::nullopt;
  return read(json);
}

inline std::optional<float> read_optional_f32(JsonReader& json) {
  return read_optional(json, [](JsonReader& j) { return j.read_f32(); });
}
inline std::optional<std::uint32_t> read_optional_u32(JsonReader& json) {
  return read_optional(json, [](JsonReader& j) { return j.read_u32(); });
}
inline std::optional<std::uint64_t> read_optional_u64(JsonReader& json) {
  return read_optional(json, [](JsonReader& j) { return j.read_u64(); });
}
inline std::optional<std::uint64_t> read_optional_usize(JsonReader& json) {
  return read_optional(json, [](JsonReader& j) { return j.read_usize(); });
}
inline std::optional<bool> read_optional_bool(JsonReader& json) {
  return read_optional(json, [](JsonReader& j) { return j.read_bool(); });
}

inline std::vector<std::string> read_strings(JsonReader& json) {
  std::vector<std::string> out;
  for (bool open = json.begin_array(); open && json.next_element();) out.push_back(json.read_string());
  return out;
}

/// A member that only chooses a model: used when it is a string, ignored otherwise, as TGI ignores unknown members.
inline void read_model_choice(JsonReader& json, std::string& model) {
  if (json.peek() == '"') {
    std::string name = json.read_string();
    if (!name.empty()) model = std::move(name);
  } else {
    json.skip_value();
  }
}

}  // namespace refserver
