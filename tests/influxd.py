"""A private InfluxDB 1.x of the distribution's package, on free loopback ports and in a folder of its own."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import harness


class Influxd:
    """Context manager; `url` has no database in it. `user` and `password` switch authentication on; `index` is inmem or tsi1."""

    def __init__(self, user=None, password=None, index="inmem"):
        program = harness.need("influxd", "influxdb")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="influxd-"))
        self.port, rpc = harness.free_port(), harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.user, self.password = user, password
        self.program = program
        self.env = {**os.environ, "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}", "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{rpc}",
                    "INFLUXDB_META_DIR": str(self.dir / "meta"), "INFLUXDB_DATA_INDEX_VERSION": index, "INFLUXDB_DATA_DIR": str(self.dir / "data"),
                    "INFLUXDB_DATA_WAL_DIR": str(self.dir / "wal"), "INFLUXDB_MONITOR_STORE_ENABLED": "false",
                    "INFLUXDB_REPORTING_DISABLED": "true", "INFLUXDB_HTTP_LOG_ENABLED": "false",
                    "INFLUXDB_HTTP_AUTH_ENABLED": "true" if user else "false"}
        self.start()
        if user:
            self.query(f"CREATE USER \"{user}\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES", auth=False)

    def start(self):
        """Again on the same port and data, after kill() or stop()."""
        self.log = open(self.dir / "log", "a")
        self.process = subprocess.Popen([self.program, "run", "-config", "/dev/null"], env=self.env, stdout=self.log, stderr=self.log)
        self._wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def write(self, db, lines):
        """Line protocol as it is, without authentication."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/write?db={db}", data=lines.encode()), timeout=60)

    def _wait(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url + "/ping", timeout=5)
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("influxd did not come up: " + (self.dir / "log").read_text()[-2000:])

    def query(self, text, db="", auth=True):
        """The series of the first statement, as InfluxDB answers them."""
        form = urllib.parse.urlencode({"q": text, "db": db, "epoch": "ns"}).encode()
        request = urllib.request.Request(self.url + "/query", data=form)
        if self.user and auth:
            import base64
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        result = json.load(urllib.request.urlopen(request, timeout=60))["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        return result.get("series", [])

    def rows(self, text, db):
        """All rows of all series as dicts, tags included."""
        return [dict(zip(s["columns"], row), **s.get("tags", {})) for s in self.query(text, db) for row in s["values"]]

    def count(self, measurement, field, db):
        rows = self.rows(f'SELECT count("{field}") AS n FROM "{measurement}"', db)
        return rows[0]["n"] if rows else 0

    def stop(self):
        harness.end(self.process)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
