"""A real InfluxDB 1.x with points in it, and every query of a dashboard sent to it."""
import urllib.request

from dashboards import boards
from dashboards.boards import Series


class Database:
    """A database of its own on a running server."""

    def __init__(self, server, name):
        self.server, self.name, self.url = server, name, f"{server.url}/{name}"
        server.query(f'CREATE DATABASE "{name}"')

    def write(self, lines):
        for start in range(0, len(lines), 5000):
            body = "\n".join(lines[start:start + 5000]).encode()
            urllib.request.urlopen(f"{self.server.url}/write?db={self.name}&precision=ns", body, timeout=60).close()

    def query(self, text):
        return [Series(s.get("tags", {}), s["values"]) for s in self.server.query(text, self.name)]


def time_filter(truths):
    """Grafana's $timeFilter for a range with these runs in it, and nothing else."""
    stamps = [at for truth in truths for points in truth.points.values() for _, _, at in points]
    return f"time >= {min(stamps) - 10**9} and time <= {max(stamps) + 10**9}"


class InfluxBoard:
    """A dashboard on a database: its variables chosen, its queries answered at both intervals."""

    def __init__(self, board, database, truths, choice):
        self.board, self.database = board, database
        self.macros = {"timeFilter": time_filter(truths)}
        self.values = boards.chosen(board, self.options, choice)

    def options(self, variable, values):
        answer = self.database.query(boards.expand(variable["query"], {**values, **self.macros}))
        return boards.filtered(variable.get("regex", ""), [row[-1] for series in answer for row in series.rows])

    def ask(self, query, interval):
        return self.database.query(boards.expand(query, {**self.values, **self.macros, **boards.interval_values(interval)}))

    def answers(self, panel):
        """interval -> one answer per target. A query without an interval is asked once."""
        by_interval = {}
        for interval in (boards.FINE, boards.COARSE):
            by_interval[interval] = [self.ask(t["query"], interval) for t in panel["targets"]]
        return by_interval

    def notes(self):
        return [(note["name"], self.ask(note["query"], boards.FINE)) for note in self.board["annotations"]["list"]]
