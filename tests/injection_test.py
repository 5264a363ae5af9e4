#!/usr/bin/env python3
"""A hostile target and hostile names: whatever they say, the database gets the measurements, tags and fields that it should."""
import http.server
import json
import threading

import harness
from harness import load, run_dir
from influxd import Influxd
from line_protocol import points

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
    return {"schema_version": 1, "name": "hostile", "target": url, "load": {"mode": "closed", "concurrency": 4}, "requests": 160, "warmup": "0s",
            "mix": [{**entry, "name": f"e{i}", "model": model} for i, model in enumerate(MODELS)]}


class Injection(harness.Test):
    def test_hostile_texts_stay_texts(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Influxd() as influx, run_dir() as out:
            try:
                out.parent.mkdir(exist_ok=True)
                file = out.parent / "hostile.json"
                file.write_text(json.dumps(scenario(f"http://127.0.0.1:{server.server_port}")))
                run = load(out, file, "--influx", f"{influx.url}/{DB}")
            finally:
                server.shutdown()
                server.server_close()
            self.assertTrue((out / "summary.json").exists(), repr(run))
            account = run.summary["exporters"]["influx"]
            self.assertEqual((account["offered"], account["rejected"], account["spilled"]), (account["stored"], 0, 0), account)
            self.assertEqual(account["in_database"]["found"], account["stored"])
            self.check_file(out, run)
            self.assertLessEqual({s["name"] for s in influx.query("SHOW FIELD KEYS", DB)}, MEASUREMENTS)
            self.assertEqual({row["name"] for row in influx.rows("SHOW MEASUREMENTS", DB)} - MEASUREMENTS, set())
            self.assertEqual({row["tagKey"] for row in influx.rows('SHOW TAG KEYS FROM "llm_request"', DB)} - TAGS["llm_request"], set())
            stored = influx.rows('SELECT "id", "error", "entry", "model" FROM "llm_request"', DB)
            self.check_rows(out, stored, run)

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


if __name__ == "__main__":
    harness.main()
