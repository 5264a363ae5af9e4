#!/usr/bin/env python3
"""The usual Python client: asyncio, one coroutine per stream, each event stamped and parsed with json.loads, as today's benchmark
tools do. Two ways to get at the events:

  aiohttp  the leanest: chunks as they come, split at blank lines (as aiperf and vLLM's own benchmark do)
  httpx    response.aiter_lines() and json.loads of each data line (as guidellm and the OpenAI client do)

Prints one JSON object: events and the CPU time per event.

usage: asyncio_client.py --port P [--library aiohttp|httpx] [--streams 1000] [--waves 1] [--tokens 128]
"""
import argparse
import asyncio
import json
import resource
import time

BODY = {"inputs": "hello", "parameters": {"max_new_tokens": 128, "details": True}}


# The two loops repeat what they do with an event: a function of its own would be one more thing that the peer has to pay for.

async def aiohttp_stream(session, url, waves, out):
    for _ in range(waves):
        began = time.perf_counter()
        last = began
        ttft, gaps, text, rest = None, [], "", b""
        async with session.post(url, json=BODY) as response:
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


async def httpx_stream(client, url, waves, out):
    for _ in range(waves):
        began = time.perf_counter()
        last = began
        ttft, gaps, text = None, [], ""
        async with client.stream("POST", url, json=BODY) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                now = time.perf_counter()
                data = json.loads(line[5:])
                if ttft is None:
                    ttft = now - began
                else:
                    gaps.append(now - last)
                last = now
                text += data["token"]["text"]
        out.append((ttft, gaps, len(text)))


def aiohttp_session():
    import aiohttp
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


def httpx_session():
    import httpx
    return httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))


LIBRARIES = {"aiohttp": (aiohttp_session, aiohttp_stream), "httpx": (httpx_session, httpx_stream)}


async def run(args):
    out = []
    url = f"http://127.0.0.1:{args.port}/generate_stream"
    make_session, one_stream = LIBRARIES[args.library]
    async with make_session() as session:
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
    parser.add_argument("--library", choices=LIBRARIES, default="aiohttp")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--waves", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=128, help="how many the server sends; unused here")
    asyncio.run(run(parser.parse_args()))
