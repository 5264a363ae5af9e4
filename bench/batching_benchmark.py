#!/usr/bin/env python3
"""What does continuous batching bring over one request after the other, as a client measures it?

refserver computes made-up models on one core with --scheduler continuous and with --scheduler serial, in turn; loadgen asks from the
other core. First 16 requests are kept in flight (tokens per second), then both get the same Poisson rate, a share of what serial
managed before, for as long as it takes to bring --open-requests of them (p99 of the time to first token, of all rounds together). The
warm-up of that is 20 services of serial: a queue that begins empty takes so long to forget it.

Two workloads: "demo" is the two tiny models of `./dev demo` behind one server, whose weights fit the caches and whose time goes into
choosing tokens, and a model of published size (--model), whose weights come from memory for every step.

usage: batching_benchmark.py [--workloads demo,model] [--model qwen2-0.5b] [--concurrency 16] [--rounds 2] [--duration 10]
                             [--open-requests 120] [--load 0.5] [--tokens 64] [--folder build/bench/engine] [--max-load 0.7] [--force]
                             [--out docs/measurements/DATE-batching]     (.json and .md)
At the defaults it takes about eight minutes, most of them for 120 answers at half of the rate that serial can give.
PLUMBLINE_BIN names the folder of binaries (default build/release/bin). Exits 3 on a busy machine unless --force.
"""
import argparse
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

from figures import is_too_busy, machine, save

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build/release/bin"))
CLIENT_CORE, SERVER_CORE = "1", "0"
SCHEDULERS = ("continuous", "serial")
FAST = ("--cpu-precision", "fast", "--cpu-kv", "bf16", "--cpu-threads", 1)
SERVICES_OF_WARMUP, MIN_SECONDS = 20, 12
PROMPT = "What is a plumb line, and what is it used for on a building site?"


def run_checked(*command, good=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in good:
        raise SystemExit(f"failed: {' '.join(map(str, command))}\n{done.stdout[-300:]}{done.stderr[-600:]}")


def synthesised(path, *flags):
    if not (path / "config.json").exists():
        run_checked(BIN / "refserver", "synth", *flags, "--out", path)
    return path


def models_of(workload, args):
    """What the server is told, and the names to ask for."""
    if workload == "model":
        path = synthesised(args.folder / args.model, "--size", args.model)
        return ["--model", f"{args.model}={path}", "--cpu-lm-head", "int8"], [args.model]
    qwen2 = synthesised(args.folder / "demo-qwen2", "--arch", "qwen2", "--size", "tiny", "--seed", 1)
    llama3 = synthesised(args.folder / "demo-llama3", "--arch", "llama", "--size", "tiny", "--seed", 2)
    return ["--model", f"qwen2={qwen2}", "--model", f"llama3={llama3}"], ["qwen2", "llama3"]


class Server:
    def __init__(self, scheduler, flags):
        command = ["taskset", "-c", SERVER_CORE, BIN / "refserver", "serve", "--port", 0, "--engine", "cpu", "--scheduler", scheduler, *FAST, *flags]
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"did not start: {' '.join(map(str, command))}")
        self.url = line.removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.process.stdout.close()


def scenario(names, warmup, args):
    """One entry per model: the same prompt and answer, every prompt with a tag of its own."""
    return {"schema_version": 1, "name": "batching", "route": "tgi-stream", "seed": 1, "nonce": True, "warmup": f"{warmup}s", "drain_max": "60s",
            "timeouts": {"connect": "5s", "first_token": "60s", "total": "120s"}, "load": {"mode": "closed", "concurrency": args.concurrency},
            "parameters": {"max_new_tokens": args.tokens},
            "mix": [{"name": name, "model": name, "prompts": [PROMPT]} for name in names]}


def ask(url, names, warmup, args, *load):
    """Runs loadgen; its summary, and milliseconds to first token of the measured requests."""
    with tempfile.TemporaryDirectory(prefix="batching-") as folder:
        file, out = pathlib.Path(folder) / "scenario.json", pathlib.Path(folder) / "run"
        file.write_text(json.dumps(scenario(names, warmup, args)))
        run_checked("taskset", "-c", CLIENT_CORE, BIN / "loadgen", "run", file, "--target", url, *load, "--quiet", "--out", out,
                    good=(0, 4))  # 4: the run was INVALID, which the report says
        requests = [json.loads(line) for line in (out / "requests.jsonl").read_text().splitlines()]
        measured = [r for r in requests if r["phase"] == "measure" and r["outcome"] == "ok"]
        return json.loads((out / "summary.json").read_text()), [r["metrics"]["ttft"] for r in measured]


def measure(workload, args):
    flags, names = models_of(workload, args)
    closed, opened, ttft = {s: [] for s in SCHEDULERS}, {s: [] for s in SCHEDULERS}, {s: [] for s in SCHEDULERS}
    for _ in range(args.rounds):
        for scheduler in SCHEDULERS:
            with Server(scheduler, flags) as server:
                closed[scheduler].append(ask(server.url, names, 1, args, "--concurrency", args.concurrency, "--duration", f"{args.duration}s")[0])
    serial_rate = min(s["rates"]["request_throughput"] for s in closed["serial"])
    rate, warmup = args.load * serial_rate, math.ceil(max(1, SERVICES_OF_WARMUP / serial_rate))
    seconds = math.ceil(max(MIN_SECONDS, args.open_requests / args.rounds / rate))
    for _ in range(args.rounds):
        for scheduler in SCHEDULERS:
            with Server(scheduler, flags) as server:
                summary, values = ask(server.url, names, warmup, args, "--rate", f"{rate:.3f}", "--duration", f"{seconds}s")
            opened[scheduler].append(summary)
            ttft[scheduler] += values
    tokens = {s: statistics.median(one["rates"]["output_token_throughput"] for one in closed[s]) for s in SCHEDULERS}
    ended = [(s, one["validity"]) for s in SCHEDULERS for one in closed[s] + opened[s]]
    return {"workload": args.model if workload == "model" else workload, "concurrency": args.concurrency, "tokens": args.tokens,
            "tokens_per_s": tokens, "gain": tokens["continuous"] / tokens["serial"], "rate": rate,
            "ttft_p50_ms": {s: rank(ttft[s], 0.5) for s in SCHEDULERS}, "ttft_p99_ms": {s: rank(ttft[s], 0.99) for s in SCHEDULERS},
            "ttft_count": {s: len(ttft[s]) for s in SCHEDULERS},
            "open_seconds": seconds, "warmup_seconds": warmup,
            "verdicts": [validity["status"] for _, validity in ended],
            "reasons": [f"{s}: {reason}" for s, validity in ended for reason in validity["reasons"]],
            "runs": {s: [one["rates"]["output_token_throughput"] for one in closed[s]] for s in SCHEDULERS}}


def rank(values, share):
    """The nearest-rank percentile; None of nothing."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def markdown(results, args, load):
    about = machine()
    yield "# Continuous batching beside one request after the other"
    yield ""
    yield f"Command: `bench/{pathlib.Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`. Machine: {about['cpu']}, {about['cores']} cores, Linux"
    yield f"{about['kernel']}, load average before {load[0]:.2f}. `refserver serve --engine cpu` on one core, `loadgen` on the other, answers of"
    yield f"{args.tokens} tokens, rounds in turn. First {args.concurrency} requests in flight, then TTFT at one Poisson rate for both, {args.load:.0%} of"
    yield "what serial had managed."
    yield ""
    yield "| workload | tokens/s continuous | serial | gain | rate 1/s | TTFT p50 ms, both | TTFT p99 ms, both | requests |"
    yield "|---|---:|---:|---:|---:|---|---|---|"
    for r in results:
        cells = [" / ".join("-" if r[key][s] is None else f"{r[key][s]:.1f}" for s in SCHEDULERS)
                 for key in ("ttft_p50_ms", "ttft_p99_ms")]
        yield (f"| {r['workload']} | {r['tokens_per_s']['continuous']:.0f} | {r['tokens_per_s']['serial']:.0f} | {r['gain']:.2f} | {r['rate']:.1f} | "
               f"{cells[0]} | {cells[1]} | {r['ttft_count']['continuous']} / {r['ttft_count']['serial']} |")
    yield ""
    if all(verdict == "VALID" for r in results for verdict in r["verdicts"]):
        yield "Every run was VALID."
    else:
        yield "Not every run was VALID:"
        yield from (f"- {r['workload']}, {reason}" for r in results for reason in r["reasons"])


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--workloads", default="demo,model")
    parser.add_argument("--model", default="qwen2-0.5b")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench/engine")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--duration", type=int, default=10)
    parser.add_argument("--open-requests", type=int, default=120)
    parser.add_argument("--load", type=float, default=0.5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--max-load", type=float, default=0.7)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    load = os.getloadavg()
    if is_too_busy(load, args):
        return 3
    args.folder.mkdir(parents=True, exist_ok=True)
    results = [measure(workload, args) for workload in args.workloads.split(",")]
    text = "\n".join(markdown(results, args, load)) + "\n"
    print(text)
    if args.out:
        save(args.out.with_suffix(".json"), load, results=results)
        args.out.with_suffix(".md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
