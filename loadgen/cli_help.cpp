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
  loadgen doctor scenarios/dual-model-mix.yaml
  loadgen calibrate scenarios/smoke.yaml
  loadgen merge runs/big --out runs/big/merged
  loadgen export runs/first --influx http://127.0.0.1:8086/plumbline

Exit codes
   0  passed: everything ran, all gates hold or there were none
   1  internal or I/O error
   2  a gate does not hold
   3  inconclusive: a gate could not be decided, too few samples
   4  run invalid: the generator itself was late or short of resources
   5  degraded: part of the run is missing (interrupted, points lost)
  64  bad flags or a bad scenario; nothing was sent
  65  merge: these are not the shards of one run; export: nothing there to export
  69  the target could not be reached
  73  the run folder holds a result already
  75  not ready at the common start; nothing was sent

'loadgen run --help' explains every flag.
)";

const char* const run_footer = R"(
With a SCENARIO file the flags under 'How much' and 'How long' replace what the
file says, as do --name, --target, --seed, --threads and --max-new-tokens; the last
and --target do so in every entry of the mix. --gate adds to the file's gates.
The flags under 'What to ask' describe a single request and go without a file only.

Stages are written 'at N for TIME' (hold) and 'to N for TIME' (change in a line),
with commas between them. They begin with the run; without --duration they say how
long it is, and --warmup is then 0s. --dry-run shows them.

With --shard K/N, or started by mpirun, srun, a Slurm or AWS array or an indexed
Kubernetes job, this process sends its part of the plan; all must be given one
--start-at (or LOADGEN_START_AT, or a --start-file that will say when) and --warmup.
'loadgen merge' adds up the results.

Durations are written 500ms, 15s, 1m30s. Percentiles without enough samples are
not printed, and gates on them are inconclusive: p99 needs 662 requests.

--gpu-source and --scrape read GPUs and servers once a second, for the report and for
gates such as 'max(gpu.memory_used_mib) < 7152', 'gpu.joules_per_token < 2' or
'p95(server.waiting) <= 4'; without its source a gate is inconclusive. NVML is looked
for in the system, in WSL, or where LOADGEN_NVML_LIBRARY says.

Examples
  loadgen run scenarios/dual-model-mix.yaml --target http://127.0.0.1:8080
  loadgen run --target http://127.0.0.1:8080 --route openai-chat --model llama3 \
              --rate 50 --duration 30s --gate 'p99(e2e_sched) < 2s'
  loadgen run scenarios/smoke.yaml --rate-stages 'to 100 for 1m, at 100 for 5m' --cv 3 \
              --arrivals gamma --target http://127.0.0.1:8080
  loadgen run scenarios/smoke.yaml --warmup 5s --shard 0/2 --start-at 1795000000 --out runs/big

InfluxDB credentials come from LOADGEN_INFLUX_USER and _PASSWORD or _TOKEN, or from
the file named by --influx-credentials: lines user=, password=, token=.
InfluxDB 2 is named --influx http://HOST:PORT/BUCKET --influx-org ORG, InfluxDB 3 with
--influx-api v3; other characters than A-Z a-z 0-9 - . _ in a name are written %20 and
so on. What it will not take goes to influx-spill.lp, for 'loadgen export' to send.
Exit codes: see 'loadgen --help'.
)";

const char* const check_footer = R"(
Reads and validates the scenario, prints what it would do, sends nothing.
Exit codes: 0 good, 64 not good (every error is printed with its line).

Example
  loadgen check scenarios/dual-model-mix.yaml
)";

const char* const doctor_footer = R"(
Looks at descriptors, local ports and those in TIME_WAIT, the listen backlog, cores
and CPU quota, clock source, timers, governor, stolen time and other load, and says for each
whether it does for the load, and how to raise what does not; also which GPUs NVML
finds, for --gpu-source nvml. Before every run the
hard limits are looked at too; what is short stands among the run's warnings.
Exit codes: 0 all does, 4 something is short.

Example
  loadgen doctor scenarios/dual-model-mix.yaml
)";

const char* const calibrate_footer = R"(
Starts refserver on this machine, sends it the scenario's load and compares what was
measured with the server's own record: the difference is what this machine, with this
load, adds to the numbers of any server. Gates are left aside.
Exit codes: those of a run; 69 if the server cannot be started.

Example
  loadgen calibrate scenarios/smoke.yaml --duration 30s
)";

const char* const merge_footer = R"(
Reads shard.json of every run directory, adds up counters and histograms, and judges
gates and the generator on the whole: percentiles are those of all requests together.
What shards read of GPUs and servers counts too, a page that several looked at once.
A shard that was killed counts with its last checkpoint and makes the run degraded.
Exit codes: those of a run; 5 if part of the plan is missing, 65 if the shards are not
of one run, 73 if the run folder holds a result already.

Example
  loadgen merge runs/big/shard-0 runs/big/shard-1 --out runs/big/merged
)";

const char* const export_footer = R"(
Sends points again, or for the first time: a point that is there already stays one.
A folder gives influx-spill.lp if the run left one, else points.lp; --from requests
makes llm_request points anew from requests.jsonl and the shard.json beside it. The
files stay as they are. Credentials as for 'loadgen run'.
Exit codes: 0 all of it stored or written, 1 the database cannot be written to,
5 some points were not stored, 65 nothing to export, 73 the table exists already.

Examples
  loadgen export runs/first --influx http://127.0.0.1:8086/plumbline
  loadgen export runs/first --from points --influx http://h:8086/bench --influx-org acme
  loadgen export runs/first --csv first.csv
)";

const char* const probe_footer = R"(
Sends one small request for each combination of route, model and scenario, checks
the shape of every answer and prints a table.
Exit codes: 0 all good, 2 an answer is not as it should be, 69 unreachable.

Example
  loadgen probe --target http://127.0.0.1:8080 --model qwen2 --model llama3
)";

}  // namespace loadgen
