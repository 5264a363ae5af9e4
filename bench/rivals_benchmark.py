#!/usr/bin/env python3
"""loadgen beside other load generators, on the same server, judged by the server's truth log.

  streams  64, 256 and 1,000 streams at once against refserver's simulated engine (true TTFT 100 ms, gap 20 ms, 64 tokens, OpenAI
           chat): TTFT and time per token as each tool reports them beside what the server did, CPU, failures, and what the tool
           says of its own validity. Repeats are interleaved.
  rates    the highest rate of one-token streams (true TTFT 50 ms) that a tool sends honestly: steps until less than 95 % of the
           asked rate arrives, a request fails, the tool calls its own run invalid, or the reported TTFT p99 is off by more than
           5 ms or 10 %, twice; then one step between

The client has one core and the server another; a tool's CPU time is that of its whole process tree. Nobody warms up: then the tool
and the truth log speak of the same requests, connections opened first included. What does not run is listed with its error; when
--budget is used up, what is missing is said. Figures are kept after every run.

A rival is a folder with a virtual environment; one that is not named is left out:
  for tool in guidellm aiperf locust; do python3 -m venv venvs/$tool && venvs/$tool/bin/pip install $tool; done

usage: rivals_benchmark.py [--guidellm DIR] [--aiperf DIR] [--locust DIR] [--parts streams,rates] [--sizes 64,256,1000] [--repeats 3]
                           [--budget SECONDS] [--out NAME]     (NAME: docs/measurements/DATE-NAME.json and .md)
Needs the release build (./dev build). PLUMBLINE_BIN names another folder of binaries.
"""
import argparse
import contextlib
import ctypes
import datetime
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from figures import machine  # noqa: E402
from harness import BIN, Server, nearest_rank  # noqa: E402
from rivals_report import markdown  # noqa: E402
from rivals_tools import MODEL, Aiperf, Guidellm, Job, Loadgen, Locust  # noqa: E402

CLIENT_CORE, SERVER_CORE = 0, 1
RUN_LIMIT_S = 100  # a tool that has not ended by then is ended
TOKENS, WAVES = 64, {64: 11, 256: 3}  # 704 requests and more: fewer say little of a p99, and loadgen then prints none
LADDER = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
STEP_S = 4


def own_descendants():
    """Orphans of the tools become children of this process, so that their CPU time is counted and none is left behind."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def end_descendants(server_pid):
    """Ends and reaps every child but the server, and what they leave behind."""
    while True:
        children = [int(pid) for task in pathlib.Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
        others = [pid for pid in children if pid != server_pid]
        if not others:
            return
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def end_group(group):
    """Asks what is left of a tool to end, gives it time to tidy up, then ends it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + 3
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(group, sign)
            while time.monotonic() < until:
                os.waitpid(-group, os.WNOHANG)
                os.killpg(group, 0)
                time.sleep(0.05)


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_tree(command, environment, folder, limit_s, server_pid):
    """Runs a tool on the client's core: (exit code or None if it was ended, its output, CPU seconds of its tree, wall seconds)."""
    before, began = children_cpu(), time.monotonic()
    with open(folder / "output.log", "w+") as log:
        process = subprocess.Popen(["taskset", "-c", str(CLIENT_CORE), *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
                                   env={**os.environ, "TMPDIR": str(folder), **{k: str(v) for k, v in environment.items()}})
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            code = None
        wall = time.monotonic() - began
        end_group(process.pid)
        end_descendants(server_pid)
        log.seek(0)
        return code, log.read(), children_cpu() - before, wall


def server_cpu(pid):
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) * 1e-9


def truth_of(records):
    """What the server did: percentiles by nearest rank, and how fast requests came."""
    ok = [r for r in records if r.get("outcome") == "ok" and r.get("achieved_ns")]
    if not ok:
        return {"requests": len(records), "ok": 0}
    received = sorted(r["recv_ns"] for r in ok)
    written = [r["achieved_ns"] for r in ok]
    values = {"ttft": [(w[0] - r["recv_ns"]) * 1e-6 for r, w in zip(ok, written)],
              "tpot": [(w[-1] - w[0]) * 1e-6 / (len(w) - 1) for w in written if len(w) > 1],
              "late": [(a - d) * 1e-6 for r, w in zip(ok, written) for a, d in zip(w, r["due_ns"])]}
    rate = (len(ok) - 1) / (received[-1] - received[0]) * 1e9 if len(ok) > 1 else None
    return {"requests": len(records), "ok": len(ok), "rate": rate, "tokens": sum(map(len, written)),
            **{name: {"p50": nearest_rank(v, 0.5), "p99": nearest_rank(v, 0.99)} if v else None for name, v in values.items()}}


class Bench:
    """Runs jobs against fresh servers and keeps what came of them."""

    def __init__(self, args, tools, head):
        self.args, self.tools, self.head = args, tools, head
        self.until, self.runs, self.missing = time.monotonic() + args.budget, [], []

    def left_s(self):
        return self.until - time.monotonic()

    def run(self, part, tool, job, **facts):
        """One run; None if there was no time for it."""
        row = {"part": part, "tool": tool.name, **facts, "streams": job.streams, "rate": job.rate}
        limit_s = min(RUN_LIMIT_S, self.left_s())
        if limit_s < 15:
            self.missing.append(f"{tool.name}, {part} {job.streams or job.rate}")
            return None
        ttft = "100ms" if part == "streams" else "50ms"
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"rivals-{tool.name}-"))
        try:
            with Server("--max-concurrent-requests", "50000", ttft=ttft, gap="20ms", models=(MODEL,)) as server:
                command, environment = tool.command(job, server.url, folder)
                row.update(load=os.getloadavg()[0], command=shown(command, environment, {
                    str(folder): "OUT", server.url: "http://HOST:PORT", str(ROOT): ".", f"{BIN}/": "", **tool.places()}))
                code, log, cpu, wall = run_tree(command, environment, folder, limit_s, server.process.pid)
                row.update(exit=code, cpu_s=cpu, wall_s=wall, server_cpu_s=server_cpu(server.process.pid))
                row["true"] = truth_of([r for r in server.truth() if r.get("route") == "/v1/chat/completions"])
            if code is None and limit_s < RUN_LIMIT_S:
                self.missing.append(f"{tool.name}, {part} {job.streams or job.rate}, cut after {wall:.0f} s")
                return None
            try:
                if code not in tool.good_exits:
                    raise ValueError(f"ended after {wall:.0f} s" if code is None else f"exit {code}")
                row["reported"] = tool.report(folder, log)
            except (OSError, ValueError, KeyError, TypeError, IndexError) as e:
                row["error"] = f"{type(e).__name__}: {e}; its last words: {log.strip()[-600:]}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.runs.append(row)
        print(brief(row), flush=True)
        self.save()
        return row

    def streams(self, repeat):
        for size in self.args.sizes:
            for tool in self.tools:
                self.run("streams", tool, Job(size * WAVES.get(size, 2), TOKENS, streams=size), repeat=repeat)

    def startup(self):
        """One request: what a tool costs before it does anything."""
        for tool in self.tools:
            self.run("startup", tool, Job(1, 1, streams=1))

    def rates(self):
        best, failed = {tool: 0 for tool in self.tools}, {}
        for rate in LADDER:  # all tools one step further before any takes the next: the budget cuts everybody's end
            for tool in [t for t in self.tools if t not in failed]:
                if self.honest(tool, rate):
                    best[tool] = rate
                else:
                    failed[tool] = rate
        for tool, rate in failed.items():
            if best[tool]:
                self.honest(tool, round((best[tool] * rate) ** 0.5 / 10) * 10)

    def honest(self, tool, rate):
        """Whether a rate was sent honestly; a step that fails gets a second chance, as the machine may have been at fault."""
        for _ in range(2):
            row = self.run("rates", tool, Job(max(rate * STEP_S, 700), 1, rate=rate))
            if not row or "error" in row:
                return False
            if row["honest"]:
                return True
        return False

    def save(self):
        for row in self.runs:
            if row["part"] == "rates" and "honest" not in row:
                row["why_not"] = dishonesty(row)
                row["honest"] = not row["why_not"]
        if not self.args.out:
            return
        result = {**self.head, "load_average_after": os.getloadavg(), "missing": self.missing, "runs": self.runs}
        base = ROOT / "docs" / "measurements" / f"{self.head['date']}-{self.args.out}"
        base.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        base.with_suffix(".md").write_text(markdown(result, base.with_suffix(".json").name))


def dishonesty(row):
    """Why this rate was not sent honestly; empty if it was."""
    if "error" in row:
        return "did not finish"
    reported, true, why = row["reported"], row["true"], []
    if reported.get("invalid"):
        why.append("calls its own run INVALID")
    if reported["failed"] or true["ok"] < true["requests"] or true["requests"] < reported["requests"]:
        why.append(f"{max(reported['failed'], reported['requests'] - true['ok'])} failed")
    if (true.get("rate") or 0) < 0.95 * row["rate"]:
        why.append(f"only {true.get('rate') or 0:.0f}/s arrived")
    told = (reported["ttft"] or {}).get("p99")
    if told is None or not true.get("ttft"):
        why.append("no TTFT p99")
    elif abs(told - true["ttft"]["p99"]) > min(5, 0.1 * true["ttft"]["p99"]):
        why.append(f"TTFT p99 said to be {told:.1f} ms, was {true['ttft']['p99']:.1f} ms")
    return "; ".join(why)


def shown(command, environment, places):
    """The command as somebody else would type it: {what is here: what stands for it}."""
    text = " ".join([*(f"{k}={v}" for k, v in environment.items()), shlex.join(map(str, command))])
    for here, name in places.items():
        text = text.replace(here, name)
    return text


def brief(row):
    head = f"{row['part']:8} {row['tool']:9} {row['streams'] or row['rate']:6}: "
    if "error" in row:
        return head + row["error"]
    pairs = [f"{m} {q} {row['reported'][m][q]:.2f}/{row['true'][m][q]:.2f}" for m in ("ttft", "tpot") for q in ("p50", "p99")
             if row["reported"][m] and row["reported"][m][q] is not None and row["true"][m]]
    return head + ", ".join(pairs) + f", {row['true']['ok']} ok, CPU {row['cpu_s']:.2f} s of {row['wall_s']:.1f} s, server " \
        f"{row['server_cpu_s']:.1f} s, arrived {row['true']['rate'] or 0:.0f}/s, {row['reported']['says']}"


def wanted_tools(args, folder):
    """loadgen and the rivals that were named and are there: (tools, {name: why not})."""
    tokenizer = folder / "tokenizer"
    subprocess.run([BIN / "refserver", "synth", "--arch", "qwen2", "--size", "tiny", "--out", tokenizer], check=True,
                   stdout=subprocess.DEVNULL)
    tools, absent = [Loadgen()], {}
    for kind in (Guidellm, Aiperf, Locust):
        where = getattr(args, kind.name)
        if not where:
            absent[kind.name] = "not asked for"
            continue
        tool = kind(where, tokenizer)
        try:
            tool.version()
            tools.append(tool)
        except (OSError, subprocess.CalledProcessError) as e:
            absent[kind.name] = f"no {kind.name} in {pathlib.Path(where).name}: {e}"
    return tools, absent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("guidellm", "aiperf", "locust"):
        parser.add_argument(f"--{name}", metavar="DIR", help=f"virtual environment with {name}")
    parser.add_argument("--parts", default="streams,rates", type=lambda text: text.split(","))
    parser.add_argument("--sizes", default="64,256,1000", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--budget", type=float, default=870, help="seconds after which no run is begun or goes on (default 870)")
    parser.add_argument("--out", metavar="NAME", help="write docs/measurements/DATE-NAME.json and .md")
    args = parser.parse_args()
    if unknown := set(args.parts) - {"streams", "rates"}:
        parser.error(f"--parts: {', '.join(sorted(unknown))}: give streams, rates or both")
    if args.repeats < 1 or not all(size > 0 for size in args.sizes):
        parser.error("--repeats and --sizes: numbers above zero")
    if args.out and not args.out.replace("-", "").isalnum():
        parser.error("--out: a name of letters, digits and '-', without a folder")
    if not {CLIENT_CORE, SERVER_CORE} <= os.sched_getaffinity(0):
        parser.error(f"needs cores {CLIENT_CORE} and {SERVER_CORE}")
    return args


def main():
    args = parse()
    own_descendants()
    os.sched_setaffinity(0, {SERVER_CORE})  # inherited by the servers; tools are moved to their own core
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rivals-"))
    try:
        tools, absent = wanted_tools(args, folder)
        places = {str(getattr(args, kind.name)): f"venvs/{kind.name}" for kind in (Guidellm, Aiperf, Locust)}
        bench = Bench(args, tools, {
            "command": shown(["bench/rivals_benchmark.py", *sys.argv[1:]], {}, places), "date": datetime.date.today().isoformat(),
            "machine": machine(), "load_average_before": os.getloadavg(), "absent": absent,
            "versions": {t.name: t.version() for t in tools}, "settings": {t.name: t.settings for t in tools}})
        # What matters most first: whatever the budget then cuts off is a repeat.
        bench.startup()
        if "streams" in args.parts:
            bench.streams(1)
        if "rates" in args.parts:
            bench.rates()
        for repeat in range(2, args.repeats + 1) if "streams" in args.parts else ():
            bench.streams(repeat)
        bench.save()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(bench.runs)} runs, {sum('error' in r for r in bench.runs)} did not finish, {len(bench.missing)} left out for time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
