// A time in words of a template's choosing.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace refserver::jinja {

/// datetime.strftime in local time and the C locale. Throws Failure on a directive with a width.
std::string format_time(std::string_view format, std::chrono::system_clock::time_point time);

}  // namespace refserver::jinja
