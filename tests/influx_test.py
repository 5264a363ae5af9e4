#!/usr/bin/env python3
"""A run recorded into a real InfluxDB: every point offered is there, and percentiles recomputed from it are the run's own."""
import json
import math
import os
import urllib.request
from unittest import mock

import harness
from harness import Server, load, run_dir
from influxd import Influxd

DB = "llm"
# Each measurement has one field that all of its points carry.
COUNTED = {"llm_request": "chunks", "llm_interval": "sent", "llm_hdr": "n", "llm_event": "text", "llm_load": "sent",
           "exporter": "offered"}


def flags(server, out, *more):
    return (out, harness.SOURCE / "scenarios" / "dual-model-mix.yaml", "--target", server.url, "--concurrency", 40, "--duration", "4s",
            "--warmup", "1s", *more)


class Recorded(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.influx = Influxd()
        with Server(ttft="20ms", gap="1ms") as server, run_dir() as out:
            cls.run_ = load(*flags(server, out, "--influx", f"{cls.influx.url}/{DB}"))
            assert cls.run_.code in (0, 2, 3, 4), cls.run_
            cls.summary = cls.run_.summary
            cls.points = (out / "points.lp").read_text().splitlines()
            cls.requests = cls.run_.requests

    @classmethod
    def tearDownClass(cls):
        cls.influx.__exit__()

    def test_every_point_offered_is_stored(self):
        account = self.summary["exporters"]["influx"]
        self.assertEqual(account["offered"], account["stored"])
        self.assertEqual((account["rejected"], account["spilled"]), (0, 0))
        stored = {m: self.influx.count(m, field, DB) for m, field in COUNTED.items()}
        self.assertEqual(sum(stored.values()), account["stored"], stored)
        self.assertEqual(stored["llm_request"], len(self.requests))

    def test_the_account_was_checked_by_a_query(self):
        account = self.summary["exporters"]["influx"]
        found = {m: row["found"] for m, row in account["in_database"]["measurements"].items()}
        self.assertEqual(found, {m: self.influx.count(m, field, DB) for m, field in COUNTED.items() if m in found})
        self.assertEqual(account["in_database"]["found"], account["stored"])
        self.assertIn(f"the database holds {account['stored']}", self.run_.stdout)

    def test_intervals_add_up_to_the_requests(self):
        by_entry = {}
        for request in self.requests:
            sums = by_entry.setdefault(request["entry"], {"done": 0, "failed": 0, "tok_in": 0})
            sums["done"] += request["outcome"] == "ok"
            sums["failed"] += request["outcome"] not in ("ok", "cancelled")
        for entry, sums in by_entry.items():
            row = self.influx.rows('SELECT sum("done") AS done, sum("failed") AS failed, sum("sent") AS sent FROM "llm_interval" '
                                   f"WHERE \"entry\" = '{entry}'", DB)[0]
            self.assertEqual((row["done"], row["failed"]), (sums["done"], sums["failed"]), entry)
            self.assertEqual(row["sent"], sum(r["entry"] == entry and "send_ns" in r["stamps"] for r in self.requests), entry)

    def test_the_slowest_request_is_the_same_in_every_view(self):
        """Raw, by the second and as slots: the longest e2e differs by the width of a slot at most."""
        raw = max(r["metrics"]["e2e"] for r in self.requests if r["phase"] == "measure" and r["outcome"] == "ok")
        by_second = self.influx.rows('SELECT max("e2e_max") AS m FROM "llm_interval"', DB)[0]["m"] * 1000
        slots = self.influx.rows('SELECT max("value_us") AS m FROM "llm_hdr" WHERE "metric" = \'e2e\'', DB)[0]["m"] / 1000
        logged = self.summary["metrics"]["e2e"]["max"]
        for view in (by_second, slots, logged):
            self.assertAlmostEqual(view / raw, 1, delta=0.002)

    def test_the_file_holds_the_same_points(self):
        for measurement, field in COUNTED.items():
            if measurement == "exporter":
                continue
            in_file = sum(line.startswith((measurement + ",", measurement + " ")) for line in self.points)
            self.assertEqual(in_file, self.influx.count(measurement, field, DB), measurement)

    def percentiles(self, metric, entry=None):
        where = f"\"metric\" = '{metric}'" + (f" AND \"entry\" = '{entry}'" if entry else "")
        counts = {}
        for row in self.influx.rows(f'SELECT "slot", "value_us", "n" FROM "llm_hdr" WHERE {where}', DB):
            counts[int(row["slot"])] = (row["value_us"], counts.get(int(row["slot"]), (0, 0))[1] + row["n"])
        total = sum(n for _, n in counts.values())
        result = {}
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
            target, run = max(1, math.ceil(math.nextafter(q * 100, -math.inf) * total / 100)), 0
            for _, (value, n) in sorted(counts.items()):
                run += n
                if run >= target:
                    result[name] = value / 1000
                    break
        return total, result

    def check(self, ours, metric, entry=None):
        total, recomputed = self.percentiles(metric, entry)
        self.assertEqual(total, ours["count"])
        for name, value in recomputed.items():
            if ours[name] is not None:
                self.assertAlmostEqual(ours[name], value, places=6, msg=f"{metric} {name} {entry or ''}")

    def test_percentiles_from_the_stored_slots_are_the_summarys(self):
        for metric in ("ttft", "tpot", "icl", "e2e"):
            self.check(self.summary["metrics"][metric], metric)
        for entry, part in self.summary["mix"].items():
            self.check(part["metrics"]["e2e"], "e2e", entry)

    def test_percentiles_by_influxql_are_within_a_rank(self):
        rows = self.influx.rows("SELECT percentile(\"e2e\", 95) AS p FROM \"llm_request\" WHERE \"phase\" = 'measure' AND \"outcome\" = 'ok'", DB)
        values = sorted(r["metrics"]["e2e"] for r in self.requests if r["phase"] == "measure" and r["outcome"] == "ok")
        rank = math.ceil(0.95 * len(values))
        self.assertGreaterEqual(rows[0]["p"] * 1000, values[rank - 2] - 1e-6)
        self.assertLessEqual(rows[0]["p"] * 1000, values[rank] + 1e-6)


class Credentials(harness.Test):
    def test_from_the_environment_and_never_on_paper(self):
        with Influxd("writer", "s3cret pass") as influx, Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            influx.query(f"CREATE DATABASE {DB}")
            common = ("--target", server.url, "--route", "tgi", "--concurrency", 2, "--requests", 6, "--warmup", "0s", "--max-new-tokens", 3,
                      "--influx", f"{influx.url}/{DB}")
            refused = load(out, *common)
            self.assertCode(refused, 1)
            self.assertIn("LOADGEN_INFLUX_USER", refused.stderr)
            run = load(out, *common, env={"LOADGEN_INFLUX_USER": "writer", "LOADGEN_INFLUX_PASSWORD": "s3cret pass"})
            self.assertCode(run, 0)
            self.assertEqual(influx.count("llm_request", "chunks", DB), 6)
            for path in out.iterdir():
                self.assertNotIn(b"s3cret", path.read_bytes(), path.name)
            self.assertNotIn("s3cret", run.stdout + run.stderr)


class Conflict(harness.Test):
    def test_a_field_of_another_type_is_told_before_the_first_request(self):
        with Influxd() as influx, Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            influx.query(f"CREATE DATABASE {DB}")
            influx.write(DB, "llm_request,run=old chunks=1.5 1")
            run = load(out, "--target", server.url, "--route", "tgi", "--concurrency", 2, "--requests", 6, "--warmup", "0s", "--influx",
                       f"{influx.url}/{DB}")
            self.assertCode(run, 1)
            self.assertIn("field llm_request.chunks is float there and integer here", run.stderr)
            self.assertIn("drop the measurement llm_request", run.stderr)
            self.assertEqual(server.truth(), [], "nothing was sent")


class TooLarge(harness.Test):
    def test_a_server_that_takes_little_at_a_time_gets_all_in_pieces(self):
        """A real one answers 413 to a batch over its limit, and ends the connection."""
        with mock.patch.dict(os.environ, {"INFLUXDB_HTTP_MAX_BODY_SIZE": "20000"}):
            influx = Influxd()
        with influx, Server(ttft="20ms", gap="1ms") as server, run_dir() as out:
            run = load(*flags(server, out, "--influx", f"{influx.url}/{DB}"))
            self.assertIn(run.code, (0, 2, 3, 4), run)
            account = run.summary["exporters"]["influx"]
            self.assertEqual((account["stored"], account["rejected"], account["spilled"]), (account["offered"], 0, 0))
            self.assertEqual(sum(influx.count(m, field, DB) for m, field in COUNTED.items()), account["offered"])
            statistics = json.load(urllib.request.urlopen(influx.url + "/debug/vars", timeout=20))
            refused = sum(values["values"].get("clientError", 0) for name, values in statistics.items() if name.startswith("httpd"))
            self.assertGreater(refused, 0, "the limit was never reached, so nothing was seen")


class Outage(harness.Test):
    def test_a_database_that_dies_leaves_a_spill_file_that_accounts_for_everything(self):
        with Influxd() as influx, Server(ttft="20ms", gap="2ms") as server, run_dir() as out:
            process = harness.start_loadgen("run", "--target", server.url, "--route", "tgi-stream", "--concurrency", 8, "--duration", "4s",
                                            "--warmup", "0s", "--max-new-tokens", 10, "--out", out, "--quiet", "--influx", f"{influx.url}/{DB}")
            self.assertTrue(harness.until((out / "points.lp").exists))  # the database is made
            self.assertTrue(harness.until(lambda: influx.count("llm_request", "chunks", DB) > 0))
            influx.process.kill()
            stdout, stderr = process.communicate(timeout=300)
            self.assertIn(process.returncode, (4, 5), stdout + stderr)
            account = json.loads((out / "summary.json").read_text())["exporters"]["influx"]
            self.assertEqual(account["offered"], account["stored"] + account["rejected"] + account["spilled"])
            self.assertGreater(account["stored"], 0)
            self.assertGreater(account["spilled"], 0)
            spill = [p for p in out.iterdir() if "spill" in p.name]
            self.assertEqual(len(spill), 1, list(out.iterdir()))
            self.assertEqual(len(spill[0].read_text().splitlines()), account["spilled"])


if __name__ == "__main__":
    harness.main()
