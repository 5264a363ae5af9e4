#!/usr/bin/env python3
"""The cost engine behind a real server: its steps end when the formula says, however late the machine is, and what
`refserver simulate` says of the same load is what the server did."""
import itertools
import json
import pathlib
import statistics
import subprocess
import tempfile
import threading
import urllib.request

import harness

BASE_US, PREFILL_US, DECODE_US = 4000, 50, 1000
CLIENTS, REQUESTS, TOKENS = 6, 102, 30


class CostServer:
    """refserver with a device of round numbers. A context manager; `truth()` after it has ended."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cost-")
        self.dir = pathlib.Path(self.folder.name)
        self.preset = self.dir / "device.json"
        self.preset.write_text(json.dumps({"name": "device", "base_us": BASE_US, "weights_us": 0, "prefill_token_us": PREFILL_US,
                                           "decode_token_us": DECODE_US, "context_token_ns": 0}))
        self.process = subprocess.Popen(
            [harness.BIN / "refserver", "serve", "--port", "0", "--engine", "cost", "--sim-preset", self.preset, "--model", "m",
             "--prefix-caching", "0", "--truth-log", self.dir / "truth.jsonl"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        return self

    def __exit__(self, *_):
        self.end()
        self.process.stdout.close()
        self.folder.cleanup()

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=120)

    def truth(self):
        records = map(json.loads, (self.dir / "truth.jsonl").read_text().splitlines())
        return [record for record in records if "recv_ns" in record]

    def generate(self, prompt):
        body = json.dumps({"inputs": prompt, "parameters": {"max_new_tokens": TOKENS}}).encode()
        request = urllib.request.Request(self.url + "/generate", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["generated_text"]


def ask_all(server):
    """Every client asks one after the other until all requests are answered."""
    waiting = list(range(REQUESTS))
    answers = {}

    def client():
        while True:
            try:
                index = waiting.pop()
            except IndexError:
                return
            answers[index] = server.generate(f"number {index % 10} of ten")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class CostEngine(harness.Test):
    def test_a_server_does_what_the_simulation_says(self):
        with CostServer() as server:
            answers = ask_all(server)
            server.end()
            truth = server.truth()
            prompt = truth[0]["prompt_tokens"]
            run = subprocess.run([harness.BIN / "refserver", "simulate", "--json", "--clients", str(CLIENTS), "--requests", str(REQUESTS),
                                  "--prompt", str(prompt), "--answer", str(TOKENS), "--preset", server.preset],
                                 capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        simulated = json.loads(run.stdout)["result"]
        self.assertEqual(len(answers), REQUESTS)
        self.assertEqual({len(line["due_ns"]) for line in truth}, {TOKENS})
        # What a request says depends on its prompt alone, whoever it shared steps with.
        for index, text in answers.items():
            self.assertEqual(text, answers[index % 10], index)
        self.assertEqual(len(set(answers.values())), 10)
        # A gap is the step that ended it: so many rows, and perhaps prompts of others.
        gaps = [after - before for line in truth for before, after in zip(line["due_ns"], line["due_ns"][1:])]
        steps = {1000 * (BASE_US + DECODE_US * rows + PREFILL_US * prompt * prompts)
                 for rows in range(1, CLIENTS + 1) for prompts in range(CLIENTS + 1 - rows)}
        # Steps end to the nanosecond, however late the server is. Only where its thread got no time while the device was idle does no
        # token leave before the thread began: until it has caught up, which takes 20 ms at most, gaps are shorter.
        for line in truth:
            own = [after - before for before, after in zip(line["due_ns"], line["due_ns"][1:])]
            behind = list(itertools.takewhile(lambda gap: gap not in steps and gap < max(steps), own))
            self.assertLess(sum(behind), 20_000_000 + max(steps), line)
            self.assertEqual(set(own[len(behind):]) - steps, set(), line)
        # Full steps are the rule in both worlds.
        self.assertEqual(simulated["gap"]["p50_ns"], 1000 * (BASE_US + DECODE_US * CLIENTS))
        self.assertLessEqual(statistics.median(gaps), simulated["gap"]["p50_ns"])
        first, last = min(line["recv_ns"] for line in truth), max(line["due_ns"][-1] for line in truth)
        # A client that asks again late leaves its place empty, so the real run takes longer, never much less.
        self.assertGreater(last - first, 0.95 * simulated["duration_ns"])
        self.assertLess(last - first, 10 * simulated["duration_ns"])


if __name__ == "__main__":
    harness.main()
