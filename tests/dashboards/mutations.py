"""What goes wrong between a program and its dashboards: something is renamed, or comes in another unit. Drawn from a seed."""
import copy
import random
import re

from dashboards import boards

# Of the points of a run; each of these is on a dashboard.
MEASUREMENTS = ["llm_request", "llm_interval", "llm_load", "llm_hdr", "llm_event", "exporter"]
TAGS = ["entry", "model", "outcome", "phase", "run", "kind", "metric"]
FIELDS = ["ttft", "tpot", "e2e", "tok_in", "tok_out", "chunks", "sent", "done", "failed", "in_flight", "lateness", "e2e_p99",
          "cpu_share", "value_us", "n", "text", "offered", "stored"]
SECONDS = ["ttft", "tpot", "e2e", "lateness", "e2e_p99", "loop_lag_p99"]


def rename_measurement(draw):
    name = draw.choice(MEASUREMENTS)
    return f"measurement {name} renamed", lambda line: re.sub(f"^{name},", f"{name}s,", line)


def rename_tag(draw):
    name = draw.choice(TAGS)
    return f"tag {name} renamed", lambda line: re.sub(rf"^([^ ]*),{name}=", rf"\1,the_{name}=", line)


def rename_field(draw):
    name = draw.choice(FIELDS)
    return f"field {name} renamed", lambda line: re.sub(rf"([ ,]){name}=(?=[-\d\"])", rf"\1{name}_new=", line)


def seconds_to_ms(draw):
    name = draw.choice(SECONDS)
    return f"{name} in ms", lambda line: re.sub(rf"([ ,]{name}=)([-\d.e+]+)", lambda m: f"{m[1]}{float(m[2]) * 1000!r}", line)


KINDS = [rename_measurement, rename_tag, rename_field, seconds_to_ms]


def of_points(seed):
    """(what it is, the change of one line of points.lp)."""
    return KINDS[seed % len(KINDS)](random.Random(seed))


def metrics_in(query):
    return re.findall(r"\b(?:llm|tgi|refserver)_\w+|(?<=FROM \")\w+", query)


def labels_in(query):
    """Those that are filtered by; ones that may be anything are left out."""
    return re.findall(r"\"?\b(\w+)\"? ?(?:!=|=~|=)", re.sub(r"\"?model\"? ?=~|target=~|instance=~", "", query))


def of_board(board, seed):
    """(what it is, a copy of the dashboard with one mistake in it): a query that asks for a renamed metric, a filter of another
    label, or a panel in another unit."""
    draw, changed = random.Random(seed), copy.deepcopy(board)
    panels = boards.panels(changed)
    if seed % 3 == 2:
        panel = draw.choice(panels)
        unit = panel["fieldConfig"]["defaults"]["unit"]
        panel["fieldConfig"]["defaults"]["unit"] = {"s": "ms", "percentunit": "percent"}.get(unit, "s")
        return f"'{panel['title']}' in another unit than {unit}", changed
    names = labels_in if seed % 3 and any(labels_in(boards.text_of(p["targets"][0])) for p in panels) else metrics_in
    panel = draw.choice([p for p in panels if names(boards.text_of(p["targets"][0]))])
    name = draw.choice(sorted(set(names(boards.text_of(panel["targets"][0])))))
    for target in panel["targets"]:
        key = "query" if "query" in target else "expr"
        target[key] = re.sub(rf"\b{name}\b", f"{name}_x", target[key])
    return f"'{panel['title']}' asks for {name}_x", changed


def of_statsd(seed):
    """(what it is, the change of one StatsD line's text): a metric or model renamed, another prefix, latencies in seconds."""
    draw = random.Random(seed)
    name = draw.choice(["requests.total", "tokens.input", "tokens.output", "errors.timeout", "errors.model_error"])
    percentile = draw.choice(["p50", "p95", "p99"])
    scaled = lambda m: f"{m[1]}{float(m[2]) / 1000!r}"
    kinds = [(f"{name} renamed", lambda line: re.sub(rf"^{re.escape(name)}\b", f"{name}s", line)),
             (f"request.latency_{percentile} in seconds", lambda line: re.sub(rf"^(request\.latency_{percentile}\.\w+:)([\d.]+)", scaled, line)),
             (f"{name} of a model renamed", lambda line: re.sub(rf"^({re.escape(name)}\.)qwen2", r"\1qwen", line)),
             (f"{name} behind a prefix", lambda line: re.sub(rf"^{re.escape(name)}\b", f"gw.{name}", line))]
    return kinds[seed % len(kinds)]
