// Texts only.
#include "loadgen/cli_help.hpp"

namespace loadgen {

const char* const program_footer = R"(
Examples
  loadgen run scenarios/smoke.yaml --target http://127.0.0.1:8080
  loadgen run --target http://127.0.0.1:8080 --route tgi-stream --model qwen2 \
              --concurrency 16 --duration 10s --max-new-tokens 64
  loadgen check scenarios/dual-model-mix.yaml
  loadgen probe --target http://127.0.0.1:8080

Exit codes
   0  passed: everything ran, all gates hold or there were none
   1  internal or I/O error
   2  a gate does not hold
   3  inconclusive: a gate could not be decided, too few samples
   4  run invalid: the generator itself was late or short of resources
   5  degraded: part of the run is missing (interrupted, points lost)
  64  bad flags or a bad scenario; nothing was sent
  69  the target could not be reached

'loadgen run --help' explains every flag.
)";

const char* const run_footer = R"(
With a SCENARIO file the flags under 'How much' and 'How long' replace what the
file says, as do --name, --target, --seed, --threads and --max-new-tokens; the last
and --target do so in every entry of the mix. --gate adds to the file's gates.
The flags under 'What to ask' describe a single request and go without a file only.

Durations are written 500ms, 15s, 1m30s. Percentiles without enough samples are
not printed, and gates on them are inconclusive: p99 needs 662 requests.

Examples
  loadgen run scenarios/dual-model-mix.yaml --target http://127.0.0.1:8080
  loadgen run --target http://127.0.0.1:8080 --route openai-chat --model llama3 \
              --rate 50 --duration 30s --gate 'p99(e2e_sched) < 2s'

InfluxDB credentials come from LOADGEN_INFLUX_USER and _PASSWORD or _TOKEN, or from
the file named by --influx-credentials: lines user=, password=, token=.
Exit codes: see 'loadgen --help'.
)";

const char* const check_footer = R"(
Reads and validates the scenario, prints what it would do, sends nothing.
Exit codes: 0 good, 64 not good (every error is printed with its line).

Example
  loadgen check scenarios/dual-model-mix.yaml
)";

const char* const probe_footer = R"(
Sends one small request for each combination of route, model and scenario, checks
the shape of every answer and prints a table.
Exit codes: 0 all good, 2 an answer is not as it should be, 69 unreachable.

Example
  loadgen probe --target http://127.0.0.1:8080 --model qwen2 --model llama3
)";

}  // namespace loadgen
