#!/usr/bin/env python3
"""A hostile target and hostile names: whatever they say, the database gets the measurements, tags and fields that it should."""
import contextlib
import csv
import http.server
import itertools
import json
import sys
import threading
import time

import harness
from exposition import Page
from harness import load, run_dir
from influxd import Influxd
from line_protocol import points
from observe_test import page_server
from prometheus_test import Pulled
from statsd_receivers import Recorder

DB = "llm"
MEASUREMENTS = {"llm_request", "llm_interval", "llm_hdr", "llm_event", "llm_load", "exporter"}
EVIL = ['a\nevil,x=1 v=1 1\n', '"\nevil v=1\n', '\\"\nevil v=1\n', 'end\\', '\r\nevil v=1\r\n', ",evil=1", " v=1i ", '",evil=1,x="', "\u2028\u4f60\u597d\U0001f600",
        "=" * 70_000, '"' * 65_536, "\\" * 65_536, "\nevil v=1" * 8_000, "\t\f\v\x7f", "# comment", "${jndi:x}"]
TAGS = {"llm_request": {"run", "entry", "scenario", "route", "phase", "target", "model", "outcome"}}


class Hostile(http.server.BaseHTTPRequestHandler):
    """Every answer is an error whose text is the next of EVIL."""
    protocol_version = "HTTP/1.1"
    turn = 0

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Hostile.turn += 1
        text = EVIL[Hostile.turn % len(EVIL)]
        body = json.dumps({"error": text, "error_type": text}).encode()
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST


MODELS = ["a,b=c d", 'say "hi"', "back\\slash\\", "\u4f60\u597d \U0001f600", "#x", "evil v=1", "time", "n" * 200, "C:\\dir\\ x=\"", "'; DROP"]


def scenario(url):
    entry = {"route": "tgi", "prompts": ["x"]}
    return {"schema_version": 1, "name": "hostile", "target": url, "load": {"mode": "closed", "concurrency": 16}, "requests": 160, "warmup": "0s",
            "mix": [{**entry, "name": f"e{i}", "model": model} for i, model in enumerate(MODELS)]}


class Injection(harness.Test):
    """One run against a target whose texts are hostile; some have 64 KB, some end cells, lines and strings."""

    @classmethod
    def setUpClass(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.influx = cls.enterClassContext(Influxd())
        cls.out = cls.enterClassContext(run_dir())
        cls.out.parent.mkdir(exist_ok=True)
        file = cls.out.parent / "hostile.json"
        file.write_text(json.dumps(scenario(f"http://127.0.0.1:{server.server_port}")))
        try:
            cls.run_ = load(cls.out, file, "--influx", f"{cls.influx.url}/{DB}")
        finally:
            server.shutdown()
            server.server_close()
        assert (cls.out / "summary.json").exists(), cls.run_

    def test_hostile_texts_stay_texts(self):
        influx, run, out = self.influx, self.run_, self.out
        account = run.summary["exporters"]["influx"]
        self.assertEqual((account["offered"], account["rejected"], account["spilled"]), (account["stored"], 0, 0), account)
        self.assertEqual(account["in_database"]["found"], account["stored"])
        self.check_file(out, run)
        self.assertLessEqual({s["name"] for s in influx.query("SHOW FIELD KEYS", DB)}, MEASUREMENTS)
        self.assertEqual({row["name"] for row in influx.rows("SHOW MEASUREMENTS", DB)} - MEASUREMENTS, set())
        self.assertEqual({row["tagKey"] for row in influx.rows('SHOW TAG KEYS FROM "llm_request"', DB)} - TAGS["llm_request"], set())
        stored = influx.rows('SELECT "id", "error", "entry", "model" FROM "llm_request"', DB)
        self.check_rows(out, stored, run)

    def test_in_tables_every_request_is_one_row_and_one_line(self):
        done = harness.loadgen("export", self.out, "--csv", self.out.parent / "table.csv")
        self.assertEqual(done.code, 0, done)
        csv.field_size_limit(sys.maxsize)
        with open(self.out.parent / "table.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        requests = self.run_.requests  # each line is one JSON object, or this raises
        self.assertEqual((len(rows), len(requests)), (160, 160))
        for row, request in zip(rows, requests):
            self.assertEqual((row["index"], row["entry"], row["model"], row["error"]),
                             (str(request["index"]), request["entry"], request["model"], request["error"]))
        for name in ("run.hlog", "mix.hlog"):
            tags = {line.split(",")[0] for line in (self.out / name).read_text().splitlines() if line.startswith("Tag=")}
            self.assertTrue(all(tag.isprintable() for tag in tags), tags)

    def check_file(self, out, run):
        file = list(points((out / "points.lp").read_bytes().decode()))
        self.assertEqual({m for m, *_ in file} - MEASUREMENTS, set())
        requests = [(tags, fields) for m, tags, fields, _ in file if m == "llm_request"]
        self.assertEqual(len(requests), 160)
        for tags, fields in requests:
            self.assertLessEqual(set(tags), TAGS["llm_request"])
        self.assertEqual({t["model"] for t, _ in requests}, {r["model"].rstrip("\\") for r in run.requests})

    def check_rows(self, out, stored, run):
        """The texts of the database are those of requests.jsonl, to the byte."""
        self.assertEqual(len(stored), 160)
        by_id = {str(r["index"]): r for r in run.requests}
        for row in stored:
            request = by_id[row["id"]]
            self.assertEqual(row["error"], request["error"])
            self.assertEqual((row["entry"], row["model"]), (request["entry"], request["model"].rstrip("\\")))


SAID = [text.replace("\r", "") for text in EVIL]  # the format of pages has no word for a carriage return


def label(text):
    """As a page of Prometheus has it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def hostile_page(turn):
    """A GPU exporter's and a server's page in one: whose names are, each, one of SAID."""
    lines = []
    for i, text in enumerate(SAID):
        gpu = f'gpu="{i}",UUID="{label(SAID[-1 - i])}",Hostname="{label(text)}",modelName="{label(text)}"'
        lines += [f"DCGM_FI_DEV_GPU_UTIL{{{gpu}}} {turn % 100}", f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{gpu}}} {turn * 1000}",
                  f'refserver_requests_running{{model="{i}{label(text)}"}} {turn % 7}']
    return 200, "\n".join(lines) + "\n"


class HostilePages(harness.Test):
    """What a GPU exporter and a server say becomes tags and labels: it stays in them, in every view at once."""

    @classmethod
    def setUpClass(cls):
        turns = itertools.count(1)
        with harness.Server(ttft="2ms", gap="1ms") as server, page_server(lambda: hostile_page(next(turns))) as url, Influxd() as influx, \
                Recorder() as recorder, run_dir() as out:
            flags = ("--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 2, "--warmup", "0s", "--duration", "4s",
                     "--max-new-tokens", 3, "--gpu-source", f"dcgm:{url}", "--scrape", url, "--influx", f"{influx.url}/{DB}", "--statsd", recorder.address,
                     "--metrics-linger", "0s")
            with Pulled(out, *flags) as run:
                cls.page = Page("")
                while run.process.poll() is None and "llm_gpu_utilization_percent" not in cls.page.families:
                    with contextlib.suppress(OSError):  # the run may be over in between
                        cls.page = run.page()
                    time.sleep(0.1)
                cls.run_ = run.end()
            cls.summary = cls.run_.summary
            cls.lines = recorder.lines()  # each is a StatsD line, or this raises
            cls.stored = {name: influx.rows(f'SELECT * FROM "{name}"', DB) for name in ("gpu", "llm_server")}
            cls.tags = {name: {row["tagKey"] for row in influx.rows(f'SHOW TAG KEYS FROM "{name}"', DB)} for name in cls.stored}
            cls.measurements = {row["name"] for row in influx.rows("SHOW MEASUREMENTS", DB)}
            cls.file = list(points((out / "points.lp").read_bytes().decode()))

    def test_the_database(self):
        self.assertEqual(self.measurements - MEASUREMENTS, {"gpu", "llm_server"})
        account = self.summary["exporters"]["influx"]
        self.assertEqual((account["offered"], account["rejected"], account["spilled"]), (account["stored"], 0, 0), account)
        self.assertLessEqual(self.tags["gpu"], {"run", "host", "gpu", "uuid"})
        self.assertLessEqual(self.tags["llm_server"], {"run", "target", "model"})
        self.assertEqual({row["gpu"] for row in self.stored["gpu"]}, {str(i) for i in range(len(EVIL))})
        self.assertEqual(len({row["model"] for row in self.stored["llm_server"]}), len(EVIL))
        for name in ("gpu", "llm_server"):
            self.assertEqual(len(self.stored[name]), sum(measurement == name for measurement, *_ in self.file))

    def test_the_page_of_the_generator(self):
        self.assertTrue(all(name.startswith("llm_") for name in self.page.families))
        gpus = {dict(labels)["gpu"]: dict(labels) for name, labels in self.page.samples if name == "llm_gpu_utilization_percent"}
        self.assertEqual(set(gpus), {str(i) for i in range(len(EVIL))})
        self.assertTrue([gpus[str(i)]["host"] for i in range(len(SAID))] == SAID)

    def test_statsd(self):
        self.assertTrue(self.lines and all(line.name.startswith("llm.") for line in self.lines))

    def test_the_summary(self):
        gpus = {gpu["gpu"]: gpu for gpu in self.summary["observed"]["gpus"]}
        self.assertTrue([gpus[str(i)]["host"] for i in range(len(SAID))] == SAID)


if __name__ == "__main__":
    harness.main()
