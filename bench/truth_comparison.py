#!/usr/bin/env python3
"""How far are loadgen's numbers from what the server really did?

Starts refserver's simulated engine (true TTFT 100 ms, gap 20 ms), lets loadgen start 256 streams together, and compares
loadgen's percentiles with those of the server's truth log, metric by metric. Both programs read the same clock, so the
error of every single token is known too. Prints a table per run and fails if an error is over its bound or a run is not VALID.

usage: truth_comparison.py [--streams 256] [--waves 3] [--runs 3] [--ttft 100ms] [--gap 20ms] [--tokens 128] [--out FILE.json]
Needs the release build (./dev build). PLUMBLINE_BIN names another folder of binaries.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import harness  # noqa: E402
from harness import Server, load, nearest_rank, run_dir  # noqa: E402

BOUNDS_MS = {"ttft p50": 1.0, "ttft p99": 3.0, "tpot p99": 0.5}


def truth_values(truth):
    """Milliseconds as the server achieved them, per request."""
    ttft = [(t["achieved_ns"][0] - t["recv_ns"]) * 1e-6 for t in truth]
    tpot = [(t["achieved_ns"][-1] - t["achieved_ns"][0]) * 1e-6 / (len(t["achieved_ns"]) - 1) for t in truth]
    return {"ttft": ttft, "tpot": tpot}


def one_run(args):
    # The server's admission limit is not under test: every stream is let in.
    with Server("--max-concurrent-requests", str(args.streams * 2), ttft=args.ttft, gap=args.gap) as server, run_dir() as out:
        run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", args.streams,
                   "--requests", args.streams * args.waves, "--warmup", "0s", "--max-new-tokens", args.tokens)
        if run.code not in (0, 4):
            raise SystemExit(repr(run))
        summary, requests = run.summary, {r["index"]: r for r in run.requests}
        truth = [t for t in server.truth() if t["client_id"]]
    measured = {m: [r["metrics"][m] for r in requests.values() if r["outcome"] == "ok"] for m in ("ttft", "tpot")}
    true = truth_values(truth)
    rows = {}
    for metric in ("ttft", "tpot"):
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            rows[f"{metric} {name}"] = {"measured_ms": nearest_rank(measured[metric], q), "true_ms": nearest_rank(true[metric], q)}
    for row in rows.values():
        row["error_ms"] = row["measured_ms"] - row["true_ms"]
    pairs = [(requests[int(t["client_id"].rsplit("-", 1)[1])], t) for t in truth]
    first_token_delay = [(r["stamps"]["first_token_ns"] - t["achieved_ns"][0]) * 1e-6 for r, t in pairs]
    request_delay = [(t["recv_ns"] - r["stamps"]["send_ns"]) * 1e-6 for r, t in pairs]
    lateness = [(a - d) * 1e-6 for t in truth for a, d in zip(t["achieved_ns"], t["due_ns"])]
    return {
        "requests": len(truth), "validity": summary["validity"], "rows": rows,
        "first_token_read_after_write_ms": spread(first_token_delay), "request_read_after_send_ms": spread(request_delay),
        "server_write_after_due_ms": spread(lateness),
    }


def spread(values):
    return {"p50": nearest_rank(values, 0.5), "p99": nearest_rank(values, 0.99), "max": max(values)}


def report(number, result):
    print(f"run {number}: {result['requests']} requests, {result['validity']['status']}")
    for reason in result["validity"]["reasons"]:
        print(f"  {reason}")
    good = result["validity"]["status"] == "VALID"
    for name, row in result["rows"].items():
        bound = BOUNDS_MS.get(name)
        within = bound is None or abs(row["error_ms"]) <= bound
        good = good and within
        print(f"  {name}: measured {row['measured_ms']:9.3f} ms, true {row['true_ms']:9.3f} ms, error {row['error_ms']:+7.3f} ms"
              + (f" (bound {bound} ms{'' if within else ': OVER'})" if bound else ""))
    for name in ("request_read_after_send_ms", "server_write_after_due_ms", "first_token_read_after_write_ms"):
        s = result[name]
        print(f"  {name[:-3].replace('_', ' ')}: p50 {s['p50']:.3f}, p99 {s['p99']:.3f}, max {s['max']:.3f} ms")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--waves", type=int, default=3, help="how often every stream is started anew")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ttft", default="100ms")
    parser.add_argument("--gap", default="20ms")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--out", help="write the raw figures here")
    args = parser.parse_args()
    results = [one_run(args) for _ in range(args.runs)]
    good = [report(i + 1, r) for i, r in enumerate(results)]
    if args.out:
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
        machine = {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release()}
        pathlib.Path(args.out).write_text(json.dumps({
            "command": "bench/truth_comparison.py " + " ".join(sys.argv[1:]), "date": datetime.date.today().isoformat(),
            "machine": machine, "bounds_ms": BOUNDS_MS, "runs": results}, indent=1) + "\n")
    print(f"{sum(good)} of {len(good)} runs within the bounds and VALID")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
