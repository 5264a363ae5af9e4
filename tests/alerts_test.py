#!/usr/bin/env python3
"""The alert rules: unit tests by promtool, mistakes in thresholds that these must find, and alerts seen end to end.

End to end: a real Prometheus scrapes a real server, a real Alertmanager tells a webhook of this test that an alert fires and that
it is over. Only waiting times are shortened for that, in copies of the files that ship.
"""
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading

import harness
from dashboards.prometheus_source import Prometheus, http_ok, wait_until

RULES = harness.SOURCE / "dashboards/rules"
ALERTMANAGER = harness.SOURCE / "dashboards/alertmanager/alertmanager.yml"
UNIT_TESTS = harness.SOURCE / "tests/alerts/rules.test.yml"
NAMES = {"HighLatency", "HighErrorRate", "LowGPUUtilization", "GeneratorInvalid", "ModelDown"}
RECORDED = {"requests_total", "errors_total", "active_requests", "gpu_utilization", "request_duration_seconds_bucket",
            "request_duration_seconds_sum", "request_duration_seconds_count"}
# (file, what stands there, what a mistake would make of it)
MISTAKES = [("alerts.yml", "> 1\n", "> 1000\n"), ("alerts.yml", "> 0.05", "> 0.5"), ("alerts.yml", "< 50", "< 5"),
            ("alerts.yml", "for: 10m", "for: 1m"), ("alerts.yml", "for: 5m", "for: 1m"), ("alerts.yml", "0.95, sum", "0.5, sum"),
            ("alerts.yml", 'verdict="INVALID"', 'verdict="SUSPECT"'), ("alerts.yml", "refserver_gateway_backend_up", "backend_up"),
            ("alerts.yml", '"INVALID"}) == 1', '"INVALID"}) == 2'), ("alerts.yml", "gpu_utilization", "gpu_utilisation"),
            ("recording.yml", "ok|cancelled", "ok"), ("recording.yml", 'err!="dropped"', 'err!=""'),
            ("recording.yml", "llm_e2e_seconds_bucket", "llm_e2e_ms_bucket"), ("recording.yml", "+ tgi_queue_size", ""),
            ("recording.yml", "or sum without (outcome, entry, scenario) (llm_requests_total) * 0", "")]


def promtool(*args):
    return subprocess.run([harness.need("promtool", "prometheus"), *map(str, args)], capture_output=True, text=True, timeout=300)


def run_unit_tests(folder):
    """The unit tests against the rules in a folder."""
    text = UNIT_TESTS.read_text().replace("../../dashboards/rules/", f"{folder}/")
    (folder / "rules.test.yml").write_text(text)
    return promtool("test", "rules", folder / "rules.test.yml")


class Webhook:
    """What Alertmanager tells: `told` is every (status of the alert, its labels), in order."""

    def __init__(self):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                told.extend((alert["status"], alert["labels"], alert["annotations"]) for alert in body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def has(self, status, **labels):
        return any(said == status and labels.items() <= have.items() for said, have, _ in self.told)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def shortened(text, replacements):
    """The file with other waiting times; every place must be there."""
    for old, new in replacements:
        assert re.search(old, text), f"{old} is not in the file"
        text = re.sub(old, new, text)
    return text


class RulesTest(harness.Test):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rules-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for path in RULES.glob("*.yml"):
            shutil.copy(path, self.folder)

    def test_rules_are_well_formed(self):
        done = promtool("check", "rules", *sorted(RULES.glob("*.yml")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        text = "".join(path.read_text() for path in RULES.glob("*.yml"))
        self.assertEqual(set(re.findall(r"alert: (\w+)", text)), NAMES)
        self.assertEqual(set(re.findall(r"record: (\w+)", text)), RECORDED)

    def test_unit_tests_pass(self):
        done = run_unit_tests(self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(NAMES, set(re.findall(r"alertname: (\w+)", UNIT_TESTS.read_text())), "each alert has a unit test")

    def test_unit_tests_find_mistakes(self):
        for name, old, new in MISTAKES:
            path = self.folder / name
            right = path.read_text()
            self.assertIn(old, right)
            path.write_text(right.replace(old, new))
            self.assertNotEqual(run_unit_tests(self.folder).returncode, 0, f"{old} -> {new} is not found")
            path.write_text(right)

    def test_the_example_for_alertmanager_is_well_formed(self):
        amtool = shutil.which("amtool")
        if not amtool:
            self.skipTest("amtool is not installed (Debian package prometheus-alertmanager)")
        done = subprocess.run([amtool, "check-config", ALERTMANAGER], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Chain:
    """Server -> Prometheus -> Alertmanager -> webhook, with the shipped files but for waiting times and the webhook's address."""

    def __init__(self, test, server, windows, waits):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="alerts-"))
        test.addCleanup(shutil.rmtree, self.dir)
        self.hook = Webhook()
        test.addCleanup(self.hook.close)
        address = f"127.0.0.1:{harness.free_port()}"
        self.start_alertmanager(test, address)
        shutil.copy(RULES / "recording.yml", self.dir)
        (self.dir / "alerts.yml").write_text(shortened((RULES / "alerts.yml").read_text(), windows + waits))
        self.prometheus = Prometheus({"refserver": [server.removeprefix("http://")]},
                                     [self.dir / "recording.yml", self.dir / "alerts.yml"], address)
        test.addCleanup(self.prometheus.__exit__)

    def start_alertmanager(self, test, address):
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if not program:
            test.skipTest("alertmanager is not installed (Debian package prometheus-alertmanager)")
        config = shortened(ALERTMANAGER.read_text(), [("http://127.0.0.1:9099/alerts", self.hook.url),
                                                      ("group_wait: 10s", "group_wait: 0s"), ("group_interval: 1m", "group_interval: 1s")])
        (self.dir / "alertmanager.yml").write_text(config)
        log = open(self.dir / "alertmanager.log", "w")
        test.addCleanup(log.close)
        process = subprocess.Popen([program, f"--config.file={self.dir}/alertmanager.yml", f"--storage.path={self.dir}/data",
                                    f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn"],
                                   stdout=log, stderr=log)
        test.addCleanup(harness.end, process)
        wait_until(lambda: http_ok(f"http://{address}/-/ready"), 60, "Alertmanager", self.dir / "alertmanager.log")

    def await_alert(self, status, **labels):
        wait_until(lambda: self.hook.has(status, **labels), 180, f"{labels} {status}; told so far: {self.hook.told}")


class EndToEndTest(harness.Test):
    def test_a_server_that_goes_and_comes_back(self):
        """The process is killed and started again on the same port."""
        server = harness.Server(port=harness.free_port())
        self.addCleanup(server.__exit__)
        chain = Chain(self, server.url, [], [("for: 1m", "for: 3s")])  # one scrape too late is no outage
        wait_until(lambda: any(s.values() == [1.0] for s in chain.prometheus.query("up")), 60, "the first scrape")
        self.assertFalse(chain.hook.told, "nothing fires while all is well")
        server.kill()
        chain.await_alert("firing", alertname="ModelDown", cause="unreachable", severity="critical")
        with harness.Server(port=int(server.url.rsplit(":", 1)[1])):
            chain.await_alert("resolved", alertname="ModelDown", cause="unreachable")

    def test_answers_that_take_too_long_and_requests_that_fail(self):
        """Answers take more than a second, requests beyond two at a time are refused; both alerts end with the load."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="load-"))
        self.addCleanup(shutil.rmtree, folder)
        server = harness.Server("--max-concurrent-requests", "2", ttft="1500ms")
        self.addCleanup(server.__exit__)
        chain = Chain(self, server.url, [(r"\[[25]m\]", "[5s]")], [("for: 5m", "for: 2s"), ("for: 1m", "for: 2s")])
        wait_until(lambda: any(s.values() == [1.0] for s in chain.prometheus.query("up")), 60, "the first scrape")
        load = harness.start_loadgen("run", "--target", server.url, "--route", "tgi", "--model", "qwen2", "--rate", 4, "--duration",
                                     "400s", "--warmup", "0s", "--max-new-tokens", 4, "--out", folder / "run", "--quiet")
        self.addCleanup(harness.end, load)
        chain.await_alert("firing", alertname="HighLatency", source="server", severity="warning")
        chain.await_alert("firing", alertname="HighErrorRate", source="server", severity="critical")
        harness.end(load)
        load.communicate()
        chain.await_alert("resolved", alertname="HighLatency", source="server")
        chain.await_alert("resolved", alertname="HighErrorRate", source="server")


if __name__ == "__main__":
    harness.need("promtool", "prometheus")
    harness.main()
