#!/usr/bin/env python3
"""GPUs and servers looked at during runs, end to end: a library that says what NVML would, pages that a small server of ours
writes, and refserver's own page, whose figures must be those that the run stored."""
import concurrent.futures
import contextlib
import http.server
import re
import threading
import time
import urllib.request

import harness

FAKE_NVML = harness.BIN.parent / "loadgen" / "fake_nvml" / "libfake_nvml_whole.so"
SHORT = ("--route", "tgi-stream", "--model", "qwen2", "--concurrency", "2", "--warmup", "500ms", "--duration", "3s", "--max-new-tokens", "8")


def points_of(out, measurement):
    """[(tags, fields)] of one measurement, in the order of the file; none of our values has a blank or comma in it."""
    found = []
    for line in (out / "points.lp").read_text().splitlines():
        head, fields, _ = line.rsplit(" ", 2)
        name, *tags = head.split(",")
        if name == measurement:
            found.append((dict(tag.split("=", 1) for tag in tags), dict(field.split("=", 1) for field in fields.split(","))))
    return found


def page_value(page, name, model=None):
    """One sample of a metrics page."""
    labels = f'{{model="{model}"}}' if model else ""
    return float(re.search(rf"^{re.escape(name + labels)} (\S+)$", page, re.M).group(1))


@contextlib.contextmanager
def page_server(answer):
    """A server whose every page is answer() -> (status, text); the URL of its /metrics."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answer()
            body = text.encode()
            with contextlib.suppress(ConnectionError):  # who asked may have given up
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


class ObserveTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(ttft="10ms", gap="2ms")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def run_with(self, out, *flags, env=None):
        return harness.load(out, "--target", self.server.url, *SHORT, *flags, env=env)

    def gate(self, run, at=0):
        return run.summary["gates"][at]

    def test_a_servers_page_is_stored_as_it_stands(self):
        with harness.run_dir() as out:
            run = self.run_with(out, "--scrape", "target", "--gate", "max(server.running, model=qwen2) <= 2",
                                "--gate", "server.queue_time_mean < 10s", "--gate", "max(server.kv_usage) < 90%")
            page = urllib.request.urlopen(self.server.url + "/metrics").read().decode()
            self.assertCode(run, 0)
            points = points_of(out, "llm_server")
            self.assertEqual({tags["target"] for tags, _ in points}, {self.server.url})
            last = {tags.get("model"): fields for tags, fields in points}
            # Nothing was sent after the last look, so what it found is what the page still says.
            for field, name in (("prompt_tokens", "refserver_prompt_tokens_total"), ("generated_tokens", "refserver_generated_tokens_total"),
                                ("preemptions", "refserver_preemptions_total")):
                for model in ("qwen2", "llama3"):
                    self.assertEqual(last[model][field], f"{page_value(page, name, model):.0f}i", (field, model))
            self.assertEqual(last[None]["requests_ok"], f"{page_value(page, 'tgi_request_success'):.0f}i")
            self.assertEqual(float(last[None]["queue_time_sum"]), page_value(page, "tgi_request_queue_duration_sum"))
            self.assertGreater(page_value(page, "refserver_generated_tokens_total", "qwen2"), 0)
            observed = run.summary["observed"]
            self.assertEqual(observed["gpus"], [])
            servers = {server["model"]: server for server in observed["servers"]}
            self.assertEqual(set(servers), {"", "qwen2", "llama3"})
            busy = servers["qwen2"]
            self.assertGreaterEqual(busy["readings"], 2)
            self.assertLessEqual(busy["readings"], 4, "readings outside the window do not count")
            self.assertGreater(busy["metrics"]["generated_tokens"]["increase"], 0)
            self.assertEqual(servers["llama3"]["metrics"]["generated_tokens"]["increase"], 0)
            self.assertGreater(servers[""]["queue_time_mean_ms"], 0)

    def test_without_a_library_gates_are_inconclusive(self):
        with harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", "nvml", "--gate", "max(gpu.memory_used_mib) < 7152",
                                env={"LOADGEN_NVML_LIBRARY": "/nonexistent/libnvidia-ml.so.1"})
            self.assertCode(run, 3)
            complaints = [line for line in run.stderr.splitlines() if "nvml" in line]
            self.assertEqual(len(complaints), 1, run.stderr)
            self.assertIn("/nonexistent/libnvidia-ml.so.1", complaints[0])
            self.assertEqual((self.gate(run)["status"], self.gate(run)["value"]), ("inconclusive", None))
            self.assertIn("no NVML", self.gate(run)["note"])
            self.assertFalse(run.summary["observed"]["sources"][0]["open"])

    def test_gates_without_any_source_are_inconclusive(self):
        with harness.run_dir() as out:
            run = self.run_with(out, "--gate", "gpu.joules_per_token < 1000", "--gate", "max(server.waiting) < 1000")
            self.assertCode(run, 3)
            self.assertEqual([gate["status"] for gate in run.summary["gates"]], ["inconclusive"] * 2)
            self.assertIsNone(run.summary["observed"])

    def test_gpus_of_this_machine(self):
        env = {"LOADGEN_NVML_LIBRARY": str(FAKE_NVML), "FAKE_NVML_GPUS": "2"}
        with harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", "nvml", "--gate", "max(gpu.memory_used_mib) < 7152", "--gate", "mean(gpu.utilization) > 80",
                                "--gate", "gpu.joules_per_token < 1000000", "--gate", "max(gpu.memory_used_mib, gpu=1) < 2048", env=env)
            self.assertCode(run, 2)
            self.assertEqual([gate["status"] for gate in run.summary["gates"]], ["pass", "pass", "pass", "fail"])
            self.assertEqual([gate["value"] for gate in run.summary["gates"]][0::3], [2048, 2048])
            observed = run.summary["observed"]
            self.assertEqual([(gpu["gpu"], gpu["name"], gpu["serves_target"]) for gpu in observed["gpus"]], [("0", "Fake GPU", True), ("1", "Fake GPU", True)])
            # The library's GPUs draw 200 W each, by their energy counters; the window is 3 s.
            for gpu in observed["gpus"]:
                self.assertEqual(gpu["energy_from"], "counter")
                self.assertAlmostEqual(gpu["energy_j"], 600, delta=300)
                self.assertEqual(gpu["metrics"]["process_memory_mib"]["max"], 512)
            self.assertAlmostEqual(observed["joules_per_output_token"], observed["energy_j"] / observed["output_tokens"], delta=1e-6)
            self.assertEqual(self.gate(run, 2)["value"], observed["joules_per_output_token"])
            points = points_of(out, "gpu")
            self.assertEqual({(tags["gpu"], tags["uuid"]) for tags, _ in points}, {("0", "GPU-fake-0"), ("1", "GPU-fake-1")})
            self.assertEqual({fields["mem_used_mib"] for tags, fields in points if tags["gpu"] == "1"}, {"2048"})
            self.assertEqual({fields["throttle"] for _, fields in points}, {"0i"})
            report = (out / "report.html").read_text()
            self.assertIn('"metric":"memory_used_mib"', report)

    def test_a_gpu_lost_in_the_middle_decides_nothing(self):
        env = {"LOADGEN_NVML_LIBRARY": str(FAKE_NVML), "FAKE_NVML_LOST_AFTER_S": "1"}
        with harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", "nvml", "--gate", "max(gpu.memory_used_mib) < 7152", env=env)
            self.assertCode(run, 3)
            self.assertEqual(self.gate(run)["status"], "inconclusive")
            source = run.summary["observed"]["sources"][0]
            self.assertTrue(source["open"])
            self.assertGreater(source["failed"], 0)
            self.assertIn("GPU is lost", source["first_error"])
            self.assertTrue(any("GPU is lost" in warning for warning in run.summary["warnings"]))

    def test_a_gpu_held_down_makes_the_run_suspect(self):
        env = {"LOADGEN_NVML_LIBRARY": str(FAKE_NVML), "FAKE_NVML_THROTTLE": str(0x4)}
        with harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", "nvml", env=env)
            check = {c["name"]: c for c in run.summary["validity"]["checks"]}["gpu_throttled_0"]
            self.assertEqual(check["status"], "SUSPECT")
            self.assertTrue(any("GPU 0 of the target" in reason and "power_cap" in reason for reason in run.summary["validity"]["reasons"]))

    def test_a_dcgm_page(self):
        begin = time.monotonic()

        def page():
            labels = 'gpu="0",UUID="GPU-d",modelName="Stub",Hostname="node"'
            energy_mj = (time.monotonic() - begin) * 300 * 1000
            return 200, (f"DCGM_FI_DEV_GPU_UTIL{{{labels}}} 91\nDCGM_FI_DEV_FB_USED{{{labels}}} 4000\n"
                         f"DCGM_FI_DEV_GPU_TEMP{{{labels}}} 9223372036854775794\nDCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{labels}}} {energy_mj:.0f}\n")

        with page_server(page) as url, harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", f"dcgm:{url}", "--gate", "max(gpu.memory_used_mib) < 7152", "--gate", "max(gpu.temperature_c) < 85")
            self.assertCode(run, 3)
            self.assertEqual([gate["status"] for gate in run.summary["gates"]], ["pass", "inconclusive"])
            self.assertIn("does not say gpu.temperature_c", self.gate(run, 1)["note"])
            gpu = run.summary["observed"]["gpus"][0]
            self.assertEqual((gpu["uuid"], gpu["host"], gpu["source"]), ("GPU-d", "node", url))
            self.assertAlmostEqual(gpu["energy_j"], 900, delta=450)

    def test_a_page_that_stops_changing_decides_nothing(self):
        labels = 'gpu="0",UUID="GPU-d",Hostname="node"'
        page = (f"DCGM_FI_DEV_GPU_UTIL{{{labels}}} 91\nDCGM_FI_DEV_FB_USED{{{labels}}} 4000\n"
                f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{labels}}} 5000000\n")
        with page_server(lambda: (200, page)) as url, harness.run_dir() as out:
            run = self.run_with(out, "--gpu-source", f"dcgm:{url}", "--scrape", "target", "--gate", "mean(gpu.utilization) > 80",
                                "--gate", "gpu.joules_per_token < 2", "--gate", "max(gpu.memory_used_mib) < 100", "--gate", "max(server.waiting) < 100")
            self.assertCode(run, 2)
            gates = run.summary["gates"]
            self.assertEqual([gate["status"] for gate in gates], ["inconclusive", "inconclusive", "fail", "pass"])
            self.assertEqual(gates[0]["value"], 91)
            self.assertRegex(gates[0]["note"], r"did not change for [23](\.\d+)? s")
            frozen, alive = run.summary["observed"]["sources"]
            self.assertEqual((frozen["stale"], alive["stale"]), (True, False))
            self.assertTrue(2 <= frozen["unchanged_s"] <= 3.1, frozen)  # the window, less what a busy machine reads late
            self.assertGreaterEqual(frozen["last_change_age_s"], 2)
            self.assertLess(alive["last_change_age_s"], 3)
            self.assertEqual(sum("may be old" in warning for warning in run.summary["warnings"]), 1)

    def test_what_shards_read_counts_in_the_merge(self):
        """Two processes on one machine: its GPUs and the server are there once, and the gates are judged on both processes' tokens."""
        start = int(time.time()) + 4
        flags = ("--start-at", start, "--gpu-source", "nvml", "--scrape", "target", "--gate", "max(gpu.memory_used_mib) < 7152",
                 "--gate", "gpu.joules_per_token < 1000000", "--gate", "max(server.running, model=qwen2) <= 4", "--gate", "max(gpu.temperature_c) < 10")
        env = {"LOADGEN_NVML_LIBRARY": str(FAKE_NVML)}
        with harness.run_dir() as out, concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(self.run_with, out, *flags, "--shard", f"{i}/2", env=env) for i in range(2)]
            self.assertEqual([job.result().code in (2, 4) for job in jobs], [True, True], jobs[0].result())
            run = harness.loadgen("merge", out, "--out", out.parent / "whole", "--grafana-url", "http://grafana.example:3000/")
            run.out = out.parent / "whole"
            self.assertCode(run, 2)
            self.assertEqual([gate["status"] for gate in run.summary["gates"]], ["pass", "pass", "pass", "fail"])
            observed = run.summary["observed"]
            self.assertEqual([source["name"] for source in observed["sources"]], ["nvml", self.server.url + "/metrics"])
            self.assertEqual([gpu["gpu"] for gpu in observed["gpus"]], ["0"])
            self.assertAlmostEqual(observed["gpus"][0]["energy_j"], 600, delta=300)
            parts = [harness.Run(0, "", "", out / f"shard-{i}").summary["observed"]["output_tokens"] for i in range(2)]
            self.assertEqual(observed["output_tokens"], sum(parts))
            self.assertTrue(all(parts))
            self.assertIn('"metric":"memory_used_mib"', (run.out / "report.html").read_text())
            link = run.summary["links"]["grafana_run"]
            self.assertRegex(link, rf"^http://grafana\.example:3000/d/plumbline-run\?from={start}\d\d\d&to=\d{{13}}&var-run={run.summary['run_id']}$")
        refused = harness.loadgen("merge", "x", "--out", "y", "--grafana-url", "grafana:3000")
        self.assertEqual(refused.code, 64)
        self.assertIn("--grafana-url", refused.stderr)

    def test_pages_that_are_none(self):
        answers = {"refused": (404, "not here"), "malformed": (200, "<html>hello</html>\n"), "foreign": (200, "up 1\n")}
        for name, answer in answers.items():
            with self.subTest(name), page_server(lambda: answer) as url, harness.run_dir() as out:
                run = self.run_with(out, "--scrape", url, "--gate", "max(server.waiting) < 5")
                self.assertCode(run, 3)
                source = run.summary["observed"]["sources"][0]
                self.assertGreaterEqual(source["failed"], 2)
                self.assertIn({"refused": "answered 404", "malformed": "line 1", "foreign": "no metric"}[name], source["first_error"])
                self.assertEqual(points_of(out, "llm_server"), [])

    def test_a_page_that_never_comes_delays_nothing(self):
        stop = threading.Event()

        def page():
            stop.wait(30)
            return 200, ""

        with page_server(page) as url, harness.run_dir() as out:
            begin = time.monotonic()
            run = self.run_with(out, "--scrape", url, "--scrape", "target", "--gate", "max(server.waiting, model=qwen2) < 5")
            took = time.monotonic() - begin
            stop.set()
            self.assertCode(run, 0)
            self.assertLess(took, 40)
            self.assertGreater(run.summary["observed"]["sources"][0]["failed"], 0)

    def test_doctor_says_what_nvml_finds(self):
        found = harness.loadgen("doctor", env={"LOADGEN_NVML_LIBRARY": str(FAKE_NVML)})
        self.assertRegex(found.stdout, r"ok +nvml +Fake GPU \(8192 MiB\), driver 999\.1")
        absent = harness.loadgen("doctor", env={"LOADGEN_NVML_LIBRARY": "/nonexistent.so"})
        self.assertRegex(absent.stdout, r"none +nvml +no NVML: /nonexistent\.so")
        self.assertEqual(found.code, absent.code, "a machine without a GPU is not short of anything")


if __name__ == "__main__":
    if not FAKE_NVML.exists():
        harness.skip(f"{FAKE_NVML} was not built")
    harness.main()
