// Three small rules.
#include "refserver/http/request_head.hpp"

#include <algorithm>

namespace refserver {
namespace {

constexpr std::size_t kMaxIdBytes = 256;

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_in_any_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

}  // namespace

bool is_json_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  constexpr std::string_view kPrefix = "application/";
  if (type.size() <= kPrefix.size() || !equals_in_any_case(type.substr(0, kPrefix.size()), kPrefix)) return false;
  const std::string_view subtype = type.substr(kPrefix.size());
  return equals_in_any_case(subtype, "json") ||
         (subtype.size() > 5 && equals_in_any_case(subtype.substr(subtype.size() - 5), "+json"));
}

std::string make_printable_id(std::string_view value) {
  std::string id(value.substr(0, kMaxIdBytes));
  for (char& c : id) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return id;
}

bool is_switched_on(std::string_view value) {
  return value == "1" || equals_in_any_case(value, "true");
}

}  // namespace refserver
