#!/usr/bin/env python3
"""Fills a real influxd with two real runs, sends it every query of the InfluxQL dashboards and compares with requests.jsonl.

Counts must be equal, percentiles at most one rank off. Then the same with mistakes drawn from seeds, each of which must be found.
"""
import types
import urllib.parse

import harness
import influxd
from dashboards import boards, grafana_alerts, mutations, pages
from dashboards.expect_run import COMPARE, RUN
from dashboards.expect_server import SERVER
from dashboards.influx_source import Database, InfluxBoard
from dashboards.judge import judge
from dashboards.truth import Truth, between_neighbours

MIX = """
schema_version: 1
name: dashboards
timeouts: {connect: 5s, first_token: 10s, total: 60s}
parameters: {max_new_tokens: 8}
mix:
  - {name: qwen2-qa, weight: 3, model: qwen2, scenario: qa, route: tgi-stream, prompts: ["What is a plumb line?"]}
  - {name: llama3-qa, weight: 2, model: llama3, scenario: qa, route: openai-chat, prompts: ["What is a spirit level?"]}
  - {name: llama3-sum, weight: 2, model: llama3, scenario: summarize, route: tgi-stream, prompts: ["A cord with a weight."]}
"""
FAULTS = """
rules:
  - {fault: status_429, every: 9, model: llama3}
  - {fault: reset_after_token, token: 3, every: 11, model: qwen2}
"""
BOARDS = {"run": RUN, "compare": COMPARE, "server": SERVER}


def make_run(database, server, out, scenario, *flags):
    run = harness.load(out, scenario, "--target", server.url, "--warmup", "1s", "--influx", database.url, *flags)
    # A busy machine may make the run invalid (4); its points are as good for a dashboard.
    assert run.code in (0, 4), run
    return Truth(run)


def make_runs(database):
    """What two short runs of both programs that stream into the database say of themselves, and links to the second."""
    with harness.run_dir() as out:
        out.mkdir()
        (out / "mix.yaml").write_text(MIX)
        (out / "faults.yaml").write_text(FAULTS)
        with harness.Server("--faults", str(out / "faults.yaml"), ttft="60ms", gap="10ms") as server, pages.GpuPage() as gpu:
            a = make_run(database, server, out / "a", out / "mix.yaml", "--rate", 40, "--duration", "3s")
            b = make_run(database, server, out / "b", out / "mix.yaml", "--rate", 60, "--duration", "4s", "--scrape", server.url,
                         "--gpu-source", f"dcgm:{gpu.url}", "--grafana-url", "http://127.0.0.1:3000")
    assert len(b.failed()) > 5 and len(b.distinct("outcome")) >= 3, b.count_by("outcome", b.requests)
    return a, b


def slo_choice(truth):
    return {f"{metric}_slo": f"{limit:.9f}" for metric, limit in truth.slo.items()}


def differences(name, board, database, a, b):
    """What a dashboard shows otherwise than it is, of run b, or of both."""
    if name == "compare":
        on = InfluxBoard(board, database, [a, b], {"run_a": a.id, "run_b": b.id})
        return judge(board, on.answers, types.SimpleNamespace(a=a, b=b), COMPARE)
    choice = {"run": b.id, **slo_choice(b)} if name == "run" else {"run": b.id}
    return judge(board, InfluxBoard(board, database, [b], choice).answers, b, BOARDS[name])


class InfluxDashboardsTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.server = influxd.Influxd()
        cls.addClassCleanup(cls.server.__exit__)
        cls.database = Database(cls.server, "plumbline")
        every = boards.load()
        cls.boards = {name: every[name] for name in BOARDS}
        cls.a, cls.b = make_runs(cls.database)

    def test_every_panel_shows_what_is_true(self):
        others = {"statsd"}  # dashboards_statsd_test.py
        self.assertEqual({name for name, board in boards.load().items() if boards.kind(board) == "influxdb"}, set(BOARDS) | others)
        for name, board in self.boards.items():
            with self.subTest(name):
                self.assertEqual(differences(name, board, self.database, self.a, self.b), [])
                print(f"  {name}: {sum(len(p['targets']) for p in boards.panels(board))} queries of {len(boards.panels(board))} panels")

    def test_variables_offer_what_there_is(self):
        on = InfluxBoard(self.boards["run"], self.database, [self.b], {"run": self.b.id})
        variables = {v["name"]: v for v in self.boards["run"]["templating"]["list"]}
        self.assertEqual(sorted(on.options(variables["run"], {})), sorted([self.a.id, self.b.id]))
        for name in ("entry", "model"):
            self.assertEqual(sorted(on.options(variables[name], {"run": self.b.id})), self.b.distinct(name))

    def test_annotations_are_the_events_of_the_run(self):
        on = InfluxBoard(self.boards["run"], self.database, [self.b], {"run": self.b.id})
        texts = [row[1] for _, answer in on.notes() for series in answer for row in series.rows]
        self.assertEqual(sorted(texts), sorted(self.b.fields("llm_event", "text")))
        self.assertLessEqual({"run started", "measure", "drain", "run ended"}, set(texts))

    def test_mistakes_in_the_data_are_found(self):
        for seed in range(10):
            what, change = mutations.of_points(seed)
            database = Database(self.server, f"mistake_{seed}")
            changed = [change(line) for line in self.b.lines]
            self.assertNotEqual(changed, self.b.lines, f"seed {seed} changes nothing: {what}")
            database.write(changed)
            try:
                found = differences("run", self.boards["run"], database, self.a, self.b)
            except AssertionError as error:  # a variable without values
                found = [str(error)]
            self.assertNotEqual(found, [], f"seed {seed}: {what}")
            print(f"  seed {seed}: {what}: {found[0][:100]}")

    def test_mistakes_in_dashboards_are_found(self):
        for seed in range(10):
            name = ("run", "server", "compare")[seed // 3 % 3]
            what, changed = mutations.of_board(self.boards[name], seed)
            found = differences(name, changed, self.database, self.a, self.b)
            self.assertNotEqual(found, [], f"seed {seed}, {name}: {what}")
            print(f"  seed {seed}: {name}, {what}: {found[0][:100]}")

    def test_alert_rules_of_grafana_see_the_run(self):
        """Their queries over the range of the run, without their waiting times."""
        on = InfluxBoard(self.boards["run"], self.database, [self.b], {"run": self.b.id})
        shown = {}
        for title, rule in grafana_alerts.rules().items():
            answer = on.ask(grafana_alerts.query(rule), boards.FINE)
            shown[title] = {tuple(s.tags.values()): (s.values()[-1], grafana_alerts.fires(rule, s)) for s in answer}
        target = self.b.requests[0]["target"]
        for model in self.b.distinct("model"):
            key = next(key for key in shown["HighLatency"] if set(key) == {target, model})
            value, fires = shown["HighLatency"][key]
            self.assertTrue(between_neighbours(value, self.b.values("e2e", model=model, outcome="ok"), 95))
            self.assertEqual(fires, value > 1)
            share = len(self.b.failed(model=model)) / len(self.b.ended(model=model))
            self.assertAlmostEqual(shown["HighErrorRate"][key][0], share)
            self.assertEqual(shown["HighErrorRate"][key][1], share > 0.05)
            self.assertFalse(shown["ModelDown"][key][1])
        self.assertEqual(bool(shown["GeneratorInvalid"]), self.b.summary["validity"]["status"] == "INVALID")
        self.assertEqual({fires for _, fires in shown["LowGPUUtilization"].values()}, {True, False}, shown["LowGPUUtilization"])

    def test_links_hold_exactly_the_run(self):
        links = self.b.summary["links"]
        every = {name: board for name, board in boards.load().items() if name != "statsd"}  # which knows of no runs
        self.assertEqual(sorted(links), sorted(f"grafana_{name}" for name in every))
        ours = {name: points for name, points in self.b.points.items() if name not in ("gpu", "llm_server")}  # may begin before it
        stamps = [at for points in ours.values() for _, _, at in points]
        for name, board in every.items():
            link = urllib.parse.urlsplit(links[f"grafana_{name}"])
            query = dict(urllib.parse.parse_qsl(link.query))
            self.assertEqual(link.path, f"/d/{board['uid']}")
            self.assertLessEqual(int(query["from"]) * 10**6, min(stamps))
            self.assertGreaterEqual(int(query["to"]) * 10**6, max(stamps))
            self.assertLess(int(query["to"]) - int(query["from"]), (max(stamps) - min(stamps)) / 1e6 + 1000)
            chosen = {key[4:]: value for key, value in query.items() if key.startswith("var-")}
            self.assertLessEqual(set(chosen), {v["name"] for v in board["templating"]["list"]})
            self.assertEqual(set(chosen.values()), {self.b.id})
        self.assertEqual(self.a.summary["links"], {})


if __name__ == "__main__":
    harness.need("influxd", "influxdb")
    harness.main()
