"""What a run directory says, read on its own: requests.jsonl added up here, points.lp parsed here, summary.json as it is."""
import collections
import datetime
import re

FIELD = re.compile(r'((?:[^,=\s\\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^,\s]+)')


def nanoseconds(iso):
    moment = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def parse_value(text):
    if text.startswith('"'):
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return int(text[:-1]) if text.endswith("i") else float(text)


def parse_point(line):
    """(measurement, tags, fields, nanoseconds) of a line of points.lp."""
    head = re.match(r"(?:[^ \\]|\\.)+", line).group()
    name, *tags = re.split(r"(?<!\\),", head)
    body, stamp = line[len(head) + 1:].rsplit(" ", 1)
    unescape = lambda text: re.sub(r"\\([ ,=])", r"\1", text)
    pairs = (re.split(r"(?<!\\)=", tag, maxsplit=1) for tag in tags)
    return name, {k: unescape(v) for k, v in pairs}, {k: parse_value(v) for k, v in FIELD.findall(body)}, int(stamp)


class Truth:
    """`requests`: dicts of requests.jsonl with `at`, the wall-clock nanoseconds at which each was over; latencies in seconds."""

    def __init__(self, run):
        self.out, self.summary = run.out, run.summary
        self.id = self.summary["run_id"]
        self.requests = run.requests
        self.offset = nanoseconds(self.summary["wall_start"]) - self.summary["phases"]["warmup"]["begin_ns"]
        for request in self.requests:
            stamps = request["stamps"]
            over = next(stamps[name] for name in ("end_ns", "send_ns", "dispatch_ns", "intended_ns") if stamps.get(name))
            request["at"] = over + self.offset
            request["s"] = {name: ms / 1000 for name, ms in request["metrics"].items()}
        self.lines = (run.out / "points.lp").read_text().splitlines()
        self.points = collections.defaultdict(list)
        for line in self.lines:
            name, tags, fields, at = parse_point(line)
            self.points[name].append((tags, fields, at))

        self.slo = {metric: self.middle(metric) for metric in ("ttft", "tpot", "e2e")}

    def middle(self, metric):
        """A limit that about half of the measured requests keep, and none lies on."""
        values = sorted(set(self.values(metric, phase="measure", outcome="ok")))
        return round((values[len(values) // 2 - 1] + values[len(values) // 2]) / 2, 9)

    def where(self, **wanted):
        """The requests whose members have these values."""
        return [r for r in self.requests if all(r.get(key) == value for key, value in wanted.items())]

    def failed(self, **wanted):
        return [r for r in self.where(**wanted) if r["outcome"] not in ("ok", "cancelled")]

    def ended(self, **wanted):
        return [r for r in self.where(**wanted) if r["outcome"] != "cancelled"]

    def values(self, metric, **wanted):
        return [r["s"][metric] for r in self.where(**wanted) if metric in r["s"]]

    def count_by(self, key, requests):
        return dict(collections.Counter(r[key] if isinstance(key, str) else tuple(r[k] for k in key) for r in requests))

    def sum_by(self, key, field):
        sums = collections.Counter()
        for request in self.requests:
            if field in request:
                sums[request[key]] += request[field]
        return dict(sums)

    def distinct(self, key):
        return sorted({r[key] for r in self.requests})

    def fields(self, measurement, field, **tags):
        """Values of a field of the points written, in their order."""
        return [fields[field] for have, fields, _ in self.points[measurement]
                if field in fields and all(have.get(k) == v for k, v in tags.items())]


def between_neighbours(value, values, percent):
    """Whether `value` is the percentile of `values` give or take one rank, up to rounding."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    low, high = ordered[max(0, rank - 2)], ordered[min(len(ordered) - 1, rank)]
    return low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
