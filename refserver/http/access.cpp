// Two small rules.
#include "refserver/http/access.hpp"

#include <algorithm>

namespace refserver {
namespace {

unsigned char to_lower(char c) {
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

}  // namespace

bool is_authorized(std::string_view key, std::optional<std::string_view> authorization) {
  if (key.empty()) return true;
  if (!authorization) return false;
  const std::string expected = "Bearer " + std::string(key);
  if (authorization->size() != expected.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference |= static_cast<unsigned>(to_lower(expected[i]) ^ to_lower((*authorization)[i]));
  }
  return difference == 0;
}

std::string_view allowed_origin(const std::vector<std::string>& allowed, std::string_view origin) {
  if (allowed.empty()) return "*";
  return std::find(allowed.begin(), allowed.end(), origin) == allowed.end() ? std::string_view() : origin;
}

}  // namespace refserver
