#!/usr/bin/env python3
"""How close do the CPU kernels come to what the machine can do?

Runs kernels_bench's model benchmarks interleaved (every benchmark gets its turn in random order, again and again, so that a
disturbance hits all of them) and sets their medians against the limits measured in the same run: reading memory for decoding,
one row for a batch. Then once more for decoding with another process busy on one of the cores.

Rates of one thread are per second of its core, those of two per second of the clock: the first survive a busy machine (but for
the memory and caches it shares), the second need a quiet one.

usage: cpu_kernels.py [--repetitions 7] [--min-time 0.15] [--max-load 0.7] [--force] [--filter REGEX] [--out FILE.json]
Needs a build with -DPLUMBLINE_BENCH=ON (preset bench). PLUMBLINE_BIN names its folder of binaries. Exits 3 on a busy machine.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

from figures import is_too_busy

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build/bench/bin"))
COUNTERS = ("GB/s", "GMAC/s", "tokens/s")
MODELS = ("qwen2-0.5b", "tinyllama-1.1b")
GOALS = {"decode of reading": 0.75, "prompt GMAC/s per core": 150, "batch 8 over 1": 5}


def run_benchmarks(args, pattern):
    """Name -> counter -> list of values, one per repetition."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([BIN / "kernels_bench", f"--benchmark_filter={pattern}", f"--benchmark_repetitions={args.repetitions}",
                        "--benchmark_enable_random_interleaving=true", f"--benchmark_min_time={args.min_time}",
                        f"--benchmark_out={out.name}", "--benchmark_out_format=json"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1200)
        text = pathlib.Path(out.name).read_text()
    rows = json.loads(text)["benchmarks"] if text else []  # empty: the filter matches nothing
    values = {}
    for row in rows:
        if row["run_type"] == "iteration":
            name = row["run_name"].removesuffix("/real_time")
            one = values.setdefault(name, {})
            factor = row["real_time"] / row["cpu_time"] if "threads:1" in name else 1
            for counter in COUNTERS:
                if counter in row:
                    one.setdefault(counter, []).append(row[counter] * factor)
    return values


def medians(values):
    return {name: {counter: statistics.median(all_) for counter, all_ in one.items()} for name, one in values.items()}


def busy_core():
    """A process that takes all it can get of the last core."""
    core = max(os.sched_getaffinity(0))
    return subprocess.Popen([sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"])


def measure_disturbed(args):
    other = busy_core()
    try:
        return run_benchmarks(args, r"step/qwen2-0.5b/cpu-avx512/fast/threads:2/rows:1/")
    finally:
        other.kill()
        other.wait()


def print_all(values):
    print("| benchmark | " + " | ".join(COUNTERS) + " |\n|---|" + "---|" * len(COUNTERS))
    for name, one in sorted(medians(values).items()):
        print(f"| {name} | " + " | ".join(f"{one[c]:.1f}" if c in one else "" for c in COUNTERS) + " |")


def print_goals(values):
    middle = medians(values)
    print("\n| goal | threads | model | measured | met |\n|---|---|---|---|---|")
    for threads, model in ((t, m) for t in (1, 2) for m in MODELS):
        base = f"{model}/cpu-avx512/fast/threads:{threads}/rows:"
        if f"step/{base}8" not in middle:
            continue
        share = middle[f"decode_layers/{base}1"]["GB/s"] / middle[f"read_memory/threads:{threads}"]["GB/s"]
        per_core = middle[f"prompt_layers/{base}128"]["GMAC/s"] / threads
        gain = middle[f"step/{base}8"]["tokens/s"] / middle[f"step/{base}1"]["tokens/s"]
        for (goal, bound), value in zip(GOALS.items(), (share, per_core, gain)):
            print(f"| {goal} >= {bound} | {threads} | {model} | {value:.2f} | {'yes' if value >= bound else 'NO'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--min-time", type=float, default=0.15)
    parser.add_argument("--max-load", type=float, default=0.7)
    parser.add_argument("--force", action="store_true", help="measure however busy the machine is")
    parser.add_argument("--filter", default="read_memory/|_layers/|step/")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    load = os.getloadavg()
    if is_too_busy(load, args):
        return 3
    values = run_benchmarks(args, args.filter)
    disturbed = measure_disturbed(args) if any("threads:2" in name for name in values) else {}
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.platform()}, "
          f"load average before {load[0]:.2f}, after {os.getloadavg()[0]:.2f} (its own threads included)\n")
    print_all(values)
    if disturbed:
        print("\nWith another process busy on one core:\n")
        print_all(disturbed)
    print_goals(values)
    if args.out:
        args.out.write_text(json.dumps({
            "date": datetime.date.today().isoformat(), "platform": platform.platform(), "load_before": load,
            "repetitions": args.repetitions, "min_time_s": args.min_time, "values": values, "disturbed": disturbed}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
