// The load generator: parse the command line, run the command, end with its exit code.
#include <fmt/format.h>

#include <exception>

#include "loadgen/calibrate.hpp"
#include "loadgen/cli.hpp"
#include "loadgen/doctor.hpp"
#include "loadgen/export_command.hpp"
#include "loadgen/merge.hpp"
#include "loadgen/plan/render_plan.hpp"
#include "loadgen/probe.hpp"
#include "loadgen/run.hpp"

namespace {

using loadgen::ExitCode;

struct Runner {
  ExitCode operator()(const loadgen::RunCommand& command) const {
    if (!command.only_show) return loadgen::run_load(command);
    fmt::print("{}", loadgen::render_plan(command.scenario));
    return ExitCode::pass;
  }
  ExitCode operator()(const loadgen::MergeCommand& command) const { return loadgen::run_merge(command); }
  ExitCode operator()(const loadgen::ExportCommand& command) const { return loadgen::run_export(command); }
  ExitCode operator()(const loadgen::DoctorCommand& command) const { return loadgen::run_doctor(command); }
  ExitCode operator()(const loadgen::CalibrateCommand& command) const { return loadgen::run_calibration(command); }
  ExitCode operator()(const loadgen::ProbeCommand& command) const { return loadgen::run_probe(command); }
  ExitCode operator()(const loadgen::Done& done) const { return done.code; }
  ExitCode operator()(const loadgen::CheckCommand& command) const {
    fmt::print("{}", loadgen::render_plan(command.scenario));
    return ExitCode::pass;
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    return static_cast<int>(std::visit(Runner{}, loadgen::parse_command_line(argc, argv)));
  } catch (const std::exception& e) {
    fmt::print(stderr, "loadgen: internal error: {}\n", e.what());
    return static_cast<int>(ExitCode::error);
  }
}
