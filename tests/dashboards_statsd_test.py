#!/usr/bin/env python3
"""Sends a gateway's StatsD through a real collectd into a real InfluxDB and asks it every query of the StatsD dashboard: totals must
equal what clients and the server behind the gateway know, latencies what was sent. The same lines, stored as Telegraf would with our
file, must give the same. Then with mistakes drawn from seeds, each of which must be found.
"""
import collections
import contextlib
import shutil
import socket
import time
import types
import unittest

import harness
from dashboards import boards, mutations
from dashboards.expect_statsd import ROUTES, STATSD, only
from dashboards.influx_source import Database, InfluxBoard
from dashboards.judge import judge
from gateway_test import Gateway
from harness import load
from statsd_receivers import Collectd, Line, Recorder, telegraf_points

MIX = """
schema_version: 1
name: through-a-gateway
load: {mode: closed, concurrency: 6}
requests: 150
warmup: 0s
parameters: {max_new_tokens: 5}
mix:
  - {name: a, weight: 3, model: qwen2, route: tgi-stream, prompts: ["What is a plumb line?"]}
  - {name: b, weight: 2, model: llama3, route: tgi-stream, prompts: ["What is a spirit level?"]}
"""
FAULTS = """
rules:
  - {fault: status_503, every: 7, model: qwen2}
  - {fault: reset_after_token, every: 9, token: 2, model: llama3}
  - {fault: stall, every: 11, token: 0, time: 30s, model: qwen2}
  - {fault: status_429, every: 13}
"""
MODEL_ERRORS = {"status_503", "reset_after_token"}


def counters(requests, truth):
    """name -> model -> what the gateway's counters must add up to. `truth` is the record of the server behind it."""
    found = collections.defaultdict(collections.Counter)
    for request in requests:
        found["requests.total"][request["model"]] += 1
        found["tokens.output"][request["model"]] += request["output_tokens"]
    for record in truth:
        if record["outcome"] == "ok":
            found["tokens.input"][record["model"]] += record["prompt_tokens"]
        found["errors.model_error"][record["model"]] += record["fault"] in MODEL_ERRORS
        found["errors.timeout"][record["model"]] += record["fault"] == "stall"
    return found


def latencies(requests, truth):
    """model -> (least, most) in ms that a gateway may say: not less than the server took, and about what a client saw. On a busy machine
    the gateway may look at its clock long after the client has the last byte."""
    took = collections.defaultdict(lambda: [float("inf"), 0.0])
    for record in truth:
        if record["outcome"] == "ok":
            took[record["model"]][0] = min(took[record["model"]][0], (record["due_ns"][-1] - record["recv_ns"]) / 1e6)
    for request in requests:
        if request["outcome"] == "ok":
            took[request["model"]][1] = max(took[request["model"]][1], request["metrics"]["e2e"])
    return {model: (low * 0.99 - 1, high * 10) for model, (low, high) in took.items()}  # histograms and clocks round


def gauges(lines):
    """name -> model -> the values sent."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in lines:
        if line.type == "g":
            name, model = line.name.rsplit(".", 1)
            found[name][model].append(line.value)
    return found


@unittest.skipUnless(all(map(shutil.which, ("collectd", "influxd"))), "collectd or influxd is not installed (Debian packages collectd-core, influxdb)")
class StatsdDashboardTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.board = boards.load()["statsd"]
        cls.collectd = Collectd()
        cls.addClassCleanup(cls.collectd.__exit__)
        with Recorder(forward=cls.collectd.address) as recorder, harness.run_dir() as folder:
            begin = time.time_ns()
            requests, truth = cls.load_test(folder, recorder.address)
            wanted = counters(requests, truth)
            stored = {f"{name}.{model}": n for name, of in wanted.items() for model, n in of.items() if n}
            found = cls.collectd.counters(stored)
            assert found == stored, f"collectd stored {found}, the gateway served {stored}"
            cls.timed = recorder.timed_lines()
        lines = [line for _, line in cls.timed]
        cls.truth = types.SimpleNamespace(counters=wanted, gauges=gauges(lines), latency_ms=latencies(requests, truth),
                                          points={"all": [({}, {}, begin), ({}, {}, time.time_ns())]})
        cls.databases = {"collectd": Database(cls.collectd.influx, "collectd"), "telegraf": Database(cls.collectd.influx, "telegraf")}
        cls.databases["telegraf"].write(telegraf_points(cls.timed))

    @classmethod
    def load_test(cls, folder, statsd):
        """(requests as clients saw them, the record of the server) of a mix and of a model that is not there."""
        folder.mkdir()
        (folder / "mix.yaml").write_text(MIX)
        (folder / "faults.yaml").write_text(FAULTS)
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(harness.Server("--faults", folder / "faults.yaml", ttft="30ms", gap="5ms"))
            gateway = stack.enter_context(Gateway(f"qwen2={server.url}", f"llama3={server.url}",
                                                  flags=("--statsd", statsd, "--backend-timeout", "3s")))
            run = load(folder / "out", folder / "mix.yaml", "--target", gateway.url)
            assert run.code in (0, 3, 4), run
            gateway.stop()  # its last second is told
            return run.requests, server.truth()

    def differences(self, board, route, choice=None, database=None):
        half = only(board, route)
        on = InfluxBoard(half, database or self.databases[route], [self.truth], choice or {})
        return judge(half, on.answers, self.truth, STATSD)

    def test_the_load_was_worth_looking_at(self):
        self.assertEqual(set(self.truth.counters["requests.total"]), {"qwen2", "llama3"})
        for name in ("errors.model_error", "errors.timeout", "tokens.input", "tokens.output"):
            self.assertGreater(sum(self.truth.counters[name].values()), 3, name)

    def test_every_panel_shows_what_is_true(self):
        for route in ROUTES:
            with self.subTest(route):
                self.assertEqual(self.differences(self.board, route), [])
                print(f"  {route}: {sum(len(p['targets']) for p in boards.panels(only(self.board, route)))} queries")

    def test_the_last_point_does_not_wait_for_more(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            host, port = self.collectd.address.split(":")
            sender.sendto(b"llm.last.of.all:1|c", (host, int(port)))
        self.assertEqual(self.collectd.counters({"llm.last.of.all": 1}), {"llm.last.of.all": 1})

    def test_the_other_half_of_a_panel_stays_empty(self):
        for route, other in zip(ROUTES, reversed(ROUTES), strict=True):
            on = InfluxBoard(only(self.board, other), self.databases[route], [self.truth], {"model": ".*"})
            for panel in boards.panels(on.board):
                self.assertEqual([answer for answers in on.answers(panel).values() for answer in answers if answer], [], panel["title"])

    def test_the_picker_offers_the_models(self):
        [variable] = [v for v in self.board["templating"]["list"] if v["name"] == "model"]
        for route, database in self.databases.items():
            options = InfluxBoard(self.board, database, [self.truth], {"model": ".*"}).options(variable, {})
            self.assertEqual(sorted(options), ["llama3", "qwen2"], route)

    def test_one_model_alone(self):
        for route in ROUTES:
            found = " ".join(self.differences(self.board, route, {"model": "qwen2"}))
            for title in STATSD:  # slowest: of the slower of both, which need not be the other one
                self.assertTrue(title in found or title in ("Slowest success", "Timeouts", "Errors by class and model"), (title, found))

    def test_mistakes_in_the_dashboard_are_found(self):
        for seed in range(10):
            for route in ROUTES:
                what, changed = mutations.of_board(only(self.board, route), seed)
                found = self.differences(changed, route)
                self.assertNotEqual(found, [], f"seed {seed}, {route}: {what}")
                print(f"  seed {seed}, {route}: {what}: {found[0][:90]}")

    def test_mistakes_in_the_lines_are_found(self):
        for seed in range(10):
            what, change = mutations.of_statsd(seed)
            changed = [(at, Line(change(line.text))) for at, line in self.timed]
            self.assertNotEqual([line.text for _, line in changed], [line.text for _, line in self.timed], f"seed {seed} changes nothing")
            database = Database(self.collectd.influx, f"mistake_{seed}")
            database.write(telegraf_points(changed))
            found = self.differences(self.board, "telegraf", {"model": ".*"}, database)
            self.assertNotEqual(found, [], f"seed {seed}: {what}")
            print(f"  seed {seed}: {what}: {found[0][:90]}")


if __name__ == "__main__":
    harness.main()
