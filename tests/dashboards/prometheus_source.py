"""A private Prometheus of the distribution's package that scrapes every second, and every query of a dashboard sent to it."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import harness
from dashboards import boards
from dashboards.boards import Series


class Prometheus:
    """Context manager. `jobs`: name -> list of host:port; `rules`: files; `alertmanager`: host:port."""

    def __init__(self, jobs, rules=(), alertmanager=None):
        program = harness.need("prometheus", "prometheus")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="prometheus-"))
        self.address = f"127.0.0.1:{harness.free_port()}"
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "rule_files": [str(path) for path in rules],
                  "scrape_configs": [{"job_name": name, "static_configs": [{"targets": targets}]} for name, targets in jobs.items()]}
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        (self.dir / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self.log = open(self.dir / "log", "w")
        self.process = subprocess.Popen([program, f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/tsdb",
                                         f"--web.listen-address={self.address}", "--log.level=warn"], stdout=self.log, stderr=self.log)
        wait_until(lambda: http_ok(f"http://{self.address}/-/ready"), 60, "Prometheus", self.dir / "log")

    def query(self, expr, at=None):
        """Series of one value each, at a moment (now if none is given). A scalar is a series without labels."""
        form = {"query": expr, **({"time": f"{at:.3f}"} if at else {})}
        data = self.get("/api/v1/query", form)
        rows = [{"metric": {}, "value": data["result"]}] if data["resultType"] == "scalar" else data["result"]
        return [Series(row["metric"], [(float(row["value"][0]), float(row["value"][1]))]) for row in rows]

    def samples(self, selector):
        """Every sample of a range of seconds, one list of (time, value) per series."""
        rows = self.get("/api/v1/query", {"query": selector})["result"]
        return [[(float(at), float(value)) for at, value in row["values"]] for row in rows]

    def get(self, path, form=None):
        url = f"http://{self.address}{path}" + (f"?{urllib.parse.urlencode(form)}" if form else "")
        try:
            return json.load(urllib.request.urlopen(url, timeout=30))["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{form}: {error.read().decode()}") from error

    def stop(self):
        harness.end(self.process)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def http_ok(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def wait_until(is_true, seconds, what, log=None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain: {what} {log.read_text()[-2000:] if log else ''}")


def whole(expr):
    """The expression with every rate and increase replaced by the counter's last value: counters begin at zero, so what a query
    adds up, filters and divides can be compared exactly, without the extrapolation of a window's edges."""
    return re.sub(r"\b(?:rate|increase)\((.*?)\[\$__rate_interval\]\)", r"last_over_time(\1[1h])", expr)


class PrometheusBoard:
    """A dashboard on a Prometheus: its variables chosen, its queries answered as they stand in the middle of a run, and at its end
    for the whole of the counters. What servers and GPUs say lives on; it is asked for at `later`, when all had been scraped."""

    def __init__(self, board, server, middle, end, later, choice):
        self.server, self.middle, self.end, self.later = server, middle, end, later
        chosen = boards.chosen(board, self.options, choice)
        self.values = {name: value.replace("\\", "\\\\") for name, value in chosen.items()}  # inside a PromQL string

    def options(self, variable, values):
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", boards.expand(variable["query"], values)).groups()
        return sorted({row.tags[label] for row in self.server.query(f"last_over_time({metric}[1h])", self.end) if label in row.tags})

    def ask(self, expr, at):
        return self.server.query(boards.expand(expr, {**self.values, "__rate_interval": "30s", "__interval": "1s"}), at)

    def notes(self, board, at):
        """What the annotations show at a moment: the tags of each, as its title has them."""
        return [series.tags for note in board["annotations"]["list"] for series in self.ask(note["expr"], at)]

    def answers(self, panel):
        """interval -> one answer per target: fine for the middle, coarse for the whole run."""
        is_of_server = any(re.search(r"\b(?:up\{|tgi_|refserver_|DCGM_)", t["expr"]) for t in panel["targets"])
        return {boards.FINE: [self.ask(t["expr"], self.middle) for t in panel["targets"]],
                boards.COARSE: [self.ask(whole(t["expr"]), self.later if is_of_server else self.end) for t in panel["targets"]]}
