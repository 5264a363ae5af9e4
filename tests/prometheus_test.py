#!/usr/bin/env python3
"""The generator's pulled page: read strictly while a run lasts and after it, by promtool, by a real Prometheus, by hostile clients."""
import contextlib
import http.client
import math
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

import yaml

import harness
from exposition import Page
from harness import BIN, Run, Server, run_dir, until

SCENARIO = {"schema_version": 1, "name": "pulled", "load": {"mode": "open", "rate": 40}, "warmup": "500ms", "duration": "3s",
            "mix": [{"name": "a", "model": "qwen2", "route": "tgi-stream", "prompts": ["hello"], "weight": 2, "parameters": {"max_new_tokens": 4}},
                    {"name": "b", "model": "llama3", "scenario": "qa", "route": "gateway", "parameters": {"max_new_tokens": 6}}]}
FAULTS = "rules:\n  - {fault: status_503, every: 9}\n"


class Pulled:
    """`loadgen run` with a page on a free port, started; `url` is where the page is."""

    def __init__(self, out, *flags, page="127.0.0.1:0"):
        self.out = out
        command = [BIN / "loadgen", "run", *flags, "--prometheus", page, "--out", out, "--quiet"]
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if not line.startswith("metrics: http://"):
            raise RuntimeError(line + self.process.communicate()[1])
        self.url = line.removeprefix("metrics: ").strip()

    def page(self):
        return Page(self.text())

    def text(self):
        with urllib.request.urlopen(self.url, timeout=20) as answer:
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            return answer.read().decode()

    def wait_for_results(self):
        """Until summary.json is there: the page is the last one."""
        deadline = time.monotonic() + 90
        while not (self.out / "shard.json").exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(self.process.communicate())
            time.sleep(0.02)

    def end(self, timeout=90):
        stdout, stderr = self.process.communicate(timeout=timeout)
        return Run(self.process.returncode, stdout, stderr, self.out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@contextlib.contextmanager
def pulled(*flags, **options):
    with run_dir() as folder:
        folder.mkdir()
        (folder / "faults.yaml").write_text(FAULTS)
        with Server("--faults", folder / "faults.yaml", ttft="20ms", gap="2ms") as server:
            mix = [{**entry, "target": server.url} for entry in SCENARIO["mix"]]
            (folder / "mix.yaml").write_text(yaml.safe_dump({**SCENARIO, "mix": mix}))
            with Pulled(folder / "out", folder / "mix.yaml", "--truth", server.truth_file, *flags, **options) as run:
                run.server = server
                yield run


def ok_latencies(requests, metric):
    return sorted(r["metrics"][metric] / 1000 for r in requests
                  if r["phase"] == "measure" and r["outcome"] == "ok" and r["metrics"].get(metric) is not None)


class WhileARunLasts(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.pages = []
        with pulled() as run:
            while not (run.out / "shard.json").exists() and run.process.poll() is None:
                cls.pages.append(run.page())
                time.sleep(0.02)
            run.wait_for_results()
            cls.final_text = run.text()
            cls.result = run.end()
            cls.server_page = urllib.request.urlopen(run.server.url + "/metrics", timeout=20).read().decode()
            cls.requests, cls.summary = cls.result.requests, cls.result.summary
        cls.final = Page(cls.final_text)

    def test_every_page_is_clean_and_counters_never_fall(self):
        self.assertGreater(len(self.pages), 5)
        last = {}
        for page in [*self.pages, self.final]:
            for (name, labels), value in page.samples.items():
                if name.endswith(("_total", "_count", "_bucket")):
                    self.assertGreaterEqual(value, last.get((name, labels), 0), (name, labels))
                    last[(name, labels)] = value

    def test_the_last_page_is_requests_jsonl(self):
        for outcome in {r["outcome"] for r in self.requests} | {"ok", "overloaded"}:
            for entry in ("a", "b"):
                wanted = sum(r["outcome"] == outcome and r["entry"] == entry for r in self.requests)
                self.assertEqual(self.final.total("llm_requests_total", outcome=outcome, entry=entry), wanted, (outcome, entry))
        self.assertGreater(self.final.total("llm_requests_total", outcome="overloaded"), 3)
        ok = [r for r in self.requests if r["outcome"] == "ok"]
        self.assertEqual(self.final.total("llm_output_tokens_total"), sum(r["output_tokens"] for r in ok))
        self.assertEqual(self.final.total("llm_input_tokens_total"), sum(r["input_tokens"] or 0 for r in ok))
        self.assertEqual(self.final.total("llm_sent_total"), self.summary["counts"]["sent"])

    def test_the_last_page_is_the_summary(self):
        for metric in ("ttft", "ttft_sched", "tpot", "icl", "e2e", "e2e_sched", "lateness"):
            ours = self.summary["metrics"][metric]
            self.assertEqual(self.final.total(f"llm_{metric}_seconds_count"), ours["count"] + ours["censored"], metric)
            self.assertAlmostEqual(self.final.total(f"llm_{metric}_seconds_sum"), ours["mean"] * ours["count"] / 1000, delta=1e-6, msg=metric)
            for name, quantile in (("p50", 0.5), ("p90", 0.9)):
                edge = self.final.quantile_edge(f"llm_{metric}_seconds", quantile)
                if ours[name] is not None and edge > 0.0001:
                    self.assertTrue(edge / 2 ** 0.25 * 0.999 < ours[name] / 1000 <= edge * 1.001, (metric, name, ours[name], edge))

    def test_gauges_go_with_the_run_and_the_verdict_stays(self):
        live = self.pages[len(self.pages) // 2]
        self.assertEqual({n for n, k in live.families.items() if k == "gauge"} - {"llm_generator_loop_lag_seconds", "llm_generator_cpu_share"},
                         {"llm_in_flight", "llm_run_info", "llm_generator_valid"})
        self.assertEqual({n for n, k in self.final.families.items() if k == "gauge"}, {"llm_run_info", "llm_generator_valid"})
        self.assertEqual(self.final.total("llm_generator_valid", verdict=self.summary["validity"]["status"]), 1)
        self.assertEqual(self.final.total("llm_generator_valid"), 1)
        self.assertEqual(self.final.total("llm_run_info", phase="ended", run=self.summary["run_id"]), 1)

    def test_pulling_all_the_time_does_not_move_what_is_measured(self):
        truth = self.summary["truth"]
        self.assertEqual((truth["matched"], truth["missing_in_truth"]), (self.summary["counts"]["ok"], 0))
        # A quiet machine is off by hundredths of a millisecond; where threads wait for a core, server and generator wait, too.
        is_busy = self.summary["generator"]["loop_lag"]["p99"] > 0.5
        for metric in ("ttft", "e2e"):
            self.assertLess(truth["metrics"][metric]["request_error"]["p50"], 100 if is_busy else 5, metric)

    def test_accounts(self):
        account = self.summary["exporters"]["prometheus"]
        self.assertTrue(5 < account["stored"] <= len(self.pages), "those of the time up to the summary")
        self.assertEqual(account["offered"], account["stored"] + account["dropped"])
        lines = self.summary["exporters"]["requests_jsonl"]["stored"]
        self.assertEqual(self.final.total("llm_export_records_total", exporter="requests_jsonl", account="stored"), lines)

    def test_client_and_server_share_their_buckets(self):
        ours = self.final.edges("llm_ttft_seconds")
        self.assertEqual(len(ours), 92)
        theirs = [float(line.split('le="')[1].split('"')[0]) for line in self.server_page.splitlines()
                  if line.startswith("refserver_time_to_first_token_seconds_bucket")]
        self.assertEqual(ours, theirs)

    def test_promtool_has_no_complaint(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("promtool is not installed (Debian package prometheus)")
        done = subprocess.run([promtool, "check", "metrics"], input=self.final_text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = subprocess.run([promtool, "check", "metrics"], input=self.server_page, capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if not line.startswith("tgi_")]  # TGI's names are TGI's
        self.assertEqual(ours, [])


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed (Debian package prometheus)")
class ScrapedByPrometheus(harness.Test):
    def test_what_it_has_at_the_end_is_the_summary(self):
        from dashboards.prometheus_source import Prometheus, wait_until
        page = f"127.0.0.1:{harness.free_port()}"
        with Prometheus({"loadgen": [page]}) as prometheus, pulled(page=page) as run:
            result = run.end()  # it waits for the last scrape
            summary, requests = result.summary, result.requests
            run_id = summary["run_id"]

            def last(expression):
                found = prometheus.query(f"sum(last_over_time({expression}[5m]))")
                return found[0].values()[0] if found else None

            wait_until(lambda: last(f'llm_requests_total{{run="{run_id}"}}') == len(requests), 60, "the last page in the database")
            for outcome in {r["outcome"] for r in requests}:
                self.assertEqual(last(f'llm_requests_total{{run="{run_id}",outcome="{outcome}"}}'), sum(r["outcome"] == outcome for r in requests))
            for metric in ("ttft", "e2e", "lateness"):
                ours = summary["metrics"][metric]
                self.assertEqual(last(f'llm_{metric}_seconds_count{{run="{run_id}"}}'), ours["count"] + ours["censored"])
            quantile = prometheus.query(f'histogram_quantile(0.5, sum by (le) (last_over_time(llm_ttft_seconds_bucket{{run="{run_id}"}}[5m])))')
            exact = summary["metrics"]["ttft"]["p50"] / 1000
            self.assertLess(abs(math.log2(quantile[0].values()[0] / exact)), 0.25, "within a bucket")


class AfterARun(harness.Test):
    def test_it_waits_for_one_scrape_and_no_longer(self):
        with pulled("--metrics-linger", "80s") as run:
            run.wait_for_results()
            time.sleep(0.5)
            self.assertIsNone(run.process.poll(), "nobody has seen the end yet")
            self.assertGreater(run.page().total("llm_requests_total"), 0)
            self.assertIn(run.end(timeout=70).code, (0, 4))

    def test_the_wait_has_an_end_and_none_can_be_asked_for(self):
        for linger, wait in (("0s", 0), ("1s", 1)):
            with pulled("--metrics-linger", linger) as run:
                self.assertIn(run.end().code, (0, 4))
                # It begins once everything is written.
                self.assertGreaterEqual(time.time() - (run.out / "shard.json").stat().st_mtime, wait - 0.05)

    def test_an_interrupt_ends_the_wait_and_does_not_change_the_result(self):
        with pulled("--metrics-linger", "80s") as run:
            run.wait_for_results()
            time.sleep(0.3)
            run.process.send_signal(signal.SIGINT)
            result = run.end(timeout=70)
            self.assertIn(result.code, (0, 4))
            self.assertFalse(result.summary["interrupted"])

    def test_an_interrupted_run_does_not_wait(self):
        with pulled() as run:
            self.assertTrue(until(lambda: run.page().total("llm_requests_total") > 0))
            run.process.send_signal(signal.SIGINT)
            result = run.end(timeout=29)  # not as long as it would wait
            self.assertTrue(result.summary["interrupted"])


class Hostile(harness.Test):
    def test_clients_that_misbehave_neither_stop_the_page_nor_the_load(self):
        with pulled("--metrics-linger", "0s") as run:
            host, port = run.url.removeprefix("http://").removesuffix("/metrics").split(":")
            held = []
            for i in range(40):
                s = socket.create_connection((host, int(port)), timeout=20)
                held.append(s)  # more than it has places for: silent, slow, garbage, no reading
                with contextlib.suppress(OSError):
                    s.sendall((b"", b"GET /met", b"\x16\x03\x01\x00\n\n", b"GET /metrics HTTP/1.1\r\n\r\n")[i % 4])
            with contextlib.suppress(OSError):
                held[0].sendall(b"X" * 100_000)
            run.wait_for_results()
            for s in held:
                s.close()
            result = run.end()
            self.assertIn(result.code, (0, 3, 4), result)
            self.assertGreater(result.summary["counts"]["ok"], 50)

    def test_it_answers_after_the_silent_were_cut_off(self):
        with pulled("--duration", "8s") as run:
            host, port = run.url.removeprefix("http://").removesuffix("/metrics").split(":")
            silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(32)]
            self.assertTrue(run.page().families is not None)  # waits for a place, at most the time a connection may take
            for s in silent:
                s.close()
            run.process.kill()

    def test_other_paths_and_methods(self):
        with pulled() as run:
            address = run.url.removeprefix("http://").removesuffix("/metrics")
            for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)):
                connection = http.client.HTTPConnection(address, timeout=20)
                connection.request(method, path)
                self.assertEqual(connection.getresponse().status, status, (method, path))
                connection.close()
            run.process.kill()


class Refused(harness.Test):
    def test_a_port_in_use_ends_the_run_before_it_sends_anything(self):
        with socket.socket() as taken, Server(ttft="1ms", gap="1ms") as server, run_dir() as out:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            run = harness.load(out, "--target", server.url, "--route", "tgi", "--model", "qwen2", "--concurrency", 1, "--requests", 1, "--warmup", "0s",
                               "--prometheus", address)
            self.assertEqual(run.code, 1, run)
            self.assertIn(f"cannot listen on {address}", run.stderr)
            self.assertEqual(server.truth(), [])

    def test_flags(self):
        for flags, word in ((("--prometheus", "9464"), "HOST:PORT"), (("--metrics-linger", "1s"), "--prometheus"),
                            (("--prometheus", "127.0.0.1:0", "--metrics-linger", "soon"), "--metrics-linger")):
            run = harness.loadgen("run", "--target", "http://127.0.0.1:1", "--route", "tgi", "--concurrency", 1, "--requests", 1, *flags)
            self.assertEqual(run.code, 64, run)
            self.assertIn(word, run.stderr)


class HostileNames(harness.Test):
    def test_names_stay_inside_their_labels(self):
        model = "x\"} 1\\n # TYPE y gauge\\ \u00e9\U0001f600,le:\"1\"" + "y" * 180
        with Server(ttft="2ms", gap="1ms", models=(model,)) as server, run_dir() as folder:
            folder.mkdir()
            (folder / "mix.yaml").write_text(yaml.safe_dump({"schema_version": 1, "name": "hostile", "load": {"mode": "closed", "concurrency": 2}, "requests": 20, "warmup": "0s", "mix": [
                {"name": "a", "target": server.url, "model": model, "route": "tgi-stream", "prompts": ["hello"], "parameters": {"max_new_tokens": 2}}]}))
            with Pulled(folder / "out", folder / "mix.yaml") as run:
                run.wait_for_results()
                page = run.page()
                run.end()
            self.assertEqual(page.total("llm_requests_total", model=model, outcome="ok"), 20)
            self.assertTrue(all(family.startswith("llm_") for family in page.families))


class TheReader(harness.Test):
    """The strict reader itself: each thing it is there for fails it."""

    GOOD = ('# HELP h_seconds h\n# TYPE h_seconds histogram\nh_seconds_bucket{le="1"} 1\nh_seconds_bucket{le="+Inf"} 2\nh_seconds_sum 3\n'
            'h_seconds_count 2\n# HELP c_total c\n# TYPE c_total counter\nc_total{a="x\\"y\\\\z\\n"} 1\n')

    def test_good(self):
        self.assertEqual(Page(self.GOOD).total("c_total", a='x"y\\z\n'), 1)

    def test_bad(self):
        for old, new in (('h_seconds_bucket{le="+Inf"} 2\n', ""), ('le="+Inf"} 2', 'le="+Inf"} 0'), ("h_seconds_count 2", "h_seconds_count 3"),
                         ("h_seconds_sum 3\n", ""), ("c_total", "c"), ('x\\"y', 'x"y'), ("# HELP c_total c\n# TYPE c_total counter\n", ""),
                         ('c_total{a="x\\"y\\\\z\\n"} 1\n', 'c_total{a="1"} 1\nc_total{a="1"} 1\n'), ("h_seconds", "h_ms")):
            self.assertIn(old, self.GOOD)
            with self.assertRaises((AssertionError, KeyError), msg=(old, new)):
                Page(self.GOOD.replace(old, new))
        with self.assertRaises(AssertionError):
            Page(self.GOOD + self.GOOD)
        with self.assertRaises(AssertionError):
            Page(self.GOOD[:-1])


if __name__ == "__main__":
    sys.exit(harness.main())
