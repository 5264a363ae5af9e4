// One measurement, one line.
#include "refserver/calibrate_command.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>

#include "refserver/calibrate.hpp"

namespace refserver {

ExitCode run_calibrate(int argc, const char* const* argv) {
  CLI::App app("How late this machine's timers are and how long it takes to write a token.", "refserver calibrate");
  std::uint32_t samples = 1000;
  bool is_json = false;
  app.add_option("--samples", samples, "how many sleeps of 1 ms, and writes (default 1000)")
      ->check(CLI::Range(1U, 1'000'000U));
  app.add_flag("--json", is_json, "as JSON, the line that a truth log begins with");
  app.footer(
      "The server does the same at start, with fewer samples, and says so in its log, its truth log and on /metrics.\n"
      "Run it while the machine does what it will do during a test.\n\nExit codes: 0 measured, 64 bad usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  const Calibration calibration = calibrate(samples);
  fmt::print("{}\n", is_json ? to_json(calibration) : describe(calibration));
  return ExitCode::ok;
}

}  // namespace refserver
