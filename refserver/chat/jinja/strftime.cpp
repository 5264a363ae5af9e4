// One directive at a time through the C library, so that neither a zero byte nor a huge width gets there.
#include "refserver/chat/jinja/strftime.hpp"

#include <fmt/format.h>

#include <ctime>

#include "refserver/chat/jinja/failure.hpp"

namespace refserver::jinja {
namespace {

std::tm local_time(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return parts;
}

/// The directive that starts with the % at `at`, which is moved past it.
std::string_view take_directive(std::string_view format, std::size_t& at) {
  const std::size_t start = at++;
  while (at < format.size() && std::string_view("-_0^#EO").find(format[at]) != std::string_view::npos) ++at;
  if (at < format.size() && format[at] >= '1' && format[at] <= '9') fail("a width in strftime is not supported");
  if (at < format.size()) ++at;
  return format.substr(start, at - start);
}

}  // namespace

std::string format_time(std::string_view format, std::chrono::system_clock::time_point time) {
  const std::tm parts = local_time(time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count() % 1000000;
  std::string out;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    const std::string_view directive = take_directive(format, at);
    const char letter = directive.back();
    if (directive == "%f") {
      out += fmt::format("{:06}", micros);
    } else if (directive == "%z" || directive == "%Z" || directive == "%:z") {
      continue;  // a datetime without a zone has nothing to say
    } else if (directive.size() == 1 || letter == '\0' || static_cast<unsigned char>(letter) >= 0x80) {
      out += directive;
    } else {
      char text[256];
      const std::string one(directive);
      out.append(text, std::strftime(text, sizeof text, one.c_str(), &parts));
    }
  }
  return out;
}

}  // namespace refserver::jinja
