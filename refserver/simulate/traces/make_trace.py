#!/usr/bin/env python3
"""Writes chat.jsonl, the trace that `refserver simulate --compare` uses: made up, from a fixed seed.

Lengths are lognormal, as those of chat services are found to be: many short ones and a long tail. Clients allow far
more tokens than answers have, as they do. Arrivals are Poisson.
"""
import json
import pathlib
import random

REQUESTS, RATE_PER_S, SEED = 1000, 8.0, 1


def clipped(value, low, high):
    return max(low, min(high, round(value)))


def main():
    rng = random.Random(SEED)
    at_ms, lines = 0.0, []
    for _ in range(REQUESTS):
        at_ms += rng.expovariate(RATE_PER_S) * 1000
        answer = clipped(rng.lognormvariate(5.0, 0.7), 4, 1024)
        lines.append(json.dumps({"at_ms": round(at_ms, 3), "prompt": clipped(rng.lognormvariate(5.6, 0.9), 8, 3000),
                                 "answer": answer, "allowed": 1024}))
    pathlib.Path(__file__).with_name("chat.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
