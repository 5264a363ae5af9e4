#!/usr/bin/env python3
"""What does loadgen's engine room cost beside the least that the same work can cost?

  events  CPU per event of N token streams: loadgen, a bare epoll_wait + recv loop, asyncio clients (if --asyncio names a Python
          that has aiohttp, --httpx one that has httpx: the loop of guidellm and of the OpenAI client)
  whole   CPU per request of answers that are not streamed: loadgen (--record summary) and wrk, same server
  pacing  lateness of Poisson arrivals: loadgen's sends and a loop over one timerfd that sends nothing
  many    10,000 streams open at once: memory per stream, tokens lost, out of order or sharing a read
  rate    token events per second that arrive on one core of the generator, as many as the server's core gives out

Each client is pinned to one core and the server to the other; rounds are interleaved and medians compared. Raw figures, the
machine and its load average go into --out. Needs the bench preset's build (PLUMBLINE_BIN names another folder of binaries).

usage: drive_benchmark.py events|whole|pacing|many|rate [--rounds 3] [--streams 1000] ... [--out FILE.json]
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from figures import save

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build" / "bench" / "bin"))
CLIENT_CORE, SERVER_CORE = "0", "1"
WRK_SCRIPT = """wrk.method = "POST"
wrk.body = '{"inputs":"hello","parameters":{"max_new_tokens":8,"details":true}}'
wrk.headers["Content-Type"] = "application/json"
"""


@contextlib.contextmanager
def token_server(**flags):
    """The cheapest server, on the server's core; gives its port."""
    command = ["taskset", "-c", SERVER_CORE, BIN / "bench_token_server"]
    for name, value in flags.items():
        command += ["--" + name.replace("_", "-"), value]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.communicate()


def measured(command):
    """Runs a client on the client's core: (its output, the CPU seconds of the whole process, its peak memory in bytes)."""
    process = subprocess.Popen(["taskset", "-c", CLIENT_CORE, *map(str, command)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode


def loadgen(port, *flags):
    """One run with --record summary: its summary, with CPU and memory of the process."""
    out = pathlib.Path(tempfile.mkdtemp(prefix="drive-")) / "run"
    try:
        output, cpu, memory, code = measured([
            BIN / "loadgen", "run", "--target", f"http://127.0.0.1:{port}", "--model", "m", "--threads", 1, "--record", "summary",
            "--quiet", "--out", out, *flags])
        if code not in (0, 4):
            raise SystemExit(f"loadgen ended with {code}:\n{output}")
        return {**json.loads((out / "summary.json").read_text()), "cpu_s": cpu, "memory": memory}
    finally:
        shutil.rmtree(out.parent, ignore_errors=True)


def facts(summary):
    """What of a run belongs into the raw figures."""
    coalesced = [c["value"] for c in summary["validity"]["checks"] if c["name"] == "coalesced_events"]
    return {"validity": summary["validity"]["status"], "reasons": summary["validity"]["reasons"],
            "recv_delay_p99_ms": summary["generator"]["recv_delay"]["p99"],
            "kernel_stamped_share": summary["generator"]["kernel_stamped_share"],
            "coalesced_share": coalesced[0] if coalesced else None}


def check_tokens(summary, requests, tokens):
    """Every token of every stream, none lost, none out of order; or no figure."""
    counts = summary["counts"]
    expected = {"ok": requests, "output_tokens": requests * tokens, "index_breaks": 0, "failed": 0}
    wrong = {k: counts[k] for k, v in expected.items() if counts[k] != v}
    if wrong or summary["metrics"]["icl"]["count"] != requests * (tokens - 1):
        raise SystemExit(f"tokens are missing or out of order: {wrong}, errors {counts['errors']}")


def bench_events(args):
    requests = args.streams * args.waves
    events = requests * args.tokens

    def run_loadgen(port):
        s = loadgen(port, "--route", "tgi-stream", "--concurrency", args.streams, "--requests", requests, "--warmup", "0s",
                    "--max-new-tokens", args.tokens)
        check_tokens(s, requests, args.tokens)
        return {"cpu_us_per_event": s["cpu_s"] / events * 1e6, **facts(s)}

    def run_peer(command):
        return lambda port: json.loads(measured(
            [*command, "--port", port, "--streams", args.streams, "--waves", args.waves, "--tokens", args.tokens])[0])

    clients = {"loadgen": run_loadgen, "bare": run_peer([BIN / "bench_bare_reader"])}
    for library, python in (("aiohttp", args.asyncio), ("httpx", args.httpx)):
        if python:
            clients[f"asyncio {library}"] = run_peer([python, ROOT / "bench" / "peers" / "asyncio_client.py", "--library", library])
    rounds = []
    for _ in range(args.rounds):
        for name, run in clients.items():
            with token_server(ttft_us=50_000, gap_us=args.gap_us, spread_us=args.gap_us, tokens=args.tokens) as port:
                rounds.append({"client": name, "load": os.getloadavg()[0], **run(port)})
                print(rounds[-1], flush=True)
    return rounds, {c: median(rounds, c, "cpu_us_per_event") for c in clients}


def bench_whole(args):
    script = pathlib.Path(tempfile.mkdtemp(prefix="wrk-")) / "post.lua"
    script.write_text(WRK_SCRIPT)
    rounds = []

    def run_wrk(port, connections):
        output, cpu, _, _ = measured(["wrk", "-t1", f"-c{connections}", f"-d{args.seconds}s", "-s", script,
                                      f"http://127.0.0.1:{port}/generate"])
        requests = int(re.search(r"(\d+) requests in", output)[1])
        return {"requests": requests, "cpu_us_per_request": cpu / requests * 1e6}

    def run_loadgen(port, connections):
        s = loadgen(port, "--route", "tgi", "--concurrency", connections, "--duration", f"{args.seconds}s", "--warmup", "0s",
                    "--max-new-tokens", 8, "--prompt", "hello")
        return {"requests": s["counts"]["sent"], "cpu_us_per_request": s["cpu_s"] / s["counts"]["sent"] * 1e6, **facts(s)}

    for _ in range(args.rounds):
        for connections in (64, 1000):
            for name, run in (("loadgen", run_loadgen), ("wrk", run_wrk)):
                with token_server(whole=1) as port:
                    rounds.append({"client": f"{name} {connections}", "load": os.getloadavg()[0], **run(port, connections)})
                    print(rounds[-1], flush=True)
    shutil.rmtree(script.parent)
    medians = {c: median(rounds, c, "cpu_us_per_request") for c in sorted({r["client"] for r in rounds})}
    return rounds, {**medians, **{f"loadgen over wrk {c}": neighbours(rounds, f"loadgen {c}", f"wrk {c}") for c in (64, 1000)}}


def neighbours(rounds, client, peer):
    """The median of the ratios of what was measured one after the other: a machine that changes its speed changes both."""
    cost = [[r["cpu_us_per_request"] for r in rounds if r["client"] == c] for c in (client, peer)]
    return statistics.median(a / b for a, b in zip(*cost, strict=True))


def bench_pacing(args):
    rounds = []
    for _ in range(args.rounds):
        with token_server(whole=1) as port:
            s = loadgen(port, "--route", "tgi", "--rate", args.rate, "--arrivals", "poisson", "--duration", f"{args.seconds}s",
                        "--warmup", "0s", "--max-new-tokens", 8, "--prompt", "hello")
            late = s["metrics"]["lateness"]
            rounds.append({"client": "loadgen", "load": os.getloadavg()[0], "p50_us": late["p50"] * 1000,
                           "p99_us": late["p99"] * 1000, "max_us": late["max"] * 1000, **facts(s)})
        print(rounds[-1], flush=True)
        bare = json.loads(measured([BIN / "bench_bare_timer", "--rate", args.rate, "--seconds", args.seconds])[0])
        rounds.append({"client": "bare", "load": os.getloadavg()[0], **bare})
        print(rounds[-1], flush=True)
    return rounds, {f"{c} {q}": median(rounds, c, q) for c in ("loadgen", "bare") for q in ("p50_us", "p99_us")}


def bench_many(args):
    rounds = []
    for _ in range(args.rounds):
        with token_server(ttft_us=500_000, gap_us=args.gap_us, spread_us=args.gap_us, tokens=args.tokens) as port:
            idle = loadgen(port, "--route", "tgi-stream", "--concurrency", 1, "--requests", 1, "--warmup", "0s",
                           "--max-new-tokens", args.tokens)
            s = loadgen(port, "--route", "tgi-stream", "--concurrency", args.streams, "--requests", args.streams, "--warmup",
                        "0s", "--max-new-tokens", args.tokens)
            check_tokens(s, args.streams, args.tokens)
            rounds.append({"client": "loadgen", "load": os.getloadavg()[0], "tokens_each": args.tokens,
                           "kib_per_stream": (s["memory"] - idle["memory"]) / args.streams / 1024,
                           "concurrency_max": s["rates"]["concurrency_max"],
                           "cpu_us_per_event": s["cpu_s"] / (args.streams * args.tokens) * 1e6, **facts(s)})
            print(rounds[-1], flush=True)
    return rounds, {k: median(rounds, "loadgen", k) for k in ("kib_per_stream", "cpu_us_per_event", "coalesced_share")}


def bench_rate(args):
    """Rates asked for and rates that came. Where fewer came the server's core was the limit, unless the generator's was (io_cpu)."""
    rounds = []
    for _ in range(args.rounds):
        for rate in args.rates:
            gap_us = args.streams * 1_000_000 // rate
            tokens = args.seconds * 1_000_000 // gap_us
            with token_server(ttft_us=500_000, gap_us=gap_us, spread_us=gap_us, tokens=tokens) as port:
                s = loadgen(port, "--route", "tgi-stream", "--concurrency", args.streams, "--requests", args.streams, "--warmup", "0s",
                            "--max-new-tokens", tokens)
            check_tokens(s, args.streams, tokens)
            streamed_s = (s["metrics"]["e2e"]["mean"] - s["metrics"]["ttft"]["mean"]) / 1000
            checks = {c["name"]: c["value"] for c in s["validity"]["checks"]}
            rounds.append({"client": f"loadgen {rate}", "load": os.getloadavg()[0], "events_per_s": args.streams * (tokens - 1) / streamed_s,
                           "io_cpu": checks["io_cpu"], "cpu_us_per_event": s["cpu_s"] / (args.streams * tokens) * 1e6, **facts(s)})
            print(rounds[-1], flush=True)
    return rounds, {f"{rate} {k}": median(rounds, f"loadgen {rate}", k) for rate in args.rates for k in ("events_per_s", "io_cpu")}


def median(rounds, client, key):
    return statistics.median(r[key] for r in rounds if r["client"] == client)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("events", "whole", "pacing", "many", "rate"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int)
    parser.add_argument("--waves", type=int, default=1)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--gap-us", type=int)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--rates", type=int, nargs="+", default=[50_000, 100_000, 150_000], help="of the part 'rate': events a second")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--asyncio", help="a Python that has aiohttp")
    parser.add_argument("--httpx", help="a Python that has httpx")
    parser.add_argument("--out", help="write the raw figures here")
    args = parser.parse_args()
    defaults = {"many": (10_000, 50, 200_000), "rate": (3000, None, None)}.get(args.what, (1000, 100, 20_000))
    args.streams, args.tokens, args.gap_us = (given or default for given, default in
                                              zip((args.streams, args.tokens, args.gap_us), defaults))
    load = os.getloadavg()
    rounds, medians = globals()["bench_" + args.what](args)
    print("medians:", {k: round(v, 3) for k, v in medians.items()})
    if args.out:
        save(args.out, load, medians=medians, rounds=rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
