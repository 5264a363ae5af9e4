#!/usr/bin/env python3
"""Runs the command blocks of docs/monitoring.md, with this machine's ports and folders in place of those written there.

A block that is not run has a comment above it that says why.
"""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

import harness
import influxd

PAGE = harness.SOURCE / "docs/monitoring.md"
BLOCK = re.compile(r"^(?:<!-- untested: (?P<reason>.+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
TOOLS = {"jq": "jq", "curl": "curl", "promtool": "prometheus", "amtool": "prometheus-alertmanager"}


def blocks(language):
    """(text, why it is not run or None) of each block."""
    return [(m["text"], m["reason"]) for m in BLOCK.finditer(PAGE.read_text()) if m["language"] == language]


class MonitoringDocTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="monitoring-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.server, cls.influx = harness.Server(), influxd.Influxd()
        cls.addClassCleanup(cls.server.__exit__)
        cls.addClassCleanup(cls.influx.__exit__)
        cls.places = {"build/release/bin": str(harness.BIN), "http://127.0.0.1:8080": cls.server.url,
                      "http://127.0.0.1:8086": cls.influx.url,
                      "127.0.0.1:9464": f"127.0.0.1:{harness.free_port()}", "runs/": f"{cls.dir}/"}

    def run_block(self, text):
        for place, here in self.places.items():
            text = text.replace(place, here)
        return subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=harness.SOURCE, capture_output=True, text=True, timeout=120,
                              env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/bin"})

    def test_every_command_block_runs(self):
        """In their order: later ones ask for what earlier ones stored."""
        ran = 0
        for text, reason in blocks("sh"):
            if reason:
                print(f"  not run: {reason}")
                continue
            missing = [package for tool, package in TOOLS.items() if re.search(rf"\b{tool} ", text) and not shutil.which(tool)]
            with self.subTest(text.splitlines()[0]):
                if missing:
                    self.skipTest(f"needs {', '.join(missing)}")
                done = self.run_block(text)
                is_busy = done.returncode in (2, 3, 4)  # a verdict that a busy machine can bring about; the command ran
                self.assertTrue(done.returncode == 0 or is_busy, f"exit {done.returncode}: {text}\n{done.stdout}\n{done.stderr}")
                ran += 1
                if "jq -r" in text and not is_busy:
                    self.assertIn("http://127.0.0.1:3000/d/plumbline-run?from=", done.stdout)
                if "count(" in text:
                    self.assertIn('"outcome":"ok"', done.stdout)
        self.assertGreaterEqual(ran, 3)

    def test_the_example_for_prometheus_is_well_formed(self):
        (text, _), = blocks("yaml")
        path = self.dir / "prometheus.yml"
        path.write_text(text.replace("dashboards/rules", str(harness.SOURCE / "dashboards/rules")))
        done = subprocess.run([harness.need("promtool", "prometheus"), "check", "config", path], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("rules found", done.stdout)
        self.assertIn("loadgen", [job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]])


if __name__ == "__main__":
    harness.need("influxd", "influxdb")
    harness.main()
