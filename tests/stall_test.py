#!/usr/bin/env python3
"""Coordinated omission: one 2 s stall in a 10 s window. The open loop must see it in full, the closed loop cannot."""
import harness
from harness import Server, load, run_dir

SERVER = dict(ttft="5ms", gap="1ms")


class Stall(harness.Test):
    def test_open_loop_latency_counts_from_the_intended_start(self):
        with Server("--sim-stall", "4s+2s", "--max-concurrent-requests", "1000", **SERVER) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--rate", 200, "--arrivals", "constant", "--duration",
                       "10s", "--warmup", "0s", "--max-new-tokens", 1)
            self.assertCode(run, 0)
            s = run.summary
            self.assertEqual(s["counts"]["ok"], 2000)
            # 400 arrivals fall into the stall and wait 2 s, 1.995 s, ...: the 20 worst of 2,000 begin at 1.90 s.
            self.assertAlmostEqual(s["metrics"]["e2e_sched"]["p99"], 1900, delta=40)

    def test_a_one_connection_closed_loop_hides_it(self):
        with Server("--sim-stall", "4s+2s", "--max-concurrent-requests", "1000", **SERVER) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--concurrency", 1, "--duration", "10s", "--warmup",
                       "0s", "--max-new-tokens", 1)
            self.assertCode(run, 0)
            s = run.summary
            self.assertLess(s["metrics"]["e2e"]["p99"], 50)
            self.assertGreater(s["metrics"]["e2e"]["max"], 1900)


if __name__ == "__main__":
    harness.main()
