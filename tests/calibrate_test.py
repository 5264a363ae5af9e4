#!/usr/bin/env python3
"""What this machine is short of, and what it adds to a server's times: doctor and calibrate as users run them."""
import pathlib

import harness
from harness import loadgen, run_dir

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


if __name__ == "__main__":
    harness.main()
