#!/usr/bin/env python3
"""Does a real run, measured by loadgen, show what queueing theory says of it?

refserver serves one request at a time (serial scheduler), each in one step of 8 ms: constant (M/D/1) or exponential (M/M/1).
loadgen sends Poisson arrivals at utilisation 0.5. Three views of the wait of every request are compared: loadgen's (TTFT from
the send, less the service), the server's truth log, and the closed form. Fails unless
  the mean wait is within 5 % of the formula or three standard errors (30 batch means), whichever is larger,
  p50 and p99 of the formula are those of what was measured: the share of waits up to them is 50 and 99 %, within its 99 %
  interval (batch means) and what a measurement is off by (p99 of measured less true, which matters where nobody waits), and
  each request's wait is within 1 ms of the truth log's at p99.
The same in virtual time, with a hundred times the requests: refserver simulate.

usage: queueing_benchmark.py [--requests 20000] [--service-ms 8] [--out FILE.json]
Needs the release build (./dev build); PLUMBLINE_BIN names another folder of binaries. Two runs of some 320 s, both at a time.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from figures import save  # noqa: E402
from harness import Server, load, nearest_rank, run_dir  # noqa: E402

UTILISATION = 0.5
BATCHES = 30
T_99_TWO_SIDED = 2.756  # Student's t, 29 degrees of freedom


class MD1:
    """Waiting time with constant service `s` (Erlang 1909; Crommelin 1932 for the distribution)."""

    def __init__(self, service):
        self.service, self.rate = service, UTILISATION / service

    def mean(self):
        return UTILISATION * self.service / (2 * (1 - UTILISATION))

    def cdf(self, t):
        terms = ((k, self.rate * (t - k * self.service)) for k in range(int(t / self.service) + 1))
        return (1 - UTILISATION) * math.fsum((-x) ** k / math.factorial(k) * math.exp(x) for k, x in terms)


class MM1:
    """Waiting time with exponential service of mean `s`: 0 with probability 1 - rho, else exponential."""

    def __init__(self, service):
        self.service, self.rate = service, UTILISATION / service

    def mean(self):
        return UTILISATION * self.service / (1 - UTILISATION)

    def cdf(self, t):
        return 1 - UTILISATION * math.exp(-(1 - UTILISATION) * t / self.service)


def quantile(theory, q):
    """Of the closed form, by bisection; 0 where nobody waits."""
    low, high = 0.0, 15 * theory.service
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if theory.cdf(middle) < q else (low, middle)
    return high


def batch_error(values, statistic):
    """Standard error of a statistic of correlated values in their order, from 30 batches."""
    size = len(values) // BATCHES
    parts = [statistic(values[i * size:(i + 1) * size]) for i in range(BATCHES)]
    return statistics.stdev(parts) / math.sqrt(BATCHES)


def share_up_to(values, limit):
    return sum(value <= limit for value in values) / len(values)


def one_run(args, name):
    """(waits measured, true waits, |response time measured - true|, summary), ms, in the order of arrival. The service of a
    request is the time from its arrival, or from the end of the one before it, to its own end in the truth log."""
    service = f"{args.service_ms}ms"
    with tempfile.TemporaryDirectory() as folder:
        preset = pathlib.Path(folder) / "constant.json"
        preset.write_text(json.dumps({"name": "constant", "notes": "every step takes as long", "weights_us": 0,
                                      "prefill_token_us": 0, "decode_token_us": 0, "context_token_ns": 0,
                                      "kv_bytes_per_token": 1024,
                                      "base_us": args.service_ms * 1000 if name == "M/D/1" else 0}))
        flags = ["--engine", "cost", "--sim-preset", preset, "--scheduler", "serial", "--max-concurrent-requests", 5000]
        if name == "M/M/1":
            flags += ["--sim-noise", f"exp({service})"]
        with Server(*map(str, flags), models=("m",)) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "m", "--rate",
                       1000 * UTILISATION / args.service_ms, "--arrivals", "poisson", "--requests", args.requests, "--warmup",
                       "0s", "--max-new-tokens", 1, timeout=60 + args.requests * args.service_ms / 1000 / UTILISATION)
            if run.code not in (0, 4):
                raise SystemExit(repr(run))
            summary, requests = run.summary, {r["index"]: r for r in run.requests}
            truth = [t for t in server.truth() if t.get("client_id")]
    truth.sort(key=lambda t: t["recv_ns"])
    previous_end, measured, true, response_error = 0, [], [], []
    for t in truth:
        request = requests[int(t["client_id"].rsplit("-", 1)[1])]
        sojourn = (t["due_ns"][0] - t["recv_ns"]) * 1e-6
        begun = max(t["recv_ns"], previous_end)  # first come, first served
        true_service = (t["due_ns"][0] - begun) * 1e-6
        previous_end = t["due_ns"][0]
        seen = (request["stamps"]["first_token_ns"] - request["stamps"]["send_ns"]) * 1e-6
        measured.append(max(0.0, seen - true_service))
        true.append(sojourn - true_service)
        response_error.append(abs(seen - (t["achieved_ns"][0] - t["recv_ns"]) * 1e-6))
    return measured, true, response_error, summary


def judge(name, theory, measured, true, response_error, summary):
    mean, error = statistics.fmean(measured), batch_error(measured, statistics.fmean)
    expected = theory.mean()
    checks = {"mean": abs(mean - expected) <= max(0.05 * expected, 3 * error),
              "each request within 1 ms at p99": nearest_rank(response_error, 0.99) <= 1.0}
    off = nearest_rank([m - t for m, t in zip(measured, true)], 0.99)
    rows = {"mean": {"theory_ms": expected, "measured_ms": mean, "true_ms": statistics.fmean(true), "standard_error_ms": error}}
    for title, q in (("p50", 0.5), ("p99", 0.99)):
        at = quantile(theory, q)
        below, below_or_off = share_up_to(measured, at), share_up_to(measured, at + off)
        half = T_99_TWO_SIDED * batch_error(measured, lambda part, x=at + off: share_up_to(part, x))
        rows[title] = {"theory_ms": at, "measured_ms": nearest_rank(measured, q), "true_ms": nearest_rank(true, q),
                       "share": below, "share_with_error": below_or_off, "interval": half,
                       "interval_ms": T_99_TWO_SIDED * batch_error(measured, lambda part, q=q: nearest_rank(part, q))}
        checks[title] = below - half <= q <= below_or_off + half
    print(f"{name}: {len(measured)} requests, loadgen says {summary['validity']['status']}")
    for title, row in rows.items():
        print(f"  {title:5}" + "".join(f"  {k} {v:8.4f}" for k, v in row.items()))
    for check, holds in checks.items():
        print(f"  {'holds' if holds else 'FAILS'}: {check}")
    return {"requests": len(measured), "validity": summary["validity"], "waits": rows, "checks": checks,
            "measured_less_true_p99_ms": off, "response_error_ms": {q: nearest_rank(response_error, float(q)) for q in ("0.5", "0.99", "1.0")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--service-ms", type=float, default=8)
    parser.add_argument("--out")
    args = parser.parse_args()
    load_before, results = os.getloadavg(), {}
    theories = {"M/D/1": MD1(args.service_ms), "M/M/1": MM1(args.service_ms)}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = {name: pool.submit(one_run, args, name) for name in theories}
    for name, theory in theories.items():
        results[name] = judge(name, theory, *runs[name].result())
    if args.out:
        save(args.out, load_before, results=results)
    return 0 if all(all(r["checks"].values()) for r in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
