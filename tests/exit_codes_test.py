#!/usr/bin/env python3
"""Every exit code a CI pipeline can meet, from a real run each; and runs that are cut short."""
import json
import signal

import harness
from harness import Run, Server, deaf_port, load, loadgen, run_dir, start_loadgen, until


class ExitCodes(harness.Test):
    def flags(self, server, *more):
        return ("--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s", "--max-new-tokens", 5, *more)

    def test_gates_pass_and_fail(self):
        with Server(ttft="20ms", gap="2ms") as server:
            with run_dir() as out:
                run = load(out, *self.flags(server, "--concurrency", 20, "--requests", 800), "--gate", "p99(e2e) < 5s", "--gate",
                           "error_rate < 0.1%", "--gate", "qps >= 1")
                self.assertCode(run, 0)
                self.assertEqual(run.summary["verdict"], "pass")
            with run_dir() as out:
                run = load(out, *self.flags(server, "--concurrency", 20, "--requests", 800), "--gate", "p99(e2e) < 10ms")
                self.assertCode(run, 2)
                self.assertEqual(run.summary["verdict"], "fail")

    def test_a_percentile_of_too_few_requests_is_inconclusive(self):
        with Server() as server, run_dir() as out:
            run = load(out, *self.flags(server, "--concurrency", 2, "--requests", 10), "--gate", "p99(e2e) < 5s")
            self.assertCode(run, 3)
            self.assertEqual(run.summary["verdict"], "inconclusive")
            self.assertIsNone(run.summary["metrics"]["e2e"]["p99"])

    def test_an_unreachable_target(self):
        with deaf_port() as port, run_dir() as out:
            run = load(out, "--target", f"http://127.0.0.1:{port}", "--route", "tgi", "--concurrency", 1, "--requests", 1)
            self.assertCode(run, 69)
            self.assertIn(str(port), run.stderr)
            self.assertFalse((out / "summary.json").exists())

    def test_bad_usage_and_bad_scenarios(self):
        with run_dir() as out:
            out.parent.mkdir(exist_ok=True)
            file = out.parent / "bad.yaml"
            file.write_text("name: x\ntarget: http://127.0.0.1:1\nload: {mode: closed, concurency: 4}\nduration: 1s\nmix:\n"
                            "  - {name: a, route: tgi-stream}\n")
            for run in (loadgen("run", file), loadgen("check", file)):
                self.assertCode(run, 64)
                self.assertIn("bad.yaml:3", run.stderr)
                self.assertIn("concurency", run.stderr)
                self.assertIn("concurrency", run.stderr)
            self.assertCode(loadgen("run", "--target", "http://127.0.0.1:1", "--concurrency", 1, "--rate", 2), 64)
            self.assertCode(loadgen("run", out.parent / "missing.yaml"), 64)
            self.assertCode(loadgen("nonsense"), 64)
            self.assertCode(loadgen(), 64)

    def test_help_and_check(self):
        for args in (("--help",), ("run", "--help"), ("check", "--help"), ("probe", "--help")):
            run = loadgen(*args)
            self.assertCode(run, 0)
            self.assertIn("loadgen", run.stdout)
        for scenario in sorted((harness.SOURCE / "scenarios").glob("*.yaml")):
            self.assertCode(loadgen("check", scenario), 0)

    def end_by(self, number, server, *flags, out):
        process = start_loadgen(*flags, "--out", out, "--quiet")
        # More answers than users: one at least was read.
        self.assertTrue(until(lambda: server.answered() > 10 or process.poll() is not None))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=120)
        self.assertCode(Run(process.returncode, stdout, stderr, out), 5)

    def test_interrupt_leaves_a_valid_partial_result(self):
        with Server(ttft="50ms", gap="5ms") as server, run_dir() as out:
            self.end_by(signal.SIGINT, server, "run", *self.flags(server, "--concurrency", 8, "--duration", "60s"), out=out)
            summary = json.loads((out / "summary.json").read_text())
            self.assertTrue(summary["interrupted"])
            self.assertGreater(summary["metrics"]["e2e"]["count"], 0)
            self.assertEqual(summary["counts"]["failed"], 0)
            for name in ("report.html", "requests.jsonl", "points.lp"):
                self.assertTrue((out / name).exists(), name)

    def test_a_lost_terminal_leaves_a_result_and_nohup_goes_on(self):
        with Server(ttft="50ms", gap="5ms") as server, run_dir() as out:
            self.end_by(signal.SIGHUP, server, "run", *self.flags(server, "--concurrency", 4, "--duration", "60s"), out=out)
            out, before = out.parent / "nohup", server.answered()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what the child inherits
            try:
                process = start_loadgen("run", *self.flags(server, "--concurrency", 4, "--duration", "3s"), "--out", out, "--quiet")
            finally:
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
            self.assertTrue(until(lambda: server.answered() > before + 5))
            process.send_signal(signal.SIGHUP)
            stdout, stderr = process.communicate(timeout=120)
            self.assertCode(Run(process.returncode, stdout, stderr, out), 0)
            self.assertFalse(json.loads((out / "summary.json").read_text())["interrupted"])

    def test_a_server_that_dies_in_mid_run(self):
        with Server(ttft="50ms", gap="10ms") as server, run_dir() as out:
            process = start_loadgen("run", *self.flags(server, "--concurrency", 8, "--duration", "4s"), "--gate", "error_rate < 1%",
                                    "--out", out, "--quiet")
            self.assertTrue(until(lambda: server.answered() > 10))
            server.kill()
            stdout, stderr = process.communicate(timeout=120)
            self.assertCode(Run(process.returncode, stdout, stderr, out), 2)
            summary = json.loads((out / "summary.json").read_text())
            self.assertGreater(summary["counts"]["ok"], 0)
            self.assertGreater(summary["counts"]["failed"], 0)
            self.assertLess(summary["counts"]["failed"], 2000)  # slots that fail wait; a dead server is not hammered
            classes = set(summary["counts"]["outcomes"])
            self.assertTrue(classes <= {"ok", "reset", "truncated", "connect"}, classes)
            self.assertIn("connect", classes)
            lines = [json.loads(line) for line in open(out / "requests.jsonl")]
            self.assertEqual(len(lines), summary["counts"]["sent"])


class Probe(harness.Test):
    def test_every_route_model_and_scenario_answers(self):
        with Server(ttft="2ms", gap="1ms") as server:
            run = loadgen("probe", "--target", server.url)
            self.assertCode(run, 0)
            self.assertIn("30 of 30 answers are right", run.stdout)

    def test_a_server_without_a_route_fails_the_probe(self):
        import http.server
        import threading

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        run = loadgen("probe", "--target", f"http://127.0.0.1:{web.server_port}", "--model", "m")
        web.shutdown()
        self.assertCode(run, 2)
        self.assertIn("http_5xx", run.stdout)


if __name__ == "__main__":
    harness.main()
