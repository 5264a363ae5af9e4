#!/usr/bin/env python3
"""Reads that wait for company: a fast stream beside many slow ones keeps a stamp for each of its tokens."""
import harness
from harness import Server, load, run_dir

SCENARIO = """
schema_version: 1
name: fast-beside-slow
load: {{mode: closed, concurrency: 120}}
warmup: 0s
requests: 240
mix:
  - {{name: fast, weight: 1, target: "{fast}", route: tgi-stream, model: qwen2, prompts: [a], parameters: {{max_new_tokens: 400}}}}
  - {{name: slow, weight: 29, target: "{slow}", route: tgi-stream, model: qwen2, prompts: [a], parameters: {{max_new_tokens: 25}}}}
"""


def written_together(times_ns):
    """How many tokens the server wrote within a tenth of a millisecond of a neighbour: that they share a read is its doing."""
    close = [after - before < 100_000 for before, after in zip(times_ns, times_ns[1:])]
    return sum(before or after for before, after in zip([False, *close], [*close, False]))


def run_once(test):
    """(tokens of fast streams, how many of them shared a read without need, lag of the generator's thread in ms)"""
    with Server(gap="400us", models=("qwen2",)) as fast, Server(gap="40ms", models=("qwen2",)) as slow, run_dir() as out:
        out.parent.mkdir(exist_ok=True)
        scenario = out.parent / "scenario.yaml"
        scenario.write_text(SCENARIO.format(fast=fast.url, slow=slow.url))
        run = load(out, scenario, "--threads", 1)
        test.assertCode(run, 0)
        requests = [r for r in run.requests if r["entry"] == "fast"]
        test.assertEqual({r["outcome"] for r in requests}, {"ok"}, repr(run))
        if any(r["stamp_source"] != "kernel" for r in requests):
            harness.skip("this kernel gives no receive stamps: nothing waits")
        shared = sum(r["coalesced_events"] for r in requests)
        excused = sum(written_together(line["achieved_ns"]) for line in fast.truth())
        return sum(r["output_tokens"] for r in requests), shared - excused, run.summary["generator"]["loop_lag"]["p99"]


class Gathering(harness.Test):
    def test_a_fast_stream_beside_many_slow_ones_keeps_its_stamps(self):
        """A window of a millisecond lets nearly all tokens share a read. So does a machine on which other programs run: the
        generator's own timers say so, and it gets three chances."""
        tried = []
        for _ in range(3):
            tokens, shared, lag_ms = run_once(self)
            self.assertGreater(tokens, 1000)
            tried.append(f"{shared} of {tokens} at a lag of {lag_ms} ms")
            if shared < tokens / 5:
                return
        if lag_ms > 0.3:
            harness.skip(f"this machine is too busy: {'; '.join(tried)}")
        self.fail(f"tokens that shared a read: {'; '.join(tried)}")


if __name__ == "__main__":
    harness.main()
