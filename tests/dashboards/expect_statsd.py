"""What each panel of the dashboard of servers by StatsD must show: counts as clients and the server know them, latencies as they
were sent.

A panel asks twice, for names as Telegraf stores them and as collectd does; a route is the half of its targets for one of them.
"""
import collections

from dashboards.boards import COARSE, FINE, numbers
from dashboards.checks import near, unequal

ROUTES = {"telegraf": "T", "collectd": "C"}  # the first letter of their targets' refIds


def only(board, route):
    """A copy of the dashboard with the targets of one route alone."""
    panels = [{**p, "targets": [t for t in p["targets"] if t["refId"].startswith(ROUTES[route])]} if p["type"] != "row" else p
              for p in board["panels"]]
    return {**board, "panels": panels}


def model_of(series):
    """collectd has no tags: there the model is the end of the metric's name."""
    return series.tags["model"] if "model" in series.tags else series.tags["type_instance"].split(".", 2)[2]


def total(name):
    """The panel's one value is the sum of the counter over all models."""
    def check(panel, answers, truth):
        got, want = numbers(answers[COARSE][0]), sum(truth.counters[name].values())
        return unequal(name, got, [want]) if want else unequal(name, sum(got), 0)
    return check


def by_model(*names):
    """Target i adds up to counter names[i] of each model."""
    def check(panel, answers, truth):
        problems = []
        for name, answer in zip(names, answers[FINE], strict=True):
            got = collections.Counter()
            for series in answer:
                got[model_of(series)] += sum(series.values())
            problems += unequal(name, {m: round(n, 6) for m, n in got.items()}, {m: n for m, n in truth.counters[name].items() if n})
        return problems
    return check


def gauges(*names):
    """Target i shows values of gauge names[i] that were sent, of each model, each within what its requests took."""
    def check(panel, answers, truth):
        problems = []
        for name, answer in zip(names, answers[FINE], strict=True):
            got = {model_of(series): series.values() for series in answer}
            if set(got) != set(truth.gauges[name]):
                problems.append(f"{name}: of {sorted(got)}, sent for {sorted(truth.gauges[name])}")
            for model, values in got.items():
                low, high = truth.latency_ms[model]
                strange = [v for v in values if not any(near(v, sent) for sent in truth.gauges[name].get(model, [])) or not low <= v <= high]
                problems += [f"{name} of {model}: {strange[:3]} were not sent, or are no latencies between {low} and {high}"] if strange else []
        return problems
    return check


def slowest(panel, answers, truth):
    """The largest of the gauge's values, of all models; a daemon that asks only now and then may have missed it."""
    sent = [value for values in truth.gauges["request.latency_max"].values() for value in values]
    low, high = min(low for low, _ in truth.latency_ms.values()), max(high for _, high in truth.latency_ms.values())
    [got] = numbers(answers[COARSE][0])
    return [] if any(near(got, value) for value in sent) and low <= got <= high else [f"shows {got}, sent were up to {max(sent)}"]


STATSD = {
    "Requests": ("none", total("requests.total")),
    "Model errors": ("none", total("errors.model_error")),
    "Timeouts": ("none", total("errors.timeout")),
    "Input tokens": ("none", total("tokens.input")),
    "Output tokens": ("none", total("tokens.output")),
    "Slowest success": ("ms", slowest),
    "Request rate by model": ("reqps", by_model("requests.total")),
    "Latency by model": ("ms", gauges("request.latency_p50", "request.latency_p95", "request.latency_p99")),
    "Input tokens by model": ("tokens/s", by_model("tokens.input")),
    "Output tokens by model": ("tokens/s", by_model("tokens.output")),
    "Errors by class and model": ("reqps", by_model("errors.model_error", "errors.timeout")),
}
