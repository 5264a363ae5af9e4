"""What each panel of the dashboards of one run, and of two, must show: its unit, and its values from requests.jsonl.

Panels of what no request knows (the generator's own health, accounts of exporters) must show what was written.
"""
from dashboards.boards import COARSE, FINE
from dashboards.checks import (by_tag, columns, every, in_flight, of, part, percentile_series, percentile_value, slots, stored, text,
                               total, value)
from dashboards.truth import between_neighbours

MEASURED = {"phase": "measure", "outcome": "ok"}


def rate_of_answers(t):
    """Mean of the answers of each measured second, as written; that they add up is checked elsewhere."""
    seconds = {}
    for tags, fields, at in t.points["llm_interval"]:
        if tags["phase"] == "measure":
            seconds[at // 10**9] = seconds.get(at // 10**9, 0) + fields["done"]
    return sum(seconds.values()) / len(seconds)


def within_slo(t):
    judged = t.ended(phase="measure")
    bad = [r for r in judged if r["outcome"] != "ok" or any(r["s"].get(m, 0) > limit for m, limit in t.slo.items())]
    return 1 - len(bad) / len(judged)


def over_slo(metric):
    return lambda t: float(sum(v > t.slo[metric] for v in t.values(metric, **MEASURED)))


def share_ok(t):
    return {m: len(t.where(model=m, outcome="ok")) / len(t.ended(model=m)) for m in t.distinct("model")}


def error_rate(t):
    return len(t.failed()) / len(t.ended())


def measured(metric):
    return lambda t: t.values(metric, **MEASURED)


ACCOUNTS = ("offered", "stored", "rejected", "spilled", "dropped")


def account(field):
    return by_tag("exporter", lambda t: {e: sum(t.fields("exporter", field, exporter=e)) for e in ("influx", "points_lp")})


def events(panel, answers, truth):
    got = sorted(row[1] for series in answers[FINE][0] for row in series.rows)
    want = sorted(truth.fields("llm_event", "text"))
    return [] if got == want and len(want) >= 6 else [f"shows {got}, are {want}"]


def entry_p99(panel, answers, truth):
    """A second has too few requests of an entry for its p99 to be anything but the largest."""
    got = {series.tags["entry"]: max(series.values()) for series in answers[FINE][0]}
    want = {entry: max(truth.values("e2e", entry=entry, **MEASURED)) for entry in truth.distinct("entry")}
    return [] if set(got) == set(want) and all(abs(got[e] / want[e] - 1) < 0.002 for e in want) else [f"shows {got}, are {want}"]


def validity(t):
    judged = t.summary["validity"]
    return ": ".join([judged["status"], "; ".join(judged["reasons"])]) if judged["reasons"] else judged["status"]


# title -> (unit, check)
RUN = {
    "Generator": ("string", text(validity)),
    "Gates": ("string", text(lambda t: t.summary["verdict"])),
    "Requests sent": ("none", value(lambda t: len(t.requests))),
    "Requests answered": ("none", value(lambda t: len(t.where(outcome="ok")))),
    "Requests failed": ("none", value(lambda t: len(t.failed()))),
    "Points lost": ("none", value(lambda t: 0)),
    "Answers per second, measured": ("reqps", value(rate_of_answers)),
    "TTFT p99, measured": ("s", percentile_value((99, measured("ttft")))),
    "TPOT p99, measured": ("s", percentile_value((99, measured("tpot")))),
    "E2E p99, measured": ("s", percentile_value((99, measured("e2e")))),
    "Error rate": ("percentunit", value(error_rate)),
    "Within the SLO": ("percentunit", value(within_slo)),
    "Request rate": ("reqps", total(lambda t: len(t.requests), lambda t: len(t.where(outcome="ok")), lambda t: len(t.failed()))),
    "Active requests": ("none", in_flight),
    "Requests over the SLO": ("reqps", total(over_slo("ttft"), over_slo("tpot"), over_slo("e2e"))),
    "Time to first token": ("s", percentile_series("ttft", 50, 95, 99, outcome="ok")),
    "Time per output token": ("s", percentile_series("tpot", 50, 95, 99, outcome="ok")),
    "End-to-end latency": ("s", percentile_series("e2e", 50, 95, 99, outcome="ok")),
    "End-to-end latency, all requests": ("s", slots("e2e", **MEASURED)),
    "Time to first token, all requests": ("s", slots("ttft", **MEASURED)),
    "Input tokens by model": ("tokens/s", by_tag("model", lambda t: t.sum_by("model", "input_tokens"))),
    "Output tokens by model": ("tokens/s", by_tag("model", lambda t: t.sum_by("model", "output_tokens"))),
    "Output tokens as they arrive": ("tokens/s", total(lambda t: sum(r["output_tokens"] for r in t.requests))),
    "Model health": ("percentunit", by_tag("model", share_ok, at=COARSE)),
    "E2E p99 by entry": ("s", entry_p99),
    "Requests by model and outcome": ("none", by_tag(("model", "outcome"), lambda t: t.count_by(("model", "outcome"), t.requests))),
    "Errors by class": ("reqps", by_tag("outcome", lambda t: t.count_by("outcome", [r for r in t.requests if r["outcome"] != "ok"]))),
    "Error rate over time": ("percentunit", value(error_rate)),
    "Lateness of the generator": ("s", every(part(0, 2, percentile_series("lateness", 95, 99)), part(2, 4, stored(
        ("llm_load", "loop_lag_p99", max), ("llm_load", "recv_delay_p99", max))))),
    "Processor of the generator": ("percentunit", stored(("llm_load", "cpu_share", max))),
    "Exporter accounts": ("none", every(*(part(i, i + 1, account(field)) for i, field in enumerate(ACCOUNTS)))),
    "Events": ("none", events),
}


def by_entry(t):
    """entry -> one predicate per column of its row."""
    def rank(metric, percent, entry):
        return lambda got: between_neighbours(got, t.values(metric, entry=entry, **MEASURED), percent)
    return {e: [lambda got, n=len(t.where(entry=e, **MEASURED)): got == n, rank("ttft", 50, e), rank("ttft", 99, e),
                rank("e2e", 50, e), rank("e2e", 99, e)] for e in t.distinct("entry")}


def both(want):
    """The same of run A and of run B."""
    return lambda t: want(t.a), lambda t: want(t.b)


def bars(metric):
    return percentile_value(*((p, want) for p in (50, 95, 99) for want in both(measured(metric))))


def rate_of_tokens(t):
    measured_points = t.fields("llm_load", "tok_out", phase="measure")
    return sum(measured_points) / len(measured_points)


LATENCY = {"Time to first token": "ttft", "End-to-end latency": "e2e"}
COMPARE = {
    "Requests measured": ("none", value(*both(lambda t: len(t.where(phase="measure"))))),
    "Error rate": ("percentunit", value(*both(error_rate))),
    "Answers per second": ("reqps", value(*both(rate_of_answers))),
    "Output tokens per second": ("tokens/s", value(*both(rate_of_tokens))),
    "Time to first token, A and B": ("s", bars("ttft")),
    "Time per output token, A and B": ("s", bars("tpot")),
    "End-to-end latency, A and B": ("s", bars("e2e")),
}
for name in ("a", "b"):
    run = f", run {name.upper()}"
    COMPARE["Generator" + run] = (RUN["Generator"][0], of(name, RUN["Generator"][1]))
    COMPARE["By entry" + run] = ("s", of(name, columns(by_entry)))
    COMPARE["Request rate" + run] = (RUN["Request rate"][0], of(name, RUN["Request rate"][1]))
    for title, metric in LATENCY.items():
        COMPARE[title + run] = ("s", of(name, percentile_series(metric, 50, 95, 99, outcome="ok")))
