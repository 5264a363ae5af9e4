#!/usr/bin/env python3
"""Does the scheduler wait as long as queueing theory says, and what are continuous batching and paged KV worth?

Runs every scenario of `refserver simulate` at its full length and under several seeds, then one trace under several ways of
scheduling, as recorded and all at once. Everything is virtual time: the figures are the same on any machine.

usage: scheduler_simulation.py [--seeds 10] [--quick] [--out docs/measurements/DATE-scheduler-simulation]
Needs `refserver` (PLUMBLINE_BIN names a folder other than build/release/bin). Writes OUT.md and OUT.json, or prints.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build" / "release" / "bin"))
SPEEDS = {"as recorded": 1, "all at once": 1_000_000}
RANDOM = ("M/D/1", "M/M/1", "script")


def simulate(*flags):
    """The JSON lines of one call. Differences from theory are in the lines; anything else that goes wrong ends the script."""
    run = subprocess.run([BIN / "refserver", "simulate", "--json", *map(str, flags)], capture_output=True, text=True)
    if run.returncode not in (0, 1) or not run.stdout:
        sys.exit(f"refserver simulate {' '.join(map(str, flags))}: exit code {run.returncode}: {run.stderr.strip()}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def scenario_names():
    """Pairs of name and theory."""
    run = subprocess.run([BIN / "refserver", "simulate", "--list"], capture_output=True, text=True, check=True)
    return [line.split()[:2] for line in run.stdout.splitlines()]


def ms(ns):
    return "-" if ns is None else f"{ns / 1e6:,.3f}"


def scenario_rows(scenarios):
    yield "| scenario | theory | requests | figure | theory, ms | simulated, ms | from | to | |"
    yield "|---|---|---:|---|---:|---:|---:|---:|---|"
    for scenario in scenarios:
        for i, finding in enumerate(scenario["findings"]):
            head = (scenario["name"], scenario["theory"], f"{scenario['result']['requests']:,}") if i == 0 else ("", "", "")
            yield (f"| {head[0]} | {head[1]} | {head[2]} | {finding['series']} {finding['statistic']} | {ms(finding['theory_ns'])} "
                   f"| {ms(finding['simulated_ns'])} | {ms(max(0, finding['low_ns']))} | {ms(finding['high_ns'])} | {'agrees' if finding['agrees'] else '**differs**'} |")


def coverage(by_seed):
    """(percentiles, of these outside of their 99 % interval, means, of these outside of 5 % or three errors)."""
    random = [f for run in by_seed for s in run if s["theory"] in RANDOM for f in s["findings"]
              if f["high_ns"] is None or f["low_ns"] < f["high_ns"]]
    means = [f for f in random if f["statistic"] == "mean"]
    others = [f for f in random if f["statistic"] != "mean"]
    return len(others), sum(not f["agrees"] for f in others), len(means), sum(not f["agrees"] for f in means)


def comparison_rows(comparison):
    yield "| | tokens/s | duration, s | requests per step | KV used | preempted | TTFT p50 / p99, s | e2e p50, s | gap p99, ms |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for run in comparison["runs"]:
        r = run["result"]
        yield (f"| {run['name']} | {r['tokens_per_s']:,.0f} | {r['duration_ns'] / 1e9:,.1f} | {r['mean_rows']:.2f} "
               f"| {100 * r['kv_utilisation']:.1f} % | {r['preemptions']} | {r['ttft']['p50_ns'] / 1e9:.2f} / {r['ttft']['p99_ns'] / 1e9:.2f} "
               f"| {r['e2e']['p50_ns'] / 1e9:.2f} | {r['gap']['p99_ns'] / 1e6:.1f} |")


def report(data, raw):
    first = next(iter(data["comparisons"].values()))
    percentiles, outside, means, off = coverage(data["seeds"])
    yield "# The scheduler in virtual time, beside queueing theory and beside itself\n"
    yield f"Command: `bench/scheduler_simulation.py {data['arguments']}`. Date: {data['date']}."
    yield "Virtual time: the figures do not depend on the machine or on what else it did."
    yield f"Raw figures: [{raw}]({raw}).\n" if raw else ""
    yield "## What theory says\n"
    yield "`refserver simulate` puts the requests through the server's own scheduler; the engine is a formula. A figure agrees if theory"
    yield "lies within its range: of a percentile, the 99 % interval from 30 batches of the run; of a mean, three standard errors or 5 %,"
    yield "whichever is more; where nothing is random, a nanosecond, and for the stall one gap between arrivals.\n"
    yield from scenario_rows(data["seeds"][0])
    yield ""
    yield (f"Over {len(data['seeds'])} seeds: {outside} of {percentiles} percentiles lie outside of their 99 % interval, "
           f"{off} of {means} means outside of theirs.")
    yield "\n## Ways of scheduling\n"
    yield (f"{first['requests']:,} requests ([chat.jsonl](../../refserver/simulate/traces/chat.jsonl), made up from a fixed seed), preset "
           f"{first['preset']}")
    yield (f"(an estimate from bandwidth and arithmetic, not a measurement), {first['kv_tokens']:,} token slots of KV memory, at most "
           f"{first['max_batch_size']} requests at once.\n`reserve` and `contiguous` batch continuously too.\n")
    for name, comparison in data["comparisons"].items():
        yield f"Arrivals {name}:\n"
        yield from comparison_rows(comparison)
        yield ""
    yield "KV used: written token slots over slots of allocated blocks, mean over steps.\n"
    for run in first["runs"]:
        yield f"- `{run['name']}`: {run['what']}."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="runs of each random scenario (default 10)")
    parser.add_argument("--quick", action="store_true", help="short queues and one seed: to see that the script works")
    parser.add_argument("--out", type=pathlib.Path, help="path without suffix; without it the report is printed")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error("--seeds must be at least 1")
    listed = scenario_names()
    queues = [name for name, theory in listed if theory.startswith("M/")]
    few = ("--requests", 200_000) if args.quick else ()
    seeds = [simulate(*queues, *few) + simulate(*(name for name, _ in listed if name not in queues))]
    random = [s["name"] for s in seeds[0] if s["theory"] in RANDOM]
    seeds += [[{key: s[key] for key in ("name", "theory", "findings")} for s in simulate(*random, "--seed", seed)] for seed in range(2, 1 if args.quick else args.seeds + 1)]
    data = {"date": datetime.date.today().isoformat(), "arguments": f"--seeds {len(seeds)}" + (" --quick" if args.quick else ""),
            "seeds": seeds,
            "comparisons": {name: simulate("--compare", "--speed", speed)[0] for name, speed in SPEEDS.items()}}
    if not args.out:
        print("\n".join(report(data, "")))
        return
    raw = args.out.with_suffix(".json")
    raw.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    args.out.with_suffix(".md").write_text("\n".join(report(data, raw.name)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
