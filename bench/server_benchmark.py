#!/usr/bin/env python3
"""What does refserver's front cost beside the least that the same work can cost?

  events   server CPU per token event at 256 and 1,000 streams: refserver, and bench_token_server sending refserver's own bytes from
           a bare send() loop that wakes as seldom; --rival CMD adds another server (its port as {port}, the gap as {gap_ms}; it answers --rival-path
           with a stream of --tokens tokens)
  latency  how late tokens leave (achieved write minus due, from the truth log) at 1,000 streams and half of the rate at which
           refserver's thread would be saturated
  idle     memory that 5,000 idle connections take

The server is pinned to one core and the reading client (bench_bare_reader) to the other; rounds are interleaved and medians
compared. Raw figures, the machine and its load average go into --out. Needs the bench preset's build (PLUMBLINE_BIN names
another folder of binaries).

With PyPI's guidellm in a virtual environment (its simulated server; one process, like the others on one core):
  server_benchmark.py events --rival 'venvs/guidellm/bin/guidellm mock-server --host 127.0.0.1 --port {port} --workers 1 --model m
    --ttft-ms 100 --itl-ms {gap_ms}' --rival-body
    '{"model":"m","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hello"}]}'
(one line; --rival-path is /v1/chat/completions already; an `env NAME=VALUE` may stand before the program).

usage: server_benchmark.py events|latency|idle [--rounds 3] [--tokens 100] [--gap-us 40000] [--out FILE.json]
"""
import argparse
import contextlib
import json
import os
import pathlib
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from figures import save

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build" / "bench" / "bin"))
CLIENT_CORE, SERVER_CORE = "0", "1"
STEP_SPACING_US = 100  # refserver gathers tokens that fall due closer together than this; so does the bare server
# What bench_bare_reader sends; one that names what is to be sent gets it with --path and --body.
BODY = '{"inputs":"hello","parameters":{"max_new_tokens":%d,"details":true}}'


def cpu_seconds(pid):
    """CPU time of all threads, to the nanosecond."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total * 1e-9


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def started(command):
    """A server on its core; gives (pid, port) once it has said where it listens."""
    process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *map(str, command)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"did not start: {' '.join(map(str, command))}")
        yield process.pid, int(line.rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def refserver(*flags, gap_us):
    return started([BIN / "refserver", "serve", "--port", 0, "--model", "m", "--engine", "simulated", "--sim-ttft", "100ms",
                    "--sim-gap", f"{gap_us}us", "--max-concurrent-requests", 20_000, *flags])


def record_answer(path, tokens):
    """One answer of refserver, byte for byte, for the bare server to repeat."""
    body = (BODY % tokens).encode()
    with refserver(gap_us=1000) as (_, port), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /generate_stream HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                       b"content-length: %d\r\n\r\n%s" % (len(body), body))
        answer = b""
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            answer += client.recv(65536) or sys.exit("refserver closed the stream")
    path.write_bytes(answer)


def read_streams(port, streams, tokens, gap_us, *flags):
    """All streams once, their starts spread over one gap: what the reader counted."""
    command = ["taskset", "-c", CLIENT_CORE, BIN / "bench_bare_reader", "--port", port, "--streams", streams, "--waves", 1,
               "--tokens", tokens, "--stagger-us", gap_us, *flags]
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def rival_server(template, gap_us):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *shlex.split(template.format(port=port, gap_ms=gap_us / 1000))],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"did not start: {template}")
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def parties(args, replay):
    """Name of the party: (a function that starts it, flags of the reader)."""
    asked = ["--body", BODY % args.tokens]
    yield "refserver", lambda gap: refserver(gap_us=gap), asked
    yield "bare", lambda gap: started([BIN / "bench_token_server", "--replay", replay, "--ttft-us", 100_000, "--gap-us", gap,
                                         "--gather-us", STEP_SPACING_US]), asked
    if args.rival:
        yield "rival", lambda gap: rival_server(args.rival, gap), ["--path", args.rival_path, "--body", args.rival_body]


def bench_events(args):
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        replay = pathlib.Path(folder) / "answer"
        record_answer(replay, args.tokens)
        for _ in range(args.rounds):
            for streams in (256, 1000):
                gap_us = args.gap_us * streams // 1000  # the same rate of events whatever the number of streams
                for name, start, flags in parties(args, replay):
                    with start(gap_us) as (pid, port):
                        before = cpu_seconds(pid)
                        read = read_streams(port, streams, args.tokens, gap_us, *flags)
                        cpu = cpu_seconds(pid) - before
                    rounds.append({"server": f"{name} {streams}", "load": os.getloadavg()[0], "events": read["events"],
                                   "events_per_s": read["events_per_s"], "reads": read["reads"],
                                   "cpu_us_per_event": cpu / read["events"] * 1e6})
                    print(rounds[-1], flush=True)
    return rounds, {s: median(rounds, s, "cpu_us_per_event") for s in sorted({r["server"] for r in rounds})}


def bench_latency(args):
    rounds, streams = [], 1000
    gap_us = args.gap_us
    for turn in range(args.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            truth = pathlib.Path(folder) / "truth.jsonl"
            with refserver("--truth-log", truth, gap_us=gap_us) as (pid, port):
                before = cpu_seconds(pid)
                read = read_streams(port, streams, args.tokens, gap_us, "--body", BODY % args.tokens)
                cpu_us = (cpu_seconds(pid) - before) / read["events"] * 1e6
            late = sorted(late for line in truth.open() for late in lateness_us(json.loads(line)))
        if turn == 0:  # to learn what half of saturation is
            gap_us = round(2 * streams * cpu_us)
            continue
        rounds.append({"server": "refserver", "load": os.getloadavg()[0], "gap_us": gap_us, "events_per_s": read["events_per_s"],
                       "cpu_us_per_event": cpu_us, "tokens": len(late), "late_p50_us": late[len(late) // 2],
                       "late_p99_us": late[len(late) * 99 // 100], "late_max_us": late[-1]})
        print(rounds[-1], flush=True)
    return rounds, {k: median(rounds, "refserver", k) for k in ("late_p50_us", "late_p99_us", "cpu_us_per_event")}


def lateness_us(record):
    """Of a line of the truth log; lines that are no request have no times."""
    return [(a - d) * 1e-3 for d, a in zip(record.get("due_ns", ()), record.get("achieved_ns", ()))]


def bench_idle(args):
    rounds = []
    for _ in range(args.rounds):
        with refserver(gap_us=args.gap_us) as (pid, port):
            before = resident_bytes(pid)
            sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(5000)]
            time.sleep(1)
            rounds.append({"server": "refserver", "connections": len(sockets), "mb": (resident_bytes(pid) - before) / 1e6})
            for s in sockets:
                s.close()
        print(rounds[-1], flush=True)
    return rounds, {"mb": median(rounds, "refserver", "mb")}


def median(rounds, server, key):
    return statistics.median(r[key] for r in rounds if r["server"] == server)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("events", "latency", "idle"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--gap-us", type=int, default=40_000, help="between tokens of a stream, with 1,000 streams")
    parser.add_argument("--rival", help="command that starts another server; {port} is its port, {gap_ms} the gap")
    parser.add_argument("--rival-path", default="/v1/chat/completions")
    parser.add_argument("--rival-body")
    parser.add_argument("--out", help="write the raw figures here")
    args = parser.parse_args()
    load = os.getloadavg()
    rounds, medians = globals()["bench_" + args.what](args)
    print("medians:", {k: round(v, 3) for k, v in medians.items()})
    if args.out:
        save(args.out, load, medians=medians, rounds=rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
