// Members of JSON that may come from anywhere, each looked at before it is believed. What is wrong is thrown as Wrong,
// with the member's name, and caught where the file is known. Internal to export.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace loadgen::checked_json {

using Json = nlohmann::ordered_json;

/// What is wrong with a member; caught where the file is known.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const Json& member(const Json& object, std::string_view name);
std::uint64_t count_in(const Json& object, std::string_view name);
std::uint32_t small_count_in(const Json& object, std::string_view name);
/// Stamps lie within some 146 years of each other, so that no difference overflows.
std::int64_t stamp_from(const Json& value, std::string_view name);
std::int64_t stamp_in(const Json& object, std::string_view name);
double number_in(const Json& object, std::string_view name);
std::string text_in(const Json& object, std::string_view name);
bool flag_in(const Json& object, std::string_view name);
const Json& list_in(const Json& object, std::string_view name, std::size_t most);
/// At most 10,000.
std::vector<std::string> texts_in(const Json& object, std::string_view name);
/// At most 10,000.
std::map<std::string, std::uint64_t> counts_by_text(const Json& object, std::string_view name);

template <std::size_t n>
void read_counts(const Json& list, std::array<std::uint64_t, n>& into, std::string_view name) {
  if (!list.is_array() || list.size() != n) throw Wrong(fmt::format("'{}' must hold {} counts", name, n));
  for (std::size_t i = 0; i < n; ++i) {
    if (!list[i].is_number_unsigned()) throw Wrong(fmt::format("'{}' must hold counts", name));
    into[i] = list[i].get<std::uint64_t>();
  }
}

}  // namespace loadgen::checked_json
