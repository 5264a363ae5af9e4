#!/usr/bin/env python3
"""What a database did not get during a run gets there afterwards, every point once; tables hold every request."""
import csv
import json

import harness
from harness import Server, load, loadgen, run_dir
from influxd import Influxd
from line_protocol import points

DB = "llm"
COUNTED = {"llm_request": "chunks", "llm_interval": "sent", "llm_hdr": "n", "llm_event": "text", "llm_load": "sent", "exporter": "offered"}


def start_run(server, influx, out, seconds):
    return harness.start_loadgen("run", "--target", server.url, "--route", "tgi-stream", "--concurrency", 8, "--duration", f"{seconds}s",
                                 "--warmup", "0s", "--max-new-tokens", 10, "--out", out, "--quiet", "--influx", f"{influx.url}/{DB}")


class Replay(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.influx = Influxd()
        cls.place = run_dir()
        cls.out = cls.place.__enter__()
        with Server(ttft="20ms", gap="2ms") as server:
            process = start_run(server, cls.influx, cls.out, 3)
            assert harness.until((cls.out / "points.lp").exists)  # the pre-flight is over
            cls.influx.kill()
            cls.stdout, cls.stderr = process.communicate(timeout=300)
        cls.code = process.returncode
        cls.summary = json.loads((cls.out / "summary.json").read_text())
        cls.influx.start()

    @classmethod
    def tearDownClass(cls):
        cls.influx.__exit__()
        cls.place.__exit__(None, None, None)

    def stored(self, db):
        return {m: n for m, field in COUNTED.items() if (n := self.influx.count(m, field, db))}

    def test_1_a_database_that_is_down_all_the_time_leaves_everything_in_the_spill_file(self):
        self.assertIn(self.code, (4, 5), self.stdout + self.stderr)
        account = self.summary["exporters"]["influx"]
        self.assertGreater(account["offered"], 100)
        self.assertEqual(account["offered"], account["stored"] + account["spilled"])
        spilled = list(points((self.out / "influx-spill.lp").read_text()))
        self.assertEqual(len(spilled), account["spilled"])
        self.assertIsNone(account["in_database"])
        self.assertIn("could not be counted", " ".join(self.summary["warnings"]))

    def test_2_the_spill_file_is_sent_and_every_point_is_there_once(self):
        account = self.summary["exporters"]["influx"]
        for _ in range(2):  # again changes nothing
            sent = loadgen("export", self.out, "--influx", f"{self.influx.url}/{DB}", "--quiet")
            self.assertEqual(sent.code, 0, repr(sent))
            self.assertIn(f"{account['spilled']} of {account['spilled']} points stored", sent.stdout)
            self.assertEqual(sum(self.stored(DB).values()), account["offered"])

    def test_3_points_and_requests_can_be_sent_too(self):
        file = list(points((self.out / "points.lp").read_text()))
        sent = loadgen("export", self.out, "--from", "points", "--influx", f"{self.influx.url}/points")
        self.assertEqual(sent.code, 0, repr(sent))
        self.assertEqual(sum(self.stored("points").values()), len(file))
        sent = loadgen("export", self.out / "requests.jsonl", "--influx", f"{self.influx.url}/requests", "--influx-gzip", "on")
        self.assertEqual(sent.code, 0, repr(sent))
        requests = [p for p in file if p[0] == "llm_request"]
        self.assertEqual(self.stored("requests"), {"llm_request": len(requests)})
        rows = self.influx.rows('SELECT "e2e", "id" FROM "llm_request"', "requests")
        self.assertEqual(sorted((r["id"], r["time"], r.get("e2e")) for r in rows),
                         sorted((f["id"], t, f.get("e2e")) for _, _, f, t in requests))

    def test_4_what_the_database_refuses_is_counted(self):
        self.influx.query("CREATE DATABASE bad")
        self.influx.write("bad", "m v=1i 1")
        file = self.out / "kept.lp"
        file.write_text("# two of these are fine\nm v=2i 2\nm v=2.5 3\nm v=\nm v=3i 4\n")
        sent = loadgen("export", file, "--influx", f"{self.influx.url}/bad")
        self.assertEqual(sent.code, 5, repr(sent))
        self.assertRegex(sent.stdout, r"[23] of 4 points stored")  # of two kinds of refusal in a batch it reports one
        self.assertIn("is unchanged", sent.stderr)
        self.assertEqual(self.influx.count("m", "v", "bad"), 3)

    def test_5_what_is_not_there_is_said(self):
        url = f"{self.influx.url}/{DB}"
        for arguments, code, says in (((self.out / "nothing",), 65, "does not exist"), ((self.out / "report.html",), 5, "points stored"),
                                      ((self.out, "--from", "spill", "--influx-rp", "nope"), 1, "there is no retention policy nope"),
                                      ((self.out.parent, "--from", "points"), 65, "points.lp")):
            run = loadgen("export", *arguments, "--influx", url)
            self.assertEqual(run.code, code, repr(run))
            self.assertIn(says, run.stdout + run.stderr)
        nobody = loadgen("export", self.out, "--influx", "http://127.0.0.1:1/x")
        self.assertEqual(nobody.code, 1)
        self.assertIn("cannot be reached", nobody.stderr)


class Table(harness.Test):
    def test_every_request_is_a_row(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--concurrency", 4, "--requests", 40, "--warmup", "0s",
                       "--max-new-tokens", 5)
            self.assertCode(run, 0)
            table = out / "table.csv"
            made = loadgen("export", out, "--csv", table)
            self.assertEqual(made.code, 0, repr(made))
            self.assertEqual(table.read_bytes().count(b"\r\n"), 41)
            with open(table, newline="") as f:
                rows = list(csv.DictReader(f, strict=True))
            self.assertEqual(len(rows), len(run.requests))
            for row, request in zip(rows, run.requests):
                self.assertEqual(int(row["index"]), request["index"])
                self.assertEqual(row["outcome"], request["outcome"])
                self.assertEqual(int(row["send_ns"]), request["stamps"]["send_ns"])
                self.assertEqual(float(row["e2e"]), request["metrics"]["e2e"])
            again = loadgen("export", out, "--csv", table)
            self.assertEqual(again.code, 73, repr(again))


if __name__ == "__main__":
    harness.main()
