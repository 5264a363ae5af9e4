#!/usr/bin/env python3
"""How far are loadgen's numbers from what the server really did?

Starts refserver's simulated engine (true TTFT 100 ms, gap 20 ms), lets loadgen start 256 streams together, and compares
loadgen's percentiles with those of the server's truth log, metric by metric. Both programs read the same clock, so the
error of every single token is known too; "user" rows are what the reads' own stamps would have given, where the kernel's are
used. Prints a table per run and fails if an error is over its bound or a run is not VALID.

usage: truth_comparison.py [--streams 256] [--waves 3] [--runs 3] [--ttft 100ms] [--gap 20ms] [--tokens 128] [--out FILE.json]
                           [--server refserver|token-server]   (the latter is the cheaper one, from the bench preset)
Needs the release build (./dev build). PLUMBLINE_BIN names another folder of binaries.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import harness  # noqa: E402
from figures import save  # noqa: E402
from harness import Server, load, nearest_rank, run_dir  # noqa: E402

BOUNDS_MS = {"ttft p50": 0.5, "ttft p99": 0.3, "ttft p50 user": 0.5, "ttft p99 user": 2.0, "tpot p99": 0.5}


def truth_values(truth):
    """Milliseconds as the server achieved them, per request."""
    ttft = [(first_write(t) - t["recv_ns"]) * 1e-6 for t in truth]
    tpot = [(t["achieved_ns"][-1] - t["achieved_ns"][0]) * 1e-6 / (len(t["achieved_ns"]) - 1) if "achieved_ns" in t
            else (t["last_ns"] - t["first_ns"]) * 1e-6 / (t["tokens"] - 1) for t in truth]
    return {"ttft": ttft, "tpot": tpot}


def microseconds(text):
    value, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()
    return round(float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit])


class TokenServer:
    """bench_token_server with the face of harness.Server."""

    def __init__(self, args):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="token-server-"))
        self.process = subprocess.Popen(
            [str(c) for c in (harness.BIN / "bench_token_server", "--ttft-us", microseconds(args.ttft), "--gap-us",
                              microseconds(args.gap), "--tokens", args.tokens, "--truth", self.dir / "truth.jsonl")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def truth(self):
        self.stop()
        with open(self.dir / "truth.jsonl") as f:
            return [json.loads(line) for line in f]


def make_server(args):
    if args.server == "token-server":
        return TokenServer(args)
    # The server's admission limit is not under test: every stream is let in.
    return Server("--max-concurrent-requests", str(args.streams * 2), ttft=args.ttft, gap=args.gap)


def one_run(args):
    with make_server(args) as server, run_dir() as out:
        run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", args.streams,
                   "--requests", args.streams * args.waves, "--warmup", "0s", "--max-new-tokens", args.tokens,
                   *(("--truth", server.truth_file) if args.server == "refserver" else ()))
        if run.code not in (0, 4):
            raise SystemExit(repr(run))
        summary, requests = run.summary, {r["index"]: r for r in run.requests}
        truth = [t for t in server.truth() if t["client_id"]]
    succeeded = [r for r in requests.values() if r["outcome"] == "ok"]
    measured = {m: [r["metrics"][m] for r in succeeded] for m in ("ttft", "tpot")}
    true = truth_values(truth)
    if any(r["stamp_source"] == "kernel" for r in succeeded):
        measured["ttft user"] = [r["metrics"]["ttft"] + r["recv_delay_first_ms"] for r in succeeded]
        true["ttft user"] = true["ttft"]
    rows = {}
    for metric, values in measured.items():
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            title = f"{metric} {name}" if " " not in metric else metric.replace(" ", f" {name} ")
            rows[title] = {"measured_ms": nearest_rank(values, q), "true_ms": nearest_rank(true[metric], q)}
    check_own_comparison(summary["truth"], rows)
    for row in rows.values():
        row["error_ms"] = row["measured_ms"] - row["true_ms"]
    pairs = [(requests[int(t["client_id"].rsplit("-", 1)[1])], t) for t in truth]
    return {
        "requests": len(truth), "validity": summary["validity"], "rows": rows,
        "kernel_stamped_share": summary["generator"]["kernel_stamped_share"],
        "first_token_after_write_ms": spread([(r["stamps"]["first_token_ns"] - first_write(t)) * 1e-6 for r, t in pairs]),
        "request_arrived_after_send_ms": spread([(t["recv_ns"] - r["stamps"]["send_ns"]) * 1e-6 for r, t in pairs]),
        "first_token_read_after_arrival_ms": spread([r["recv_delay_first_ms"] for r in succeeded]),
        "server_write_after_due_ms": spread([late for t in truth for late in lateness(t)]),
    }


def check_own_comparison(own, rows):
    """loadgen's own comparison (--truth) must come to the same figures: it reads the same log by other code."""
    for metric, statistics in (own["metrics"].items() if own else ()):
        for name in ("p50", "p99"):
            row, told = rows.get(f"{metric} {name}"), statistics.get(name)
            if row and told and max(abs(told["measured"] - row["measured_ms"]), abs(told["true"] - row["true_ms"])) > 1e-3:
                raise SystemExit(f"loadgen's comparison of {metric} {name} is {told}, this script's {row}")


def first_write(truth):
    return truth["achieved_ns"][0] if "achieved_ns" in truth else truth["first_ns"]


def lateness(truth):
    """Milliseconds by which the server itself wrote late: of each token, or (token-server) the most of the stream."""
    if "achieved_ns" not in truth:
        return [truth["late_max_ns"] * 1e-6]
    return [(a - d) * 1e-6 for a, d in zip(truth["achieved_ns"], truth["due_ns"])]


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
    for name in ("request_arrived_after_send_ms", "server_write_after_due_ms", "first_token_after_write_ms",
                 "first_token_read_after_arrival_ms"):
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
    parser.add_argument("--server", choices=("refserver", "token-server"), default="refserver")
    parser.add_argument("--out", help="write the raw figures here")
    args = parser.parse_args()
    before = os.getloadavg()
    results = [one_run(args) for _ in range(args.runs)]
    good = [report(i + 1, r) for i, r in enumerate(results)]
    if args.out:
        save(args.out, before, bounds_ms=BOUNDS_MS, runs=results)
    print(f"{sum(good)} of {len(good)} runs within the bounds and VALID")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
