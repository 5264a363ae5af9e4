"""Receivers of StatsD for the tests: a recorder of datagrams, and a real collectd that passes on to a real InfluxDB."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
import unittest
from unittest import mock

import harness
from influxd import Influxd

LINE = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?P<tags>(,[A-Za-z0-9_-]+=[A-Za-z0-9_./-]+)*):(?P<value>-?[0-9]+(\.[0-9]+)?)"
                  r"\|(?P<type>c|g|ms)(\|#(?P<dog>[A-Za-z0-9_-]+:[A-Za-z0-9_./:-]+(,[A-Za-z0-9_-]+:[A-Za-z0-9_./:-]+)*))?")


def skip_if_lost(port):
    """Skips the test if the kernel had to drop datagrams for this port: their receiver got no time on this machine."""
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and int(words[-1]) > 0:
            raise unittest.SkipTest(f"this machine is too busy: {words[-1]} datagrams found no room before they were received")


class Line:
    """One line as a daemon reads it; `tags` is a dict whatever the dialect."""

    def __init__(self, text):
        found = LINE.fullmatch(text)
        if not found:
            raise AssertionError(f"no StatsD line: {text!r}")
        self.text, self.name, self.type, self.value = text, found["name"], found["type"], float(found["value"])
        pairs = [t.split("=") for t in found["tags"].split(",")[1:]] if found["tags"] else []
        if found["dog"]:
            pairs = [t.split(":", 1) for t in found["dog"].split(",")]
        self.tags = dict(pairs)


class Recorder:
    """Keeps every datagram, and when it came; passes it on to `forward` (HOST:PORT). Context manager; `address` is for --statsd."""

    def __init__(self, forward=None):
        self.forward = forward and (forward.split(":")[0], int(forward.split(":")[1]))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE: more than others may have
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.datagrams, self.came_ns, self.over = [], [], False
        self.thread = threading.Thread(target=self._record)
        self.thread.start()

    def _record(self):
        while True:
            try:
                self.datagrams.append(self.socket.recv(65536))
            except TimeoutError:
                if self.over:
                    return
                continue
            self.came_ns.append(time.time_ns())
            if self.forward:
                self.socket.sendto(self.datagrams[-1], self.forward)

    def lines(self):
        """Everything that came; ends the recording."""
        return [line for _, line in self.timed_lines()]

    def timed_lines(self):
        """(nanoseconds, line) of everything that came; ends the recording."""
        self.over = True
        self.thread.join()
        skip_if_lost(self.socket.getsockname()[1])
        return [(at, Line(text)) for at, datagram in zip(self.came_ns, self.datagrams, strict=True)
                for text in datagram.decode("ascii").split("\n")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.socket.close()


COLLECTD = """
BaseDir "{dir}"
PIDFile "{dir}/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
Hostname "testhost"
FQDNLookup false
Interval 1
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{dir}/collectd.log"
</Plugin>
Include "{dir}/statsd.conf"
"""


class Collectd:
    """collectd as a StatsD daemon, an InfluxDB behind it. Context manager; `address` is for --statsd."""

    def __init__(self):
        program = harness.need("collectd", "collectd-core")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="collectd-"))
        port, listener = self.ports = harness.free_port(), harness.free_port()
        settings = {"INFLUXDB_COLLECTD_0_ENABLED": "true", "INFLUXDB_COLLECTD_0_BIND_ADDRESS": f"127.0.0.1:{listener}",
                    "INFLUXDB_COLLECTD_0_DATABASE": "collectd", "INFLUXDB_COLLECTD_0_TYPESDB": "/usr/share/collectd/types.db",
                    "INFLUXDB_COLLECTD_0_BATCH_TIMEOUT": "100ms"}
        with mock.patch.dict(os.environ, settings):
            self.influx = Influxd()
        ours = (harness.SOURCE / "deploy/collectd/collectd.conf").read_text()
        (self.dir / "statsd.conf").write_text(ours.replace('"8125"', f'"{port}"').replace('"25826"', f'"{listener}"'))
        config = self.dir / "collectd.conf"
        config.write_text(COLLECTD.format(dir=self.dir))
        self.process = subprocess.Popen([program, "-C", config, "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = f"127.0.0.1:{port}"
        self._wait_until_it_listens(port)

    def _wait_until_it_listens(self, port):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if f":{port:04X} " in pathlib.Path("/proc/net/udp").read_text():
                return
            time.sleep(0.05)
        raise RuntimeError("collectd did not come up: " + (self.dir / "collectd.log").read_text()[-2000:])

    def counters(self, wanted, timeout=60):
        """The total of each counter in the database, once they are `wanted` or the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                # With CounterSum, each point of type "count" is the growth since the one before.
                rows = self.influx.rows("SELECT sum(\"value\") AS n FROM \"statsd_value\" WHERE \"type\" = 'count' "
                                        "GROUP BY \"type_instance\"", "collectd")
            except RuntimeError:
                rows = []  # the database comes with the first point
            totals = {row["type_instance"]: row["n"] for row in rows if row["type_instance"] in wanted}
            if totals == wanted or time.monotonic() > deadline:
                if totals != wanted:
                    for port in self.ports:
                        skip_if_lost(port)
                return totals
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)
        self.influx.process.kill()  # asked to, it does not end while its listener for collectd is open
        self.influx.__exit__()
        shutil.rmtree(self.dir, ignore_errors=True)


# --- Telegraf with our file, as its documentation says it works: the program itself is not run

def telegraf_templates():
    """Those of deploy/telegraf, once what the names need is switched on there."""
    config = tomllib.loads((harness.SOURCE / "deploy/telegraf/telegraf.conf").read_text())["inputs"]["statsd"][0]
    assert config["datadog_extensions"] and config["float_counters"] and config["metric_separator"] == "_"
    return config["templates"]


def telegraf(name, templates):
    """(measurement, tags): the most specific filter whose parts the name begins with; else the whole name."""
    parts = name.split(".")
    fitting = []
    for template in templates:
        pattern, target = template.split()
        wanted = pattern.split(".")
        if len(wanted) <= len(parts) and all(w in ("*", p) for w, p in zip(wanted, parts)):
            fitting.append((len(wanted), [w != "*" for w in wanted], target))
    if not fitting:
        return "_".join(parts), {}
    measurement, tags = [], {}
    for i, word in enumerate(max(fitting)[2].split(".")):
        if word == "measurement*":
            measurement += parts[i:]
        elif i < len(parts) and word == "measurement":
            measurement.append(parts[i])
        elif i < len(parts):
            tags[word] = parts[i]
    return "_".join(measurement), tags


def telegraf_points(timed_lines):
    """Counters and gauges of these lines in line protocol: one point of each per second."""
    templates, flushed = telegraf_templates(), {}
    for at, line in timed_lines:
        if line.type == "ms":
            continue
        measurement, tags = telegraf(line.name, templates)
        kind = {"c": "counter", "g": "gauge"}[line.type]
        tags = ",".join(f"{k}={v}" for k, v in sorted({**tags, **line.tags, "metric_type": kind}.items()))
        key = (f"{measurement},{tags}", at // 10**9)
        flushed[key] = line.value + (flushed.get(key, 0) if kind == "counter" else 0)
    return [f"{series} value={value!r} {second}000000000" for (series, second), value in flushed.items()]
