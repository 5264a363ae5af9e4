#!/usr/bin/env python3
"""The later interfaces of InfluxDB: 2 against VictoriaMetrics, 3 against a server of this test, which reads every line by itself."""
import collections
import gzip
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import harness
from harness import Server, load, run_dir
from influxd import Influxd
from line_protocol import points


def flags(server, *more):
    return ("--target", server.url, "--route", "tgi-stream", "--concurrency", 4, "--requests", 60, "--warmup", "0s", "--max-new-tokens", 5, *more)


class VictoriaMetrics:
    """On a free loopback port, in a folder of its own."""

    def __init__(self):
        program = harness.need("victoria-metrics", "victoria-metrics")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="victoria-"))
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(self.dir / "log", "w")
        self.process = subprocess.Popen([program, f"-storageDataPath={self.dir}/data", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12",
                                         "-search.latencyOffset=0s", "-loggerLevel=WARN"], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(self.url + "/health", timeout=1)
                return
            except OSError:
                assert time.monotonic() < deadline, (self.dir / "log").read_text()
                time.sleep(0.05)

    def values(self, series):
        """All raw values of a series name, over all label sets."""
        query = urllib.parse.urlencode({"match[]": series})
        with urllib.request.urlopen(f"{self.url}/api/v1/export?{query}", timeout=30) as answer:
            return [v for line in answer for v in json.loads(line)["values"]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Second(harness.Test):
    def test_every_request_gets_through_the_v2_interface(self):
        with VictoriaMetrics() as database, Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, *flags(server, "--influx", f"{database.url}/bench", "--influx-org", "acme", "--influx-gzip", "on"),
                       env={"LOADGEN_INFLUX_TOKEN": "t0ken"})
            self.assertCode(run, 0)
            account = run.summary["exporters"]["influx"]
            self.assertEqual(account["offered"], account["stored"])
            self.assertIsNone(account["in_database"], "it knows no Flux")
            harness.until(lambda: len(database.values("llm_request_chunks")) >= 60)
            chunks = database.values("llm_request_chunks")
            self.assertEqual(sorted(chunks), sorted(r["chunks"] for r in run.requests))

    def test_a_server_of_another_generation_is_told_before_the_run(self):
        with Influxd() as influx, Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            for more, path in ((("--influx-org", "acme"), "/api/v2/write"), (("--influx-api", "v3"), "/api/v3/write_lp")):
                run = load(out, *flags(server, "--influx", f"{influx.url}/llm", *more))
                self.assertCode(run, 1)
                self.assertIn(f"there is no {path}", run.stderr)
            self.assertEqual(server.truth(), [], "nothing was sent")


class Third(http.server.BaseHTTPRequestHandler):
    """As much of InfluxDB 3 as is spoken to. Refuses the first two writes: one for a moment, one with one bad line."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def may(self):
        if self.headers["Authorization"] == "Bearer s3cret":
            return True
        self.answer(401, '{"error":"unauthorized"}')
        return False

    def do_GET(self):
        if not self.may():
            return
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/ping":
            return self.answer(200, '{"version":"3.0.0"}')
        question = urllib.parse.parse_qs(url.query)["q"][0]
        self.server.questions.append(question)
        if "information_schema" in question:
            return self.answer(200, json.dumps(self.server.columns))
        measurement = question.split('FROM "')[1].split('"')[0]
        run = question.split("= '")[1].split("'")[0]
        n = len({(t, tuple(sorted(tags.items()))) for m, tags, _, t in self.server.points if m == measurement and tags["run"] == run})
        return self.answer(200, json.dumps([{"n": n}]))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.may():
            return
        assert self.path == "/api/v3/write_lp?db=bench&precision=nanosecond", self.path
        if not body:
            return self.answer(400, "incoming write was empty")
        assert self.headers["Content-Encoding"] == "gzip"
        self.server.writes += 1
        if self.server.writes == 1:
            return self.answer(429, "later", Retry_After="1")
        got = list(points(gzip.decompress(body).decode()))
        if self.server.writes > 2:
            self.server.points += got
            return self.answer(204)
        self.server.points += got[1:]
        self.server.lost += got[:1]
        bad = {"original_line": "?", "line_number": 1, "error_message": "invalid column type"}
        return self.answer(400, json.dumps({"error": "partial write of line protocol occurred", "data": [bad]}))


class ThirdTest(harness.Test):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Third)
        self.server.questions, self.server.points, self.server.lost, self.server.writes, self.server.columns = [], [], [], 0, []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.flags = ("--influx", f"http://127.0.0.1:{self.server.server_port}/bench", "--influx-api", "v3", "--influx-gzip", "on")

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def test_the_account_is_what_the_server_says(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, *flags(server, *self.flags), env={"LOADGEN_INFLUX_TOKEN": "s3cret"})
            self.assertCode(run, 5)
            account = run.summary["exporters"]["influx"]
            self.assertEqual((account["rejected"], account["spilled"], account["dropped"]), (1, 0, 0))
            self.assertEqual(account["stored"], len(self.server.points))
            self.assertEqual(account["offered"], account["stored"] + 1)
            found = collections.Counter(m for m, *_ in self.server.points)
            lost = collections.Counter(m for m, *_ in self.server.lost)
            self.assertEqual({m: row["found"] for m, row in account["in_database"]["measurements"].items()}, dict(found))
            self.assertEqual({m: row["offered"] for m, row in account["in_database"]["measurements"].items()}, dict(found + lost))
            self.assertNotIn("the database holds", " ".join(run.summary["warnings"]), "one lost is one rejected")

    def test_a_wrong_token_and_a_wrong_type_are_told_before_the_run(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, *flags(server, *self.flags), env={"LOADGEN_INFLUX_TOKEN": "other"})
            self.assertCode(run, 1)
            self.assertIn("the token is missing or wrong", run.stderr)
            self.server.columns = [{"table_name": "llm_request", "column_name": "chunks", "data_type": "Float64"}]
            run = load(out, *flags(server, *self.flags), env={"LOADGEN_INFLUX_TOKEN": "s3cret"})
            self.assertCode(run, 1)
            self.assertIn("field llm_request.chunks is float there and integer here", run.stderr)
            self.assertEqual(server.truth(), [], "nothing was sent")


if __name__ == "__main__":
    harness.main()
