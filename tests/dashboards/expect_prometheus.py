"""What each panel of the Prometheus dashboard must show. Panels of the generator: from requests.jsonl, counts exactly, quantiles
within one bucket. Panels of server and GPU: what their own pages said when all was over.

The truth has, besides what a run directory says, `page`: (name, labels) -> value of the server's page, `gpu` of the GPU's page, and
`middle`, the second in the run at which answers that stand for a moment were asked for.
"""
from dashboards.boards import COARSE, FINE, numbers
from dashboards.checks import by_tag, every, part, unequal, value
from dashboards.expect_run import MEASURED, error_rate, measured, share_ok

EDGES = [0.0] + [0.0001 * 2 ** (k / 4) for k in range(91)] + [float("inf")]  # of the buckets, in seconds


def quantiles(*wants):
    """Target i shows quantile q of wants[i] = (percent, values of truth) as somewhere in the bucket that holds it, give or take a
    rank. A slot of 0.1 % may lie across an edge."""
    def check(panel, answers, truth):
        problems = []
        for i, (percent, want) in enumerate(wants):
            ordered, got = sorted(want(truth)), numbers(answers[COARSE][i])
            rank = max(1, -(-len(ordered) * percent // 100))
            low = max(edge for edge in EDGES if edge <= ordered[max(0, rank - 2)] * 0.999)
            high = min(edge for edge in EDGES if edge >= ordered[min(len(ordered) - 1, rank)] * 1.001)
            if len(got) != 1 or not low * 0.999 <= got[0] <= high * 1.001:
                problems.append(f"target {i} shows {got}, is {low} to {high}")
        return problems
    return check


def of_run(metric, **where):
    return quantiles(*((percent, lambda t: t.values(metric, **where)) for percent in (50, 95, 99)))


def up_to(values, edge):
    """How many values may be in buckets up to an edge: (least, most). A slot of 0.1 % may lie across it."""
    return sum(v <= edge * 0.999 for v in values), sum(v <= edge * 1.001 for v in values)


def buckets(metric):
    """Every row of the heatmap holds the measured requests up to its edge."""
    def check(panel, answers, truth):
        rows = {float(s.tags["le"]): s.values()[0] for s in answers[COARSE][0]}
        values = truth.values(metric, **MEASURED)
        problems = [] if len(rows) == 92 else [f"{len(rows)} rows, are 92"]
        problems += unequal("all rows", rows.get(float("inf")), float(len(values)))
        return problems + [f"row {edge}: shows {n}" for edge, n in rows.items()
                           if not up_to(values, edge)[0] <= n <= up_to(values, edge)[1]]
    return check


def within(metric, i):
    """Target i shows the share of the measured requests up to the edge that was chosen."""
    def check(panel, answers, truth):
        values, got = truth.values(metric, **MEASURED), numbers(answers[COARSE][i])
        least, most = up_to(values, float(truth.slo_edges[metric]))
        fits = len(got) == 1 and least - 0.01 <= got[0] * len(values) <= most + 0.01
        return [] if fits else [f"{metric}: shows {got}, are {least} to {most} of {len(values)}"]
    return check


def flight(truth):
    """How many requests are under way around the middle: (least, most)."""
    spans = [(r["stamps"]["dispatch_ns"] + truth.offset, r["at"]) for r in truth.requests]
    at, slack = truth.middle * 10**9, 2.5e9  # the page is a second behind, the scrape another
    return (sum(b < at - slack and e > at + slack for b, e in spans), sum(b < at + slack and e > at - slack for b, e in spans))


def in_flight(panel, answers, truth):
    (least, most), got = flight(truth), numbers(answers[FINE][0])
    return [] if got and least <= sum(got) <= most else [f"shows {got}, are {least} to {most}"]


def verdict(panel, answers, truth):
    return unequal("verdict", [s.tags.get("verdict") for s in answers[COARSE][0]], [truth.summary["validity"]["status"]])


def written(field):
    """The moment's value is one of those written for the seconds of the run."""
    def check(panel, answers, truth):
        got, seconds = numbers(answers[FINE][0]), truth.fields("llm_load", field)
        return [] if len(got) == 1 and any(abs(got[0] - s) < 1e-6 for s in seconds) else [f"shows {got}, written were {seconds}"]
    return check


def total(name, **labels):
    return lambda t: sum(v for (n, have), v in t.page.items() if n == name and labels.items() <= dict(have).items())


def page_by(name, label):
    """label -> value of a family of the server's page."""
    return lambda t: {dict(have)[label]: v for (n, have), v in t.page.items() if n == name}


def server_quantile(name, percent):
    """Between the edges of the bucket that holds it, by the server's own page."""
    def check(panel, answers, truth):
        rows = sorted((float(dict(have)["le"]), v) for (n, have), v in truth.page.items() if n == f"{name}_bucket")
        rank = rows[-1][1] * percent / 100
        above = next(i for i, (_, n) in enumerate(rows) if n >= rank)
        low, high, got = rows[above - 1][0] if above else 0.0, rows[above][0], numbers(answers[COARSE][0])
        fits = len(got) == 1 and low * 0.999 <= got[0] <= high * 1.001
        return [] if fits else [f"{name}: shows {got}, is {low} to {high}"]
    return check


def gpu(name, scale=1.0):
    """All GPUs while the run was under way: those whose exporter Prometheus scrapes, and the one that the generator looks at."""
    return by_tag("gpu", lambda t: {dict(have)["gpu"]: v * scale for (n, have), v in t.gpu.items() if n == name}, at=FINE)


def accounts(t):
    """What the last page said: all but the outputs that were still open have their final numbers; nothing is lost."""
    return {("points_lp", "rejected"): 0.0, ("points_lp", "dropped"): 0.0, ("points_lp", "spilled"): 0.0}


def exporters(panel, answers, truth):
    got = {(s.tags.get("exporter"), s.tags.get("account")): s.values()[0] for s in answers[COARSE][0]}
    problems = [f"{key}: shows {got.get(key)}" for key, n in accounts(truth).items() if got.get(key) != n]
    offered, stored = got.get(("points_lp", "offered"), 0), got.get(("points_lp", "stored"), 0)
    return problems + ([] if offered == stored > 100 else [f"points_lp: {stored} of {offered}"])


def tokens(field):
    def of_successes(t):
        return {m: float(sum(r.get(field, 0) for r in t.where(model=m, outcome="ok"))) for m in t.distinct("model")}
    return by_tag("model", of_successes, at=COARSE)


def by_outcome(t):
    return {o: float(n) for o, n in t.count_by("outcome", t.requests).items()}


def outcomes(*left_out):
    """The first target's series with a count are the outcomes of the run."""
    def check(panel, answers, truth):
        got = {s.tags["outcome"]: s.values()[0] for s in answers[COARSE][0] if s.values() != [0.0]}
        return unequal("by outcome", got, {o: n for o, n in by_outcome(truth).items() if o not in left_out})
    return check


PROMETHEUS = {
    "Generator": ("string", verdict),
    "Requests": ("none", value(lambda t: len(t.requests))),
    "Errors": ("none", value(lambda t: len(t.failed()))),
    "Error rate": ("percentunit", value(error_rate)),
    "Active requests": ("none", in_flight),
    "Points lost": ("none", value(lambda t: 0)),
    "Request rate": ("reqps", every(part(0, 1, value(lambda t: len(t.requests))), part(1, 2, outcomes()))),
    "Active requests by model": ("none", in_flight),
    "Errors by class": ("reqps", outcomes("ok", "cancelled")),
    "Time to first token": ("s", of_run("ttft", **MEASURED)),
    "Time per output token": ("s", of_run("tpot", **MEASURED)),
    "End-to-end latency": ("s", of_run("e2e", **MEASURED)),
    "End-to-end latency, all requests": ("s", buckets("e2e")),
    "Time to first token, all requests": ("s", buckets("ttft")),
    "Within the SLO": ("percentunit", every(within("ttft", 0), within("e2e", 1))),
    "Input tokens by model": ("tokens/s", tokens("input_tokens")),
    "Output tokens by model": ("tokens/s", tokens("output_tokens")),
    "Model health": ("percentunit", by_tag("model", share_ok, at=COARSE)),
    "Scraped": ("none", by_tag("job", lambda t: {"refserver": 1.0, "gateway": 1.0, "dcgm": 1.0}, at=COARSE)),
    "Models behind the gateway": ("none", by_tag("backend", lambda t: {"qwen2": 1.0, "llama3": 0.0}, at=COARSE)),
    "Requests at the server": ("none", value(total("tgi_request_count"), total("tgi_request_success"))),
    "Queue and batch": ("none", value(total("tgi_queue_size"), total("tgi_batch_current_size"))),
    "Running and waiting by model": ("none", every(
        part(0, 1, by_tag("model", page_by("refserver_requests_running", "model"), at=COARSE)),
        part(1, 2, by_tag("model", page_by("refserver_requests_waiting", "model"), at=COARSE)))),
    "KV cache occupancy": ("percentunit", by_tag("model", page_by("refserver_kv_usage_ratio", "model"), at=COARSE)),
    "First token, client beside server": ("s", every(
        part(0, 1, quantiles((95, measured("ttft")))), part(1, 2, server_quantile("refserver_time_to_first_token_seconds", 95)))),
    "Request duration at the server": ("s", every(*(part(i, i + 1, server_quantile(name, 95)) for i, name in enumerate(
        ("tgi_request_duration", "tgi_request_queue_duration", "tgi_request_inference_duration"))))),
    "Failures at the server": ("reqps", by_tag("err", page_by("tgi_request_failure", "err"), at=COARSE)),
    "GPU utilisation": ("percent", gpu("DCGM_FI_DEV_GPU_UTIL")),
    "GPU memory": ("bytes", gpu("DCGM_FI_DEV_FB_USED", 1048576.0)),
    "GPU power": ("watt", gpu("DCGM_FI_DEV_POWER_USAGE")),
    "Lateness of the generator": ("s", of_run("lateness", phase="measure")),
    "Health of the generator": ("s", written("loop_lag_p99")),
    "Processor of the generator": ("percentunit", written("cpu_share")),
    "Exporter accounts": ("none", exporters),
}
