#!/usr/bin/env python3
"""`refserver simulate` as a user runs it: scenarios beside theory, loads of one's own, comparisons, and what is refused."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import harness


def simulate(*flags):
    return subprocess.run([harness.BIN / "refserver", "simulate", *map(str, flags)], capture_output=True, text=True, timeout=60)


class Simulate(unittest.TestCase):
    def simulated(self, *flags):
        run = simulate(*flags, "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        return [json.loads(line) for line in run.stdout.splitlines()]

    def test_scenarios_beside_theory(self):
        text = simulate("dd1", "stall")
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("agrees", text.stdout)
        self.assertNotIn("DIFFERS", text.stdout)
        for scenario in self.simulated("md1-50", "mm1-50", "--requests", 50_000):
            self.assertTrue(scenario["agrees"])
            self.assertEqual(scenario["result"]["requests"], 50_000)
            self.assertEqual(scenario["result"]["wait"]["count"], 50_000)
            self.assertGreaterEqual(len(scenario["findings"]), 4)

    def test_every_listed_scenario_can_be_run(self):
        listed = [line.split()[:2] for line in simulate("--list").stdout.splitlines()]
        self.assertGreaterEqual(len(listed), 10)
        # Queues in millions of requests are for the benchmark.
        short = [name for name, theory in listed if not theory.startswith("M/")]
        self.assertEqual([s["name"] for s in self.simulated(*short)], short)
        queues = [name for name, theory in listed if theory.startswith("M/")]
        self.assertEqual([s["name"] for s in self.simulated(*queues, "--requests", 200_000)], queues)

    def test_loads_of_ones_own(self):
        open_loop, = self.simulated("--rate", 2, "--process", "constant", "--prompt", 100, "--answer", 50, "--requests", 400)
        result = open_loop["result"]
        self.assertAlmostEqual(result["requests_per_s"], 2, delta=0.05)
        self.assertEqual(result["gap"]["count"], 400 * 49)
        again, = self.simulated("--rate", 2, "--process", "constant", "--prompt", 100, "--answer", 50, "--requests", 400)
        self.assertEqual(again, open_loop)
        closed, = self.simulated("--clients", 4, "--think", "0s", "--requests", 400, "--drafts", 3, "--acceptance", 1)
        self.assertGreater(closed["result"]["mean_rows"], 3)
        self.assertEqual(closed["result"]["accepted_drafts"], closed["result"]["drafted_tokens"])

    def test_comparison(self):
        comparison, = self.simulated("--compare", "--speed", 1_000_000)
        results = {run["name"]: run["result"] for run in comparison["runs"]}
        self.assertLess(results["serial"]["tokens_per_s"], results["static"]["tokens_per_s"])
        self.assertLess(results["static"]["tokens_per_s"], results["continuous"]["tokens_per_s"])
        self.assertGreaterEqual(results["continuous"]["kv_utilisation"], 0.95)
        self.assertIn("KV used", simulate("--compare").stdout)

    def test_figures_that_differ_are_an_error(self):
        # No draw is longer than an hour, which the distribution's percentiles do not know.
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "long.json"
            file.write_text(json.dumps({"theory": "script", "requests": 1000, "arrivals": {"rate_per_s": 1},
                                        "engine": {"kind": "scripted", "ttft": "lognormal(30m,2)"}}))
            run = simulate(file)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("DIFFERS", run.stdout)
        self.assertIn("long.json: the simulation and script differ", run.stderr)

    def test_what_is_refused(self):
        for flags, code, says in (
                ((), 64, "exactly one of"),
                (("dd1", "--compare"), 64, "exactly one of"),
                (("--rate", 1, "--clients", 1), 64, "exclude each other"),
                (("--rate", 0), 64, "--rate"),
                (("--rate", 1, "--noise", "slow"), 64, "--noise: 'slow' is not a distribution"),
                (("--rate", 1, "--prompt", 20_000), 64, "exceed --kv-tokens"),
                (("--rate", 1, "--preset", "abacus"), 65, "qwen2-7b-rtx4090"),
                (("no-such-scenario",), 65, "--list"),
                (("--compare", "--trace", "/nonexistent"), 65, "/nonexistent"),
                (("--compare", "--max-total-tokens", 500), 64, "max_total_tokens (500)"),
                (("dd1", "--requests", 5), 64, "--requests"),
                (("md1-90", "--requests", 10_000), 64, "must count at least"),
                (("--compare", "--nonsense"), 64, "--nonsense")):
            run = simulate(*flags)
            self.assertEqual(run.returncode, code, (flags, run.stderr))
            self.assertIn(says, run.stderr + run.stdout, flags)

    def test_help_teaches(self):
        run = simulate("--help")
        self.assertEqual(run.returncode, 0)
        for word in ("Virtual time", "refserver simulate md1-80", "pareto(5ms,1.5,2s)", "Exit codes"):
            self.assertIn(word, run.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
