#!/usr/bin/env python3
"""A run against a server whose times are known: counts agree everywhere, numbers agree with the server's truth log."""
import json

import harness
from harness import Server, load, nearest_rank, run_dir

METRICS = ("ttft", "ttft_sched", "tpot", "icl", "itl", "e2e", "e2e_sched", "lateness")
STATISTICS = ("count", "mean", "std", "min", "p50", "p90", "p95", "p99", "p99_9", "max")


class ClosedLoop(harness.Test):
    @classmethod
    def setUpClass(cls):
        with Server(ttft="30ms", gap="5ms") as server, run_dir() as out:
            cls.run_ = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 16,
                            "--duration", "3s", "--warmup", "500ms", "--max-new-tokens", 20, "--seed", 3)
            assert cls.run_.code in (0, 4), cls.run_
            cls.summary = cls.run_.summary
            cls.requests = cls.run_.requests
            cls.files = sorted(p.name for p in out.iterdir())
            cls.points = (out / "points.lp").read_text().splitlines()
            cls.truth = {t["client_id"]: t for t in server.truth()}

    def test_the_run_directory_is_complete(self):
        for name in ("summary.json", "report.html", "points.lp", "requests.jsonl"):
            self.assertIn(name, self.files)
        self.assertTrue(any(name.endswith(".hlog") for name in self.files), self.files)

    def test_the_summary_has_its_documented_shape(self):
        s = self.summary
        self.assertEqual(s["schema_version"], 1)
        self.assertEqual(s["verdict"], "none")
        self.assertIn(s["validity"]["status"], ("VALID", "SUSPECT", "INVALID"))
        self.assertEqual(len(s["mix"]), 1)
        for where in (s, *s["mix"].values()):
            for metric in METRICS:
                for statistic in STATISTICS:
                    self.assertIn(statistic, where["metrics"][metric], metric)
        for metric in ("ttft_sched", "e2e_sched", "lateness"):  # closed loop: not defined, present all the same
            self.assertEqual(s["metrics"][metric]["count"], 0)
            self.assertIsNone(s["metrics"][metric]["p50"])

    def test_every_request_the_server_saw_has_a_line_and_is_counted(self):
        self.assertEqual(len(self.requests), len(self.truth))
        self.assertEqual(self.summary["counts"]["sent"], len(self.requests))
        measured = [r for r in self.requests if r["phase"] == "measure"]
        self.assertEqual(self.summary["counts"]["measured"], len(measured))
        self.assertEqual(self.summary["metrics"]["e2e"]["count"], sum(r["outcome"] == "ok" for r in measured))
        self.assertEqual({r["outcome"] for r in measured}, {"ok"})
        self.assertTrue(any(r["phase"] == "warmup" for r in self.requests))
        self.assertEqual(sum(line.startswith("llm_request,") for line in self.points), len(self.requests))

    def test_percentiles_follow_from_the_request_lines(self):
        measured = [r for r in self.requests if r["phase"] == "measure" and r["outcome"] == "ok"]
        for metric in ("ttft", "tpot", "e2e"):
            values = [r["metrics"][metric] for r in measured]
            for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95)):
                expected = nearest_rank(values, quantile)
                self.assertAlmostEqual(self.summary["metrics"][metric][name], expected, delta=expected * 0.0011 + 0.001)
            self.assertAlmostEqual(self.summary["metrics"][metric]["mean"], sum(values) / len(values), places=2)

    def test_latencies_agree_with_the_truth_log(self):
        # Per request, on one clock: the client can only see a token after the server wrote it.
        for r in self.requests:
            if r["outcome"] != "ok":
                continue
            truth = next(t for key, t in self.truth.items() if key.endswith(f"-{r['index']}"))
            delay_ms = (r["stamps"]["first_token_ns"] - truth["achieved_ns"][0]) * 1e-6
            self.assertGreater(delay_ms, -0.001)
            self.assertLess(delay_ms, 20_000)  # a busy machine may be slow; another clock would be wrong by more
            self.assertEqual(r["output_tokens"], 20)
            self.assertEqual(len(truth["due_ns"]), 20)

    def test_receive_stamps_are_the_kernels_and_the_delay_of_reads_is_told(self):
        generator = self.summary["generator"]
        self.assertGreater(generator["kernel_stamped_share"], 0.99)
        window = self.summary["phases"]["measure"]
        inside = [r for r in self.requests if window["begin_ns"] <= r["stamps"]["send_ns"] and r["stamps"]["end_ns"] <= window["end_ns"]]
        self.assertGreater(len(inside), 10)
        # A read that brings several tokens counts each of them as coalesced; every other token has a read of its own.
        self.assertGreaterEqual(generator["reads"], sum(r["output_tokens"] - r["coalesced_events"] for r in inside))
        self.assertEqual(generator["recv_delay"]["count"], round(generator["reads"] * generator["kernel_stamped_share"]))
        self.assertLess(generator["clock_error_ns"], 100_000)
        self.assertEqual(self.summary["counts"]["index_breaks"], 0)
        answered = [r for r in self.requests if r["outcome"] == "ok"]
        stamped = [r for r in answered if r["stamp_source"] == "kernel"]
        self.assertGreater(len(stamped), 0.9 * len(answered))
        for r in stamped:
            self.assertLessEqual(r["recv_delay_first_ms"], r["recv_delay_max_ms"])
            self.assertGreaterEqual(r["recv_delay_max_ms"], 0)

    def test_rates_follow_from_the_request_lines(self):
        s = self.summary
        self.assertAlmostEqual(s["rates"]["error_rate"], 0)
        tokens = s["rates"]["output_token_throughput"]
        requests = s["rates"]["request_throughput"]
        # 16 answers are under way where the window begins and where it ends: their tokens may be inside and they not.
        self.assertAlmostEqual(tokens / requests, 20, delta=20 * 16 / s["counts"]["ok"] + 0.1)
        self.assertLessEqual(s["rates"]["concurrency_mean"], 16.01)


class OpenLoop(harness.Test):
    def test_schedule_anchored_values_and_the_planned_rate(self):
        with Server(ttft="20ms", gap="2ms") as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "openai-chat", "--model", "llama3", "--rate", 100,
                       "--arrivals", "poisson", "--duration", "3s", "--warmup", "0s", "--max-new-tokens", 5)
            self.assertCode(run, 0)
            s = run.summary
            n = s["metrics"]["e2e"]["count"]
            for metric in ("ttft_sched", "e2e_sched", "lateness"):
                self.assertEqual(s["metrics"][metric]["count"], n)
            self.assertGreaterEqual(s["metrics"]["e2e_sched"]["p50"], s["metrics"]["e2e"]["p50"] * 0.998)
            self.assertAlmostEqual(s["rates"]["offered_rate"], s["rates"]["planned_rate"], delta=1.5)
            for r in run.requests:
                self.assertGreaterEqual(r["stamps"]["send_ns"], r["stamps"]["intended_ns"])

    def test_a_fixed_number_of_requests_is_sent_exactly(self):
        for load_flags in (("--concurrency", 7), ("--rate", 200)):
            with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
                run = load(out, "--target", server.url, "--route", "tgi", "--model", "qwen2", *load_flags, "--requests", 50,
                           "--warmup", "0s", "--max-new-tokens", 3)
                self.assertCode(run, 0)
                self.assertEqual(run.summary["counts"]["ok"], 50)
                self.assertEqual(len(run.requests), 50)
                self.assertEqual(len(server.truth()), 50)

    def test_the_same_seed_sends_the_same_plan(self):
        seen = []
        for seed in (5, 5, 6):
            with Server(ttft="1ms", gap="1ms") as server, run_dir() as out:
                run = load(out, harness.SOURCE / "scenarios" / "smoke.yaml", "--target", server.url, "--seed", seed)
                self.assertIn(run.code, (0, 3, 4), run)
                seen.append({r["index"]: r["entry"] for r in run.requests})
        common = min(map(len, seen))
        self.assertGreater(common, 5)
        first, same, other = ([plan[i] for i in range(common)] for plan in seen)
        self.assertEqual(first, same)
        self.assertNotEqual(first, other)


class Recording(harness.Test):
    def test_summary_level_writes_no_raw_files(self):
        with Server() as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "gateway", "--model", "qwen2", "--concurrency", 2, "--requests", 4,
                       "--warmup", "0s", "--max-new-tokens", 3, "--record", "summary")
            self.assertCode(run, 0)
            names = {p.name for p in out.iterdir()}
            self.assertIn("summary.json", names)
            self.assertNotIn("requests.jsonl", names)
            self.assertNotIn("points.lp", names)

    def test_a_used_run_directory_is_refused(self):
        with Server() as server, run_dir() as out:
            flags = ("--target", server.url, "--route", "tgi", "--concurrency", 1, "--requests", 1, "--warmup", "0s")
            self.assertIn(load(out, *flags).code, (0, 4))
            before = (out / "summary.json").read_text()
            again = load(out, *flags)
            self.assertEqual(again.code, 73)
            self.assertIn(str(out), again.stderr)
            self.assertEqual((out / "summary.json").read_text(), before)


if __name__ == "__main__":
    harness.main()
