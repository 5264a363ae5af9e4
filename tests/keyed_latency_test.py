#!/usr/bin/env python3
"""Random latencies of the scripted engine by key: the same request of the same seed takes the same time on any server, in any
order and company."""
import json
import threading
import urllib.request

import harness

FLAGS = ("--sim-ttft", "exp(30ms)", "--sim-gap", "1ms+pareto(1ms,1.5,40ms)", "--sim-seed")
KEYS = [f"key-{i}" for i in range(24)]
TOKENS = 8


def ask(server, key):
    body = json.dumps({"inputs": "hello", "parameters": {"max_new_tokens": TOKENS}}).encode()
    request = urllib.request.Request(server.url + "/generate", body,
                                     {"content-type": "application/json", "x-sim-key": key, "x-request-id": key})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


class Keyed(harness.Test):
    def times(self, seed, groups):
        """Token times after arrival by key; requests of a group are sent together, groups one after the other."""
        with harness.Server(*FLAGS, str(seed), models=("m",), ttft="1ms", gap="1ms") as server:
            for group in groups:
                threads = [threading.Thread(target=ask, args=(server, key)) for key in group]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            truth = server.truth()
        self.assertEqual(len(truth), len(KEYS))
        return {line["client_id"]: [due - line["recv_ns"] for due in line["due_ns"]] for line in truth}

    def test_same_key_same_times(self):
        alone = self.times(7, [[key] for key in KEYS])
        together = self.times(7, [KEYS[::-1]])
        self.assertEqual(set(alone), set(KEYS))
        self.assertEqual({len(times) for times in alone.values()}, {TOKENS})
        self.assertEqual(together, alone)
        self.assertEqual(len({tuple(times) for times in alone.values()}), len(KEYS))
        self.assertNotEqual(self.times(8, [KEYS]), alone)


if __name__ == "__main__":
    harness.main()
