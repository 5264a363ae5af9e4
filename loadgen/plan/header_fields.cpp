// Judges names and values of headers as RFC 9110 does, and looks up what they refer to.
#include "loadgen/plan/header_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "loadgen/plan/text.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

constexpr std::size_t max_headers = 64;
constexpr std::size_t max_header_value = 8192;

auto same_name(const std::string& name) {
  return [key = lower_case(name)](const auto& header) { return lower_case(header.first) == key; };
}

std::string name_fault(const std::string& name) {
  // Set by the generator itself: giving one would send it twice or break the framing.
  constexpr std::array<std::string_view, 13> reserved = {
      "host",    "content-length", "transfer-encoding",  "connection", "content-type",
      "accept",  "user-agent",     "x-request-id",       "te",         "trailer",
      "upgrade", "expect",         "proxy-authorization"};
  const auto is_token = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  if (name.empty() || name.size() > 128 || !std::all_of(name.begin(), name.end(), is_token)) {
    return "is not a header name: letters, digits and '-', at most 128";
  }
  if (lower_case(name) == "host") return "is made of the target; give 'host' beside 'target' to send another";
  if (std::find(reserved.begin(), reserved.end(), lower_case(name)) != reserved.end())
    return "is set by the load generator itself; remove it";
  return {};
}

/// A value is printable and has no outer blanks.
std::string value_fault(std::string_view text) {
  if (text.size() > max_header_value) return fmt::format("is longer than {} bytes", max_header_value);
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (!std::all_of(text.begin(), text.end(), is_printable)) return "must be printable ASCII without line breaks";
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) return "must not begin or end with a blank";
  return {};
}

using Value = Result<std::string, std::string>;

Value failed(std::string message) {
  return {boost::system::in_place_error, std::move(message)};
}

Value found(std::string value) {
  return {boost::system::in_place_value, std::move(value)};
}

Value first_line(const std::string& path) {
  const TextFile file = read_text_file(path, 64 * 1024);
  if (!file.error.empty()) return failed(fmt::format("refers to the file '{}', which {}", path, file.error));
  std::string line = file.text.substr(0, file.text.find('\n'));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  if (line.empty()) return failed(fmt::format("refers to the file '{}', whose first line is empty", path));
  return found(std::move(line));
}

Value look_up(const std::string& reference) {
  if (reference.rfind("env:", 0) == 0) {
    const std::string name = reference.substr(4);
    const char* const value = name.empty() ? nullptr : std::getenv(name.c_str());
    if (value == nullptr || *value == '\0')
      return failed(fmt::format("refers to the environment variable '{}', which is not set", name));
    return found(value);
  }
  if (reference.rfind("file:", 0) == 0) return first_line(reference.substr(5));
  return failed("refers to something that is neither ${env:NAME} nor ${file:PATH}");
}

}  // namespace

Value resolve_header_value(std::string_view text) {
  std::string value;
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${")) {
    const std::size_t close = text.find('}', at);
    if (close == std::string_view::npos) return failed("has '${' without '}'");
    const auto meant = look_up(std::string(text.substr(at + 2, close - at - 2)));
    if (!meant) return meant;
    value += std::string(text.substr(0, at)) + *meant;
    text.remove_prefix(close + 1);
  }
  value += text;
  std::string fault = value_fault(value);
  if (!fault.empty()) return failed(std::move(fault));
  return found(std::move(value));
}

Headers read_headers(const ObjectReader& object, Headers headers) {
  const Json* const value = object.find("headers");
  if (value == nullptr) return headers;
  if (!value->is_object() || value->size() > max_headers) {
    object.fail("headers", fmt::format("must be a mapping of at most {} header names to values", max_headers));
    return headers;
  }
  Headers own;
  for (const auto& [name, text] : value->items()) {
    const auto fail = [&object, name = std::string_view(name)](const std::string& why) {
      object.fail_in("headers", name, fmt::format("'{}' {}", name.substr(0, 60), why));
    };
    const std::string fault = name_fault(name);
    if (!fault.empty()) {
      fail(fault);
    } else if (!text.is_string()) {
      fail("must be text; put it in quotes");
    } else if (std::any_of(own.begin(), own.end(), same_name(name))) {
      fail("is given twice; case does not matter in header names");
    } else if (auto resolved = resolve_header_value(text.get_ref<const std::string&>()); !resolved) {
      fail(resolved.error());
    } else {
      std::erase_if(headers, same_name(name));
      own.emplace_back(name, std::move(*resolved));
    }
  }
  headers.insert(headers.end(), own.begin(), own.end());
  return headers;
}

Headers read_api_key(const ObjectReader& object) {
  const char* const key = std::getenv("LOADGEN_API_KEY");
  if (key == nullptr || *key == '\0') return {};
  auto value = resolve_header_value("Bearer ${env:LOADGEN_API_KEY}");
  if (value) return {{"authorization", std::move(*value)}};
  object.fail("headers", fmt::format("the environment variable 'LOADGEN_API_KEY' {}", value.error()));
  return {};
}

void add_missing_headers(Headers& headers, const Headers& defaults) {
  for (const auto& header : defaults) {
    if (std::none_of(headers.begin(), headers.end(), same_name(header.first))) headers.push_back(header);
  }
}

}  // namespace loadgen
