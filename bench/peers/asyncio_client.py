#!/usr/bin/env python3
"""The usual Python client: asyncio and aiohttp, one coroutine per stream, each chunk split into events, stamped and parsed with
json.loads, as today's benchmark tools do. Prints one JSON object: events and the CPU time per event.

usage: asyncio_client.py --port P [--streams 1000] [--waves 1] [--tokens 128]      (needs aiohttp)
"""
import argparse
import asyncio
import json
import resource
import time

import aiohttp


async def one_stream(session, url, waves, out):
    body = {"inputs": "hello", "parameters": {"max_new_tokens": 128, "details": True}}
    for _ in range(waves):
        began = time.perf_counter()
        last = began
        ttft, gaps, text, rest = None, [], "", b""
        async with session.post(url, json=body) as response:
            async for chunk in response.content.iter_any():
                rest += chunk
                while b"\n\n" in rest:
                    event, rest = rest.split(b"\n\n", 1)
                    event = event.strip()
                    if not event.startswith(b"data:"):
                        continue
                    now = time.perf_counter()
                    data = json.loads(event[5:])
                    if ttft is None:
                        ttft = now - began
                    else:
                        gaps.append(now - last)
                    last = now
                    text += data["token"]["text"]
        out.append((ttft, gaps, len(text)))


async def run(args):
    out = []
    url = f"http://127.0.0.1:{args.port}/generate_stream"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        await asyncio.gather(*(one_stream(session, url, args.waves, out) for _ in range(args.streams)))
        after, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    events = sum(1 + len(gaps) for _, gaps, _ in out)
    print(json.dumps({"events": events, "wall_s": round(wall, 3), "cpu_s": round(cpu, 3),
                      "cpu_us_per_event": round(cpu / events * 1e6, 3), "events_per_s": round(events / wall)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--waves", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=128, help="how many the server sends; unused here")
    asyncio.run(run(parser.parse_args()))
