// Two ways of saying the same.
#include "refserver/api/calibration.hpp"

#include <fmt/format.h>

namespace refserver {
namespace {

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::string to_json(const DelayFacts& delay) {
  return fmt::format(R"({{"p50_ns":{},"p99_ns":{},"max_ns":{}}})", delay.p50.count(), delay.p99.count(),
                     delay.max.count());
}

}  // namespace

std::string describe(const Calibration& c) {
  std::string text = fmt::format(
      "timer late by {:.3f} ms (p50), {:.3f} ms (p99); a write takes {:.3f} ms (p50), {:.3f} ms (p99)",
      milliseconds(c.timer.p50), milliseconds(c.timer.p99), milliseconds(c.write.p50), milliseconds(c.write.p99));
  if (is_noisy(c)) {
    text += fmt::format("; this machine is too noisy for times below {:.1f} ms to be believed",
                        milliseconds(c.timer.p99 + c.write.p99));
  }
  return text;
}

std::string to_json(const Calibration& c) {
  return fmt::format(R"({{"calibration":{{"samples":{},"timer_late":{},"write":{},"is_noisy":{}}}}})", c.samples,
                     to_json(c.timer), to_json(c.write), is_noisy(c));
}

}  // namespace refserver
