#!/usr/bin/env python3
"""What does the way into InfluxDB take, and does anything get lost on it? Against the distribution's influxd on loopback.

  throughput  points per second, rendered, queued, sent on one connection and stored (exporters_bench), plain and compressed
  long        a run that offers some 5,000 points a second for --seconds: offered, stored and counted in the database must be
              the same
  outage      the same, with the server killed for --down seconds in the middle: nothing may be lost
  down        the same, with the server killed before the first point: all in the spill file, and stored by `loadgen export`,
              which is timed
  intrusion   lateness of sends (the delay between a request's due time and its first byte), all exporters on and all off,
              interleaved pairs; the median difference of p99 is what exporting adds

Raw figures, the machine and its load average go into --out. Needs the bench preset's build (PLUMBLINE_BIN names another
folder of binaries). As the final figures are taken: throughput 1 min; long --seconds 200: 4 min, a million points; outage
--seconds 200: 4 min; down 2 min; intrusion 6 min.

usage: export_benchmark.py throughput|long|outage|down|intrusion [--rounds 5] [--seconds 30] [--requests-per-s 400] ... [--out FILE.json]
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

from figures import save

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("PLUMBLINE_BIN", str(ROOT / "build" / "bench" / "bin"))
sys.path.insert(0, str(ROOT / "tests"))
import harness  # noqa: E402
from influxd import Influxd  # noqa: E402

BIN = harness.BIN
DB = "bench"
COUNTED = {"llm_request": "chunks", "llm_interval": "sent", "llm_hdr": "n", "llm_event": "text", "llm_load": "sent", "exporter": "offered"}


def stored(influx):
    return sum(influx.count(m, field, DB) for m, field in COUNTED.items())


def throughput(options):
    with Influxd(index=options.index) as influx:
        done = subprocess.run([str(BIN / "exporters_bench"), "--benchmark_filter=influx_sink", "--benchmark_format=json",
                               f"--benchmark_repetitions={options.rounds}"], capture_output=True, text=True,
                              env={**os.environ, "PLUMBLINE_INFLUX_URL": f"{influx.url}/{DB}"})
    if done.returncode != 0:
        sys.exit(done.stderr)
    figures = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run.get("error_occurred"):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            figures.setdefault(run["name"].split("/")[0], []).append(
                {"points_per_s": run["items_per_second"], "cpu_us_per_point": run["cpu_time"] * 1000 / 500_000})
    for name, rounds in figures.items():
        print(f"{name}: median {statistics.median(r['points_per_s'] for r in rounds):,.0f} points/s, "
              f"{statistics.median(r['cpu_us_per_point'] for r in rounds):.2f} us of CPU each")
    plain = statistics.median(r["points_per_s"] for r in figures["influx_sink_plain"])
    return {"points_per_s": plain, "index": options.index, "raw": figures}, plain >= 150_000


def run_into(influx, options, out, disturb=lambda: None):
    """A run whose points go to influx; `disturb` is called once it has passed its pre-flight. Its summary."""
    with harness.Server(ttft="5ms+exp(10ms)", gap="1ms+exp(1ms)") as server:
        process = harness.start_loadgen("run", ROOT / "scenarios" / "dual-model-mix.yaml", "--target", server.url, "--rate", options.requests_per_s,
                                        "--duration", f"{options.seconds}s", "--warmup", "0s", "--max-new-tokens", 4, "--out", out, "--quiet",
                                        "--influx", f"{influx.url}/{DB}")
        while process.poll() is None and not (out / "points.lp").exists():
            time.sleep(0.01)
        disturb()
        _, stderr = process.communicate(timeout=options.seconds + 300)
    if not (out / "summary.json").exists():
        sys.exit(f"the run ended with {process.returncode}: {stderr}")
    return json.loads((out / "summary.json").read_text())


def steady(options, part):
    with Influxd() as influx, harness.run_dir() as out:
        def outage():
            time.sleep(options.seconds / 3)
            influx.kill()
            time.sleep(options.down)
            influx.start()
        summary = run_into(influx, options, out, {"long": lambda: None, "outage": outage, "down": influx.kill}[part])
        account = summary["exporters"]["influx"]
        figures = {"account": account, "points_per_s": account["offered"] / options.seconds}
        if part == "down":
            influx.start()
        if (out / "influx-spill.lp").exists():
            sent = harness.loadgen("export", out, "--influx", f"{influx.url}/{DB}", timeout=900)
            figures["replay"] = sent.stdout.strip().split(": ", 1)[-1]
        figures["in_database"] = stored(influx)
    figures["lost"] = account["offered"] - figures["in_database"]
    print(f"{account['offered']:,} points offered, {figures['points_per_s']:,.0f}/s: {account['stored']:,} stored, {account['rejected']:,} rejected, "
          f"{account['spilled']:,} spilled, {account['dropped']:,} dropped; {figures['in_database']:,} in the database in the end")
    if "replay" in figures:
        print("replay:", figures["replay"])
    return figures, figures["lost"] == 0


def lateness(server, out, options, exports):
    run = harness.load(out, "--target", server.url, "--route", "tgi-stream", "--rate", options.requests_per_s, "--duration", f"{options.seconds}s",
                       "--warmup", "2s", "--max-new-tokens", 8, *exports, timeout=options.seconds + 120)
    if not (out / "summary.json").exists():
        sys.exit(repr(run))
    late = run.summary["metrics"]["lateness"]
    if late["p99"] is None:
        sys.exit("p99 needs 662 requests or more: give --requests-per-s or --seconds more")
    return {"p50_us": late["p50"] * 1000, "p99_us": late["p99"] * 1000, "validity": run.summary["validity"]["status"], "code": run.code}


def intrusion(options):
    pairs = []
    with Influxd() as influx, harness.Server(ttft="20ms", gap="5ms") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))  # never read: what does not fit is the kernel's to drop
        everything = ["--influx", f"{influx.url}/{DB}"]
        if options.live:
            everything += ["--statsd", f"127.0.0.1:{statsd.getsockname()[1]}", "--prometheus", "127.0.0.1:0", "--metrics-linger", "0s"]
        for number in range(options.rounds):
            pair = {}
            order = [("on", everything), ("off", ["--record", "summary"])]
            for name, exports in order if number % 2 == 0 else order[::-1]:
                with harness.run_dir() as out:
                    pair[name] = lateness(server, out, options, exports)
            pairs.append(pair)
            print("  ".join(f"{name}: p50 {p['p50_us']:.0f} us, p99 {p['p99_us']:.0f} us, {p['validity']}" for name, p in pair.items()), flush=True)
    moved = statistics.median(p["on"]["p99_us"] - p["off"]["p99_us"] for p in pairs)
    print(f"median difference of p99: {moved:+.0f} us (wanted: less than 50)")
    return {"p99_moved_us": moved, "exporters": everything, "pairs": pairs}, moved < 50


PARTS = {"throughput": throughput, "long": lambda o: steady(o, "long"), "outage": lambda o: steady(o, "outage"),
         "down": lambda o: steady(o, "down"), "intrusion": intrusion}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--down", type=float, default=30, help="seconds without a server in outage")
    parser.add_argument("--requests-per-s", type=float, default=400, help="of runs: with 400 some 5,000 points/s")
    parser.add_argument("--seconds", type=int, default=30, help="length of a run")
    parser.add_argument("--index", choices=("inmem", "tsi1"), default="inmem", help="throughput: the server's index (default inmem, as is its own)")
    parser.add_argument("--live", action=argparse.BooleanOptionalAction, default=True, help="intrusion: StatsD and Prometheus too")
    parser.add_argument("--out", help="JSON file for the figures")
    options = parser.parse_args()
    load_before = os.getloadavg()
    figures, is_good = PARTS[options.part](options)
    if options.out:
        save(options.out, load_before, part=options.part, **figures)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
