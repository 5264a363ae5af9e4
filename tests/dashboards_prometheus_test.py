#!/usr/bin/env python3
"""Lets a real Prometheus scrape a real run, its server and a GPU's page, sends it every query of the Prometheus dashboard and
compares with requests.jsonl: counts exactly, quantiles within one bucket. Then with mistakes drawn from seeds, each of which must be
found; last, the recorded names against the same truth.
"""
import re
import threading
import time

import harness
from dashboards import boards, mutations, pages
from dashboards.expect_prometheus import PROMETHEUS
from dashboards.judge import judge
from dashboards.prometheus_source import Prometheus, PrometheusBoard, wait_until
from dashboards.truth import Truth
from dashboards_influx_test import FAULTS, MIX
from gateway_test import Gateway

EDGES = [0.0001 * 2 ** (k / 4) for k in range(0, 91, 4)]


class LoadTest(threading.Thread):
    """loadgen with its page at `address`, which it keeps until somebody has scraped it after the end."""

    def __init__(self, out, server, address, gpu):
        super().__init__(daemon=True)
        self.command = [out / "run", out / "mix.yaml", "--target", server, "--rate", 50, "--warmup", "1s", "--duration", "8s",
                        "--prometheus", address, "--metrics-linger", "30s", "--gpu-source", f"dcgm:{gpu}"]

    def run(self):
        self.result = harness.load(*self.command)


def last_scrape(prometheus, run):
    """When the generator's page was scraped last; its series end with it."""
    matrix = prometheus.samples(f'llm_requests_total{{run="{run}"}}[10m]')
    return max(at for series in matrix for at, _ in series)


def edge_near(limit):
    """The choice of a picker that is nearest to a limit, as its label says it."""
    return min(EDGES, key=lambda edge: abs(edge - limit))


class PrometheusDashboardTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.board = boards.load()["prometheus"]
        with harness.run_dir() as out, pages.GpuPage() as dcgm, pages.GpuPage(pages.SECOND_NODE) as seen:
            out.mkdir()
            (out / "mix.yaml").write_text(MIX)
            (out / "faults.yaml").write_text(FAULTS)
            server = harness.Server("--faults", str(out / "faults.yaml"), ttft="60ms", gap="10ms")
            cls.addClassCleanup(server.__exit__)
            gateway = Gateway(f"qwen2={server.url}", f"llama3=http://127.0.0.1:{harness.free_port()}")  # one of them is not there
            cls.addClassCleanup(gateway.stop)
            page = f"127.0.0.1:{harness.free_port()}"
            cls.prometheus = Prometheus({"loadgen": [page], "refserver": [server.url.removeprefix("http://")], "dcgm": [dcgm.address],
                                         "gateway": [gateway.url.removeprefix("http://")]},
                                        sorted((harness.SOURCE / "dashboards/rules").glob("*.yml")))
            cls.addClassCleanup(cls.prometheus.__exit__)
            wait_until(lambda: cls.prometheus.query("up{job='refserver'} == 1"), 60, "the first scrape of the server")
            cls.truth = cls.load_test(out, server, page, dcgm, seen)

    @classmethod
    def load_test(cls, out, server, page, dcgm, seen):
        test = LoadTest(out, server.url, page, seen.url)
        test.start()
        shown = "sum(llm_requests_total) > 100 and sum(llm_generator_loop_lag_seconds) and sum(llm_gpu_utilization_percent)"
        wait_until(lambda: cls.prometheus.query(shown), 90, "a hundred requests on the page")
        middle = time.time()
        test.join()
        assert test.result.code in (0, 4), test.result
        truth = Truth(test.result)
        truth.middle, truth.at = middle, last_scrape(cls.prometheus, truth.id)
        truth.page, truth.gpu = pages.fetch(server.url + "/metrics"), {**pages.fetch(dcgm.url), **pages.fetch(seen.url)}
        wait_until(lambda: cls.settled(truth), 60, "a scrape of the server when all was over")
        truth.later = time.time()
        truth.slo_edges = {metric: f"{edge_near(limit):.10g}" for metric, limit in truth.slo.items()}
        return truth

    @classmethod
    def settled(cls, truth):
        shown = [s.values()[0] for s in cls.prometheus.query("sum(tgi_request_count) + sum(tgi_request_success)")]
        return shown == [truth.page[("tgi_request_count", ())] + truth.page[("tgi_request_success", ())]]

    def on(self, board):
        choice = {"run": self.truth.id, "ttft_slo": self.truth.slo_edges["ttft"], "e2e_slo": self.truth.slo_edges["e2e"]}
        return PrometheusBoard(board, self.prometheus, self.truth.middle, self.truth.at, self.truth.later, choice)

    def differences(self, board):
        return judge(board, self.on(board).answers, self.truth, PROMETHEUS)

    def test_annotations_are_the_phases_of_the_run(self):
        on = self.on(self.board)
        for at, phases in ((self.truth.middle, {"warmup", "measure"}), (self.truth.at, {"ended"})):
            notes = on.notes(self.board, at)
            self.assertEqual([note["run"] for note in notes], [self.truth.id])
            self.assertLessEqual({note["phase"] for note in notes}, phases)

    def test_every_panel_shows_what_is_true(self):
        self.assertEqual(self.differences(self.board), [])
        print(f"  {sum(len(p['targets']) for p in boards.panels(self.board))} queries of {len(boards.panels(self.board))} panels")

    def test_pickers_offer_edges_of_the_histograms(self):
        edges = {s.tags["le"] for s in self.prometheus.query("llm_e2e_seconds_bucket", self.truth.at)}
        for variable in self.board["templating"]["list"]:
            if variable["name"].endswith("_slo"):
                self.assertLessEqual({option["value"] for option in variable["options"]}, edges)

    def test_mistakes_in_the_dashboard_are_found(self):
        for seed in range(10):
            what, changed = mutations.of_board(self.board, seed)
            found = self.differences(changed)
            self.assertNotEqual(found, [], f"seed {seed}: {what}")
            print(f"  seed {seed}: {what}: {found[0][:100]}")

    def test_documented_names_exist(self):
        """Every name of docs/monitoring.md that a page or a rule should have."""
        names = set(self.prometheus.get("/api/v1/label/__name__/values"))
        text = (harness.SOURCE / "docs/monitoring.md").read_text().split("## Prometheus names")[1].split("## Dashboards")[0]
        documented = set(re.findall(r"`((?:llm|tgi|refserver)_\w+|\w+_(?:total|requests|utilization|duration_seconds))`", text))
        self.assertGreater(len(documented), 30)
        self.assertEqual({name for name in documented if not {name, f"{name}_bucket"} & names}, set())

    def test_recorded_names_say_the_same(self):
        """Each as what it is made of, at the last moment at which its rule saw the page."""
        def both(recorded, raw):
            at = max(at for series in self.prometheus.samples(f"{recorded}[10m]") for at, _ in series)
            one, other = ([s.values()[0] for s in self.prometheus.query(f"sum({expr})", at)] for expr in (recorded, raw))
            self.assertEqual(one, other, recorded)
            return one[0]
        requests = both("requests_total{source='generator'}", "llm_requests_total")
        self.assertTrue(0.5 * len(self.truth.requests) < requests <= len(self.truth.requests))
        errors = both("errors_total{source='generator'}", "llm_requests_total{outcome!~'ok|cancelled'}")
        self.assertTrue(0 < errors <= len(self.truth.failed()))
        both("request_duration_seconds_count{source='generator'}", "llm_e2e_seconds_count")
        both("request_duration_seconds_bucket{source='server'}", "tgi_request_duration_bucket")
        both("requests_total{source='server'}", "tgi_request_count")
        both("gpu_utilization{source='dcgm'}", "DCGM_FI_DEV_GPU_UTIL")
        self.assertGreater(max(v for series in self.prometheus.samples("active_requests{source='generator'}[10m]") for _, v in series), 0)


if __name__ == "__main__":
    harness.need("prometheus", "prometheus")
    harness.main()
