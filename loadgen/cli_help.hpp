// The longer texts of --help: examples and exit codes.
#pragma once

namespace loadgen {

extern const char* const program_footer;
extern const char* const run_footer;
extern const char* const check_footer;
extern const char* const merge_footer;
extern const char* const export_footer;
extern const char* const doctor_footer;
extern const char* const calibrate_footer;
extern const char* const probe_footer;

}  // namespace loadgen
