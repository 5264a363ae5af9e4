#!/usr/bin/env python3
"""What loadgen, refserver and its gateway tell StatsD: to a recorder byte by byte, and through a real collectd into a real InfluxDB.

Totals are held against requests.jsonl and the server's truth log. The templates of deploy/telegraf and deploy/statsd-exporter are
applied to the names that were really sent, by the rules of those programs written out here: neither program is run.
"""
import collections
import contextlib
import re
import shutil
import sys
import unittest

import yaml

import harness
from gateway_test import Gateway
from harness import Server, load, run_dir
from statsd_receivers import Collectd, Recorder, telegraf, telegraf_templates

FAULTS = """
rules:
  - {fault: status_503, every: 7}
  - {fault: reset_after_token, every: 11, token: 2}
  - {fault: status_429, every: 5}
"""
GENERATION_FAULTS = {"status_503", "reset_after_token"}  # a 429 says nothing about the model


@contextlib.contextmanager
def faulty_server(*flags):
    with run_dir() as folder:
        folder.mkdir()
        (folder / "faults.yaml").write_text(FAULTS)
        with Server("--faults", folder / "faults.yaml", *flags, ttft="5ms", gap="1ms") as server:
            yield server


def run_flags(server, *more):
    return ("--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 4, "--warmup", "300ms", "--duration", "2s",
            "--max-new-tokens", 5, *more)


def totals(lines, tag=None):
    """The sum of each counter, by name, or by (name, value of the tag)."""
    found = collections.Counter()
    for line in lines:
        if line.type == "c":
            found[(line.name, line.tags.get(tag)) if tag else line.name] += line.value
    return found


def wanted_counters(requests):
    """What the generator's counters must add up to."""
    wanted = collections.Counter({"requests.total": len(requests), "sent": sum(r["outcome"] != "dropped" for r in requests)})
    for request in requests:
        wanted["requests." + request["outcome"]] += 1
        if request["outcome"] == "ok":
            wanted["tokens.output"] += request["output_tokens"]
            wanted["tokens.input"] += request["input_tokens"] or 0
    return {name: count for name, count in wanted.items() if count > 0}


class Generator(harness.Test):
    def recorded(self, *flags):
        with Recorder() as recorder, faulty_server() as server, run_dir() as out:
            run = load(out, *run_flags(server, "--statsd", recorder.address, *flags))
            self.assertIn(run.code, (0, 3, 4), run)
            word = re.sub(r"[^A-Za-z0-9_-]", "_", server.url.removeprefix("http://"))
            return recorder.lines(), recorder.datagrams, run.requests, run.summary, word, server.url.removeprefix("http://")

    def test_plain_names_add_up_to_the_requests(self):
        lines, datagrams, requests, summary, word, _ = self.recorded()
        base = f"llm.{summary['run_id']}.{word}."
        self.assertGreater(len(requests), 50)
        self.assertEqual(totals(lines), {base + name: count for name, count in wanted_counters(requests).items()})
        self.assertLessEqual(max(map(len, datagrams)), 1432)
        self.assertTrue(all(line.name.startswith((base, f"llm.{summary['run_id']}.generator.")) for line in lines))
        account = summary["exporters"]["statsd"]
        self.assertEqual((account["offered"], account["stored"], account["dropped"]), (len(lines), len(lines), 0))

    def test_timers_and_percentiles_are_those_of_the_measured_requests(self):
        lines, _, requests, summary, word, _ = self.recorded()
        base = f"llm.{summary['run_id']}.{word}."
        for metric in ("ttft", "tpot", "e2e"):
            exact = sorted(r["metrics"][metric] for r in requests if r["phase"] == "measure" and r["metrics"].get(metric) is not None
                           and (metric != "e2e" or r["outcome"] == "ok"))
            timers = [line.value for line in lines if line.name == base + metric and line.type == "ms"]
            self.assertTrue(0 < len(timers) <= len(exact), metric)
            slack = 0.002 * exact[-1] + 0.002
            self.assertTrue(exact[0] - slack <= min(timers) and max(timers) <= exact[-1] + slack, metric)
            for word_ in ("p50", "p95", "p99", "max"):
                gauges = [line.value for line in lines if line.name == f"{base}{metric}.{word_}" and line.type == "g"]
                self.assertTrue(gauges and max(gauges) <= exact[-1] + slack and min(gauges) >= exact[0] - slack, (metric, word_))
            self.assertAlmostEqual(max(line.value for line in lines if line.name == f"{base}{metric}.max"), exact[-1], delta=slack)
        ends = [line.value for line in lines if line.name == base + "in_flight"]
        self.assertEqual(ends[-1], 0, "the run is over")

    def test_the_other_dialects_carry_tags(self):
        for dialect in ("dogstatsd", "influx"):
            with self.subTest(dialect):
                lines, _, requests, summary, _, address = self.recorded("--statsd-format", dialect, "--statsd-prefix", "my.load")
                self.assertEqual(totals(lines), {"my.load." + name: count for name, count in wanted_counters(requests).items()})
                if dialect == "influx":
                    address = address.replace(":", "_")
                for line in lines:
                    own = line.name.startswith("my.load.generator.")
                    entry = {"run": summary["run_id"]} if own else {"run": summary["run_id"], "target": address, "model": "qwen2"}
                    self.assertEqual(entry, {k: v for k, v in line.tags.items() if k in ("run", "target", "model")}, line.text)

    def test_hostile_names_make_no_other_metric(self):
        model = "m.b:1|c,t:1|#q:r@0.5 \u00e9\U0001f600 \"'\\n" + "y" * 200
        with run_dir() as folder, Server(ttft="2ms", gap="1ms", models=(model,)) as server:
            folder.mkdir()
            scenario = folder / "hostile.yaml"
            scenario.write_text(yaml.safe_dump({
                "schema_version": 1, "name": "hostile", "load": {"mode": "closed", "concurrency": 2}, "requests": 20, "warmup": "0s",
                "mix": [{"name": "a", "target": server.url, "route": "tgi-stream", "model": model, "prompts": ["hello"], "parameters": {"max_new_tokens": 3}}]}))
            for dialect in ("plain", "dogstatsd", "influx"):
                with self.subTest(dialect), Recorder() as recorder:
                    out = folder / dialect
                    run = load(out, scenario, "--statsd", recorder.address, "--statsd-format", dialect)
                    self.assertTrue((out / "summary.json").exists(), run)
                    lines = recorder.lines()  # each is a StatsD line, or this raises
                    ended = sum(count for name, count in totals(lines).items() if name.endswith("requests.total"))
                    self.assertEqual(ended, len(run.requests))
                    self.assertEqual({len(line.name.split(".")) for line in lines if line.name.endswith(".sent")},
                                     {4} if dialect == "plain" else {2})

    def test_nobody_listening_harms_only_the_account(self):
        port = harness.free_port()
        with Server(ttft="2ms", gap="1ms") as server, run_dir() as out:
            run = load(out, *run_flags(server, "--statsd", f"127.0.0.1:{port}"))
            self.assertIn(run.code, (0, 3, 4), "what a view loses is no matter for a gate: " + repr(run))
            account = run.summary["exporters"]["statsd"]
            self.assertGreater(account["dropped"], 0)
            self.assertEqual(account["offered"], account["stored"] + account["dropped"])
            self.assertTrue(any("StatsD" in w and "nobody listens" in w for w in run.summary["warnings"]), run.summary["warnings"])

    def test_bad_flags_say_what_is_right(self):
        for flags, word in ((("--statsd", "localhost"), "HOST:PORT"), (("--statsd", "localhost:0"), "8125"),
                            (("--statsd", "a:1", "--statsd-format", "graphite"), "dogstatsd"),
                            (("--statsd", "a:1", "--statsd-prefix", "a b"), "--statsd-prefix"), (("--statsd-format", "plain"), "--statsd HOST")):
            run = harness.loadgen("run", "--target", "http://127.0.0.1:1", "--route", "tgi", "--concurrency", 1, "--requests", 1, *flags)
            self.assertEqual(run.code, 64, run)
            self.assertIn(word, run.stderr)


def server_counters(truth, models):
    """What the counters of a server must add up to, from its truth log."""
    wanted = collections.Counter()
    for record in truth:
        model = record["model"] if record["model"] in models else "unknown"
        wanted["requests.total." + model] += 1
        wanted["tokens.input." + model] += record["prompt_tokens"]
        wanted["tokens.output." + model] += len(record["due_ns"])
        if record["outcome"] == "fault" and record["fault"] in GENERATION_FAULTS:
            wanted["errors.model_error." + model] += 1
        if record["outcome"] == "queue_timeout" or (record["outcome"] == "client_gone" and record["fault"] == "stall"):
            wanted["errors.timeout." + model] += 1
    return {name: count for name, count in wanted.items() if count > 0}


class Refserver(harness.Test):
    def test_counts_by_model_what_its_truth_log_says(self):
        with Recorder() as recorder, faulty_server("--statsd", recorder.address) as server, run_dir() as out:
            load(out, *run_flags(server))
            load(out.with_name("other"), *run_flags(server, "--model", "llama3"))
            load(out.with_name("unknown"), "--target", server.url, "--route", "gateway", "--model", "who", "--scenario", "qa", "--concurrency", 1,
                 "--requests", 3, "--warmup", "0s")
            truth = server.truth()
            lines = recorder.lines()
            wanted = server_counters(truth, ("qwen2", "llama3"))
            self.assertGreater(wanted["errors.model_error.qwen2"], 3)
            self.assertEqual(wanted["requests.total.unknown"], 3)
            self.assertEqual(totals(lines), wanted)
            ok = sum(r["outcome"] == "ok" and r["model"] == "qwen2" for r in truth)
            timers = [line.value for line in lines if line.name == "request.latency.qwen2"]
            self.assertTrue(0 < len(timers) <= ok)
            self.assertGreaterEqual(min(timers), 8, "5 ms to the first token and four gaps of 1 ms, less what clocks round")

    def test_a_client_that_gives_up_on_a_stalled_answer_is_a_timeout(self):
        with run_dir() as folder, Recorder() as recorder:
            folder.mkdir()
            (folder / "faults.yaml").write_text("rules:\n  - {fault: stall, every: 3, token: 1, time: 20s}\n")
            with Server("--faults", folder / "faults.yaml", "--statsd", recorder.address, "--statsd-prefix", "gw", ttft="2ms", gap="1ms") as server:
                run = load(folder / "out", "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 2, "--requests", 12,
                           "--warmup", "0s", "--max-new-tokens", 3, "--timeout", "300ms")
                late = sum(r["outcome"] == "timeout_total" for r in run.requests)
                truth = server.truth()
                found = totals(recorder.lines())
                self.assertGreater(late, 2)
                stalled = sum(r["fault"] == "stall" for r in truth)
                self.assertEqual(found["gw.errors.timeout.qwen2"], stalled)
                self.assertEqual(found["gw.errors.model_error.qwen2"], 0)

    def test_tags(self):
        for dialect in ("dogstatsd", "influx"):
            with Recorder() as recorder, Server("--statsd", recorder.address, "--statsd-format", dialect, ttft="2ms", gap="1ms") as server, \
                    run_dir() as out:
                run = load(out, *run_flags(server))
                server.stop()
                found = totals(recorder.lines(), "model")
                self.assertEqual(found[("requests.total", "qwen2")], len(run.requests))

    def test_the_fields_of_the_example_file(self):
        example = (harness.SOURCE / "refserver/config.example.yaml").read_text()
        fields = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# statsd")]
        self.assertEqual([field.split(":")[0] for field in fields], ["statsd", "statsd_format", "statsd_prefix"])
        with run_dir() as out, Recorder() as recorder:
            out.mkdir()
            (out / "config.yaml").write_text("\n".join(fields).replace("127.0.0.1:8125", recorder.address))
            with Server("--config", out / "config.yaml", ttft="2ms", gap="1ms") as server:
                run = load(out / "run", *run_flags(server))
                server.stop()
                self.assertEqual(totals(recorder.lines(), "model")[("gateway.requests.total", "qwen2")], len(run.requests))

    def test_bad_flags_say_what_is_right(self):
        for flags, word in ((("--statsd", "localhost"), "HOST:PORT"), (("--statsd-format", "x"), "dogstatsd"), (("--statsd-prefix", "a:b"), "gateway")):
            with self.assertRaises(RuntimeError) as refused, Server(*flags):
                pass
            self.assertIn(word, str(refused.exception))


class GatewayOfServers(harness.Test):
    def test_counts_by_backend_what_clients_saw(self):
        with Recorder() as recorder, faulty_server() as server:
            with Gateway(f"qwen2={server.url}", flags=("--statsd", recorder.address)) as gateway, run_dir() as out:
                run = load(out, "--target", gateway.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 4, "--requests", 120,
                           "--warmup", "0s", "--max-new-tokens", 5)
                gateway.stop()
                found = totals(recorder.lines())
                self.assertEqual(found["requests.total.qwen2"], len(run.requests))
            truth = server.truth()
            broken = sum(r["outcome"] == "fault" and r["fault"] in GENERATION_FAULTS for r in truth)
            self.assertGreater(broken, 5)
            self.assertEqual(found["errors.model_error.qwen2"], broken)
            self.assertEqual(found["errors.timeout.qwen2"], 0)

    def test_a_silent_backend_is_a_timeout(self):
        with run_dir() as folder, Recorder() as recorder:
            folder.mkdir()
            (folder / "faults.yaml").write_text("rules:\n  - {fault: stall, every: 2, token: 0, time: 5s}\n")
            with Server("--faults", folder / "faults.yaml", ttft="2ms", gap="1ms") as server, \
                    Gateway(f"qwen2={server.url}", flags=("--statsd", recorder.address, "--backend-timeout", "300ms")) as gateway:
                run = load(folder / "out", "--target", gateway.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 2, "--requests", 8,
                           "--warmup", "0s", "--max-new-tokens", 3)
                gateway.stop()
                found = totals(recorder.lines())
                self.assertEqual(found["errors.timeout.qwen2"], sum(r["outcome"] != "ok" for r in run.requests))
                self.assertGreater(found["errors.timeout.qwen2"], 2)


@unittest.skipUnless(all(map(shutil.which, ("collectd", "influxd"))), "collectd or influxd is not installed (Debian packages collectd-core, influxdb)")
class ThroughCollectd(harness.Test):
    """Server and generator -> collectd -> InfluxDB -> a query; dashboards_statsd_test.py has the gateway and a dashboard."""

    def test_totals_in_the_database_are_those_of_the_requests(self):
        with Collectd() as collectd, Server("--statsd", collectd.address, ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, *run_flags(server, "--statsd", collectd.address))
            requests = run.requests
            truth = server.truth()
            word = re.sub(r"[^A-Za-z0-9_-]", "_", server.url.removeprefix("http://"))
            wanted = {f"llm.{run.summary['run_id']}.{word}.{name}": count for name, count in wanted_counters(requests).items()}
            wanted.update(server_counters(truth, ("qwen2",)))
            self.assertGreater(wanted["requests.total.qwen2"], 50)
            self.assertEqual(collectd.counters(wanted), wanted)
            rows = collectd.influx.rows("SELECT sum(\"value\") AS n FROM \"statsd_value\" WHERE \"type\" = 'count' AND "
                                        "\"type_instance\" =~ /^requests\\.total\\./ GROUP BY \"type_instance\"", "collectd")
            self.assertEqual([(row["type_instance"], row["n"]) for row in rows], [("requests.total.qwen2", len(truth))])


# --- the templates of the stack, applied as Telegraf and statsd_exporter say they are

def statsd_exporter(line, mappings):
    """(name, labels) of the first mapping that fits, None where it is dropped; fails where none does."""
    kinds = {"c": "counter", "g": "gauge", "ms": "observer"}
    for mapping in mappings:
        wanted, parts = mapping["match"].split("."), line.name.split(".")
        if len(wanted) != len(parts) or mapping.get("match_metric_type", kinds[line.type]) != kinds[line.type]:
            continue
        if not all(w in ("*", p) for w, p in zip(wanted, parts)):
            continue
        if mapping.get("action") == "drop":
            return None
        stars = [p for w, p in zip(wanted, parts) if w == "*"]
        fill = lambda text: re.sub(r"\$\{?(\d)\}?", lambda m: stars[int(m[1]) - 1], str(text))
        return fill(mapping["name"]), {k: fill(v) for k, v in mapping.get("labels", {}).items()}
    raise AssertionError(f"no mapping for {line.text}")


class Templates(harness.Test):
    @classmethod
    def setUpClass(cls):
        with Recorder() as recorder, faulty_server("--statsd", recorder.address) as server, run_dir() as out:
            run = load(out, *run_flags(server, "--statsd", recorder.address))
            cls.run_id = run.summary["run_id"]
            cls.word = re.sub(r"[^A-Za-z0-9_-]", "_", server.url.removeprefix("http://"))
            server.stop()
            cls.lines = recorder.lines()

    def test_telegraf_finds_measurement_and_tags_of_every_name(self):
        templates = telegraf_templates()
        for line in self.lines:
            measurement, tags = telegraf(line.name, templates)
            if line.name.startswith("llm."):
                rest = line.name.split(".", 3)[3]
                target = tags["target"]
                self.assertIn(target, (self.word, "generator"))
                self.assertEqual((measurement, tags["run"]), ("llm_" + rest.replace(".", "_"), self.run_id), line.text)
            else:
                self.assertEqual((measurement, tags), ("_".join(line.name.split(".")[:2]), {"model": "qwen2"}), line.text)
        self.assertEqual(telegraf("llm.requests.total", templates), ("llm_requests_total", {}), "with tags of its own")
        self.assertEqual(telegraf("request.latency_p99", templates), ("request_latency_p99", {}))

    def test_statsd_exporter_has_a_family_of_one_kind_for_every_name(self):
        mappings = yaml.safe_load((harness.SOURCE / "deploy" / "statsd-exporter" / "mapping.yml").read_text())["mappings"]
        kinds, used = {}, set()
        for line in self.lines:
            mapped = statsd_exporter(line, mappings)
            if mapped is None:
                continue
            name, labels = mapped
            self.assertRegex(name, r"^statsd_[a-z0-9_]+$")
            self.assertEqual(kinds.setdefault(name, (line.type, set(labels))), (line.type, set(labels)), line.text)
            used.add(name)
        self.assertLessEqual({"statsd_llm_requests_total", "statsd_llm_ttft_seconds", "statsd_llm_ttft_milliseconds", "statsd_requests_total",
                              "statsd_request_latency_seconds", "statsd_errors_total", "statsd_input_tokens_total",
                              "statsd_llm_generator_cpu_share"}, used)

    def test_compose_mounts_both(self):
        compose = (harness.SOURCE / "docker-compose.yml").read_text()
        self.assertIn("./deploy/telegraf/telegraf.conf:", compose)
        self.assertIn("./deploy/statsd-exporter:", compose)


if __name__ == "__main__":
    sys.exit(harness.main())
