#!/usr/bin/env python3
"""Our HDR logs opened by other people's HdrHistogram: the Java library (Debian) and the Python one (PyPI).

usage: hdr_interop_test.py java|python VENV_DIR
"""
import json
import pathlib
import re
import subprocess
import sys

import harness
from harness import Server, load, run_dir

JAR = pathlib.Path("/usr/share/java/hdrhistogram.jar")
METRICS = ("e2e", "ttft", "tpot", "icl", "itl")


def make_run(check):
    """A run with enough requests for a p99, then `check(summary, log file)`."""
    with Server(ttft="20ms", gap="1ms") as server, run_dir() as out:
        run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 32, "--duration", "3s",
                   "--warmup", "500ms", "--max-new-tokens", 20)
        assert run.code in (0, 4), run
        check(run.summary, out / "run.hlog")


def tag_of(metric):
    return None if metric == "e2e" else metric  # e2e is the untagged main series


def check_java(summary, log):
    for metric in METRICS:
        command = ["java", "-cp", str(JAR), "org.HdrHistogram.HistogramLogProcessor", "-i", str(log), "-outputValueUnitRatio", "1000",
                   "-csv", "-o", str(log.with_suffix(".java"))]
        if tag_of(metric):
            command += ["-tag", tag_of(metric)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        table = log.with_suffix(".java").read_text()
        rows = [line.split(",") for line in table.splitlines() if re.match(r"^[\d.]+,\d+,", line)]
        assert rows, f"{metric}: the processor printed no intervals:\n{table}\n{done.stderr}"
        # Timestamp, Int_Count, Int_50%, Int_90%, Int_Max, Total_Count, Total_50%, 90%, 99%, 99.9%, 99.99%, Total_Max
        last, ours = rows[-1], summary["metrics"][metric]
        assert int(last[5]) == ours["count"], (metric, last, ours)
        for column, name in ((6, "p50"), (7, "p90"), (8, "p99"), (9, "p99_9"), (11, "max")):
            if ours[name] is not None:
                assert abs(float(last[column]) - ours[name]) < 0.0006, (metric, name, last[column], ours[name])
        print(f"java: {metric}: {last[5]} values, p50 {last[6]} ms, p99 {last[8]} ms, as in summary.json")


PYTHON_READER = r"""
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
log, tags = sys.argv[1], json.loads(sys.argv[2])
sums = {tag or "": HdrHistogram(1, 3600000000, 3) for tag in tags}
reader = HistogramLogReader(log, HdrHistogram(1, 3600000000, 3))
while True:
    h = reader.get_next_interval_histogram()
    if h is None: break
    if (h.get_tag() or "") in sums: sums[h.get_tag() or ""].add(h)
def at_rank(h, rank):
    run = 0
    for item in h.get_recorded_iterator():
        run += item.count_added_in_this_iter_step
        if run >= rank: return h.get_highest_equivalent_value(item.value_iterated_to)
print(json.dumps({tag: {"count": h.get_total_count(), **{str(p): [h.get_value_at_percentile(p), at_rank(h, int(p / 100 * h.get_total_count() + 0.5) + 1)]
      for p in (50, 90, 95, 99)}} for tag, h in sums.items()}))
"""


def check_python(python):
    def check(summary, log):
        tags = json.dumps([tag_of(m) for m in METRICS])
        done = subprocess.run([python, "-c", PYTHON_READER, str(log), tags], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        for tag, theirs in json.loads(done.stdout).items():
            ours = summary["metrics"][tag or "e2e"]
            assert theirs["count"] == ours["count"], (tag, theirs, ours)
            for p, (low, high) in ((p, v) for p, v in theirs.items() if p != "count"):
                mine = ours["p" + p]
                # Its rank rounds half up, ours rounds up: the same value or the next one.
                assert mine is None or low / 1000 - 1e-9 <= mine <= (high or low) / 1000 + 1e-9, (tag, p, low, high, mine)
            print(f"python: {tag or 'e2e'}: {theirs['count']} values, percentiles within one rank of summary.json")
    return check


if __name__ == "__main__":
    if sys.argv[1] == "java":
        harness.need("java", "default-jre-headless")
        if not JAR.exists():
            harness.skip(f"{JAR} is not there (Debian package libhdrhistogram-java)")
        make_run(check_java)
    else:
        make_run(check_python(harness.venv_python(sys.argv[2], "hdrh", "hdrhistogram==0.10.8")))
