"""Locust against an OpenAI chat endpoint: one streamed request per task, time to first token and time per token reported as two
more rows (types METRIC, names TTFT and TPOT; milliseconds). Settings come from the environment: PLUMBLINE_REQUESTS in all,
PLUMBLINE_TOKENS per answer and PLUMBLINE_RATE in requests per second (0: as fast as answers come).

usage: locust -f locustfile.py --headless --only-summary --json-file NAME -H http://HOST:PORT -u USERS -r USERS    (needs locust)
"""
import json
import os
import random
import time

import gevent
import locust
import locust.stats
from locust import FastHttpUser, constant, constant_throughput, events, task
from locust.exception import StopUser

REQUESTS = int(os.environ["PLUMBLINE_REQUESTS"])
TOKENS = int(os.environ["PLUMBLINE_TOKENS"])
RATE = float(os.environ.get("PLUMBLINE_RATE", "0"))
BODY = json.dumps({"model": "qwen2", "stream": True, "max_tokens": TOKENS, "stream_options": {"include_usage": True},
                   "messages": [{"role": "user", "content": "What is a plumb line?"}]})

# As it comes, Locust keeps two digits of a response time (100, 110, 120 ms); its documentation offers this function to replace.
locust.stats.bucket_response_time = lambda milliseconds: round(milliseconds, 2)


class Countdown:
    """Hands out the requests; the run is over when the last of them has ended."""
    left = REQUESTS
    open = REQUESTS


@events.init.add_listener
def on_init(environment, **_):
    def watch():
        while Countdown.open > 0:
            gevent.sleep(0.1)
        environment.runner.quit()
    gevent.spawn(watch)


class Streamer(FastHttpUser):
    connection_timeout = network_timeout = 60.0

    def wait_time(self):
        users = self.environment.parsed_options.num_users
        return (constant_throughput(RATE / users) if RATE else constant(0))(self)

    def on_start(self):
        if RATE:  # Users that start together would send together for ever.
            gevent.sleep(random.random() * self.environment.parsed_options.num_users / RATE)

    @task
    def stream(self):
        if Countdown.left == 0:
            raise StopUser()
        Countdown.left -= 1
        try:
            self.one_stream()
        finally:
            Countdown.open -= 1

    def one_stream(self):
        began = time.perf_counter()
        first, last, tokens = 0.0, 0.0, 0
        with self.client.post("/v1/chat/completions", data=BODY, headers={"Content-Type": "application/json"}, stream=True,
                              catch_response=True, name="chat") as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return
            while (event := response.stream.readline(b"\n\n")) and not event.startswith(b"data: [DONE]"):
                now = time.perf_counter()
                if not any(choice["delta"].get("content") for choice in json.loads(event[5:])["choices"]):
                    continue
                first, last, tokens = first or now, now, tokens + 1
            if tokens != TOKENS:
                response.failure(f"{tokens} tokens")
                return
            response.stream.read()
        self.report("TTFT", first - began)
        if tokens > 1:
            self.report("TPOT", (last - first) / (tokens - 1))

    def report(self, name, seconds):
        events.request.fire(request_type="METRIC", name=name, response_time=seconds * 1000, response_length=0, exception=None,
                            context={})
