#!/usr/bin/env python3
"""What this machine is short of, and what it adds to a server's times: doctor and calibrate as users run them."""
import pathlib

import harness
from harness import Server, load, loadgen, run_dir

SMOKE = harness.SOURCE / "scenarios" / "smoke.yaml"


class Doctor(harness.Test):
    def test_every_limit_is_judged(self):
        run = loadgen("doctor")
        self.assertIn(run.code, (0, 4), run)
        for name in ("open_files", "local_ports", "listen_backlog", "cpu", "clock_source", "governor", "steal", "other_load"):
            self.assertRegex(run.stdout, rf"(?m)^  (ok|short|unknown) +{name} ")
        self.assertEqual(run.code, 4 if "\n  short" in run.stdout else 0)

    def test_a_load_that_is_too_large_is_short_of_ports(self):
        with run_dir() as out:
            out.mkdir(parents=True)
            scenario = out / "huge.yaml"
            scenario.write_text("schema_version: 1\nname: huge\ntarget: http://127.0.0.1:1\nroute: tgi\nduration: 1s\n"
                                "load: {mode: closed, concurrency: 100000}\nmix: [{name: a}]\n")
            run = loadgen("doctor", scenario)
            self.assertEqual(run.code, 4, run)
            self.assertRegex(run.stdout, r"short +local_ports ")
            self.assertIn("ip_local_port_range", run.stdout)
            self.assertEqual(loadgen("doctor", out / "none.yaml").code, 64)


class Calibrate(harness.Test):
    def test_the_error_of_this_machine_is_printed(self):
        with run_dir() as out:
            run = loadgen("calibrate", SMOKE, "--concurrency", 4, "--duration", "2s", "--warmup", "0s", "--true-ttft", "30ms",
                          "--true-gap", "5ms", "--out", out, "--quiet")
            run.out = out
            self.assertIn(run.code, (0, 4), run)
            truth = run.summary["truth"]
            self.assertEqual(truth["matched"], run.summary["counts"]["ok"])
            self.assertEqual(truth["missing_in_truth"], 0)
            self.assertGreater(truth["metrics"]["ttft"]["p50"]["true"], 29.9)
            self.assertIn("against the truth", run.stdout)
            self.assertEqual([p.name for p in out.parent.iterdir()], [out.name], "the server's record is taken away")

    def test_a_server_that_is_not_one(self):
        with run_dir() as out:
            for server in ("/nonexistent", "/bin/true"):
                run = loadgen("calibrate", SMOKE, "--out", out, "--server", server)
                self.assertEqual(run.code, 69, run)
                self.assertIn("did not start", run.stderr)
            self.assertEqual(loadgen("calibrate", SMOKE, "--true-ttft", "soon").code, 64)
            self.assertEqual(loadgen("calibrate").code, 64)
            self.assertFalse(pathlib.Path(out / "summary.json").exists())


class TruthInAnswers(harness.Test):
    def drive(self, url, out, *more):
        return load(out, "--target", url, "--model", "qwen2", "--concurrency", 3, "--requests", 12, "--warmup", "0s",
                    "--max-new-tokens", 6, *more)

    def test_streams_and_whole_answers_bring_it(self):
        for route, metrics in (("tgi-stream", ("ttft", "tpot", "e2e")), ("openai-chat", ("ttft", "tpot", "e2e")), ("tgi", ("e2e",))):
            with self.subTest(route), Server(ttft="40ms", gap="5ms") as server, run_dir() as out:
                run = self.drive(server.url, out, "--route", route, "--truth", "stream")
                self.assertIn(run.code, (0, 4), run)
                truth = run.summary["truth"]
                self.assertEqual((truth["matched"], truth["missing_in_truth"], truth["missing_in_run"], truth["unreadable_lines"]), (12, 0, 0, 0))
                for metric in metrics:
                    self.assertGreater(truth["metrics"][metric]["max"]["true"], 4.9)
                    self.assertGreater(truth["metrics"][metric]["max"]["measured"], 4.9)
                logged = {t["client_id"] for t in server.truth()}
                self.assertEqual(len(logged), 12, "the server's own file knows the same requests")

    def test_a_server_that_does_not_say(self):
        with Server("--strict-tgi") as server, run_dir() as out:
            run = self.drive(server.url, out, "--route", "tgi-stream", "--truth", "stream")
            self.assertIn(run.code, (0, 4), run)
            self.assertEqual((run.summary["truth"]["matched"], run.summary["truth"]["missing_in_truth"]), (0, 12))
        run = loadgen("run", SMOKE, "--truth", "stream", "--record", "summary")
        self.assertEqual(run.code, 64, run)
        self.assertIn("--truth", run.stderr)


if __name__ == "__main__":
    harness.main()
