"""Ways in which the answers of a panel are held against the truth. Each returns a list of differences; none is good.

A check takes (panel, answers, truth): `answers` is interval -> one list of Series per target.
"""
import collections

from dashboards.boards import COARSE, FINE, numbers
from dashboards.truth import between_neighbours

SLACK = 500_000_000  # ns: how long before or after its instant a busy machine may have taken a snapshot


def near(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b), 1e-9)


def unequal(what, got, want):
    same = near(got, want) if isinstance(got, float) or isinstance(want, float) else got == want
    return [] if same else [f"{what}: shows {got!r}, is {want!r}"]


def named(panel, i):
    return f"target {panel['targets'][i]['refId']}"


def total(*wants):
    """The values of target i add up to wants[i](truth), exactly."""
    def check(panel, answers, truth):
        return [problem for i, want in enumerate(wants)
                for problem in unequal(named(panel, i), sum(numbers(answers[FINE][i])), want(truth))]
    return check


def value(*wants, at=COARSE):
    """Target i has one value, and it is wants[i](truth)."""
    def check(panel, answers, truth):
        problems = []
        for i, want in enumerate(wants):
            got = numbers(answers[at][i])
            problems += unequal(named(panel, i), got[0], want(truth)) if len(got) == 1 else [f"{named(panel, i)} has {len(got)} values"]
        return problems
    return check


def by_tag(tags, want, at=FINE):
    """The values of the first target, added up for each value of the tag (or tuple of tags), are the dict want(truth)."""
    def check(panel, answers, truth):
        got = collections.Counter()
        for series in answers[at][0]:
            key = series.tags.get(tags) if isinstance(tags, str) else tuple(series.tags.get(t) for t in tags)
            got[key] += sum(series.values())
        expected = want(truth)
        if set(got) != set(expected):
            return [f"series of {sorted(map(str, got))}, are {sorted(map(str, expected))}"]
        return [p for key in expected for p in unequal(str(key), got[key], expected[key])]
    return check


def percentile_value(*wants):
    """Target i has one value: percentile p of the list, for (p, list of truth) = wants[i]. One rank off is right."""
    def check(panel, answers, truth):
        problems = []
        for i, (percent, want) in enumerate(wants):
            got, values = numbers(answers[COARSE][i]), want(truth)
            if len(got) != 1 or not between_neighbours(got[0], values, percent):
                problems.append(f"{named(panel, i)} shows {got}, which is not percentile {percent} of {len(values)} values")
        return problems
    return check


def percentile_series(metric, *percents, by=None, **where):
    """Target i shows percentile i of each second's requests, and of all of them where the interval is long."""
    def groups(truth, seconds):
        found = collections.defaultdict(list)
        for request in truth.where(**where):
            if metric in request["s"]:
                found[(request["at"] // (seconds * 10**9), request[by] if by else None)].append(request["s"][metric])
        return found

    def check(panel, answers, truth):
        problems = []
        for interval, seconds in ((FINE, 1), (COARSE, 3_600_000)):
            expected = groups(truth, seconds)
            for i, percent in enumerate(percents):
                rows = [((row[0] // (seconds * 10**9), series.tags.get(by) if by else None), row[1])
                        for series in answers[interval][i] for row in series.rows]
                if {key for key, _ in rows} != set(expected):
                    problems.append(f"{named(panel, i)} at {interval}: {len(rows)} points, are {len(expected)}")
                problems += [f"{named(panel, i)} at {interval}: {got} is not percentile {percent} of {len(expected[key])} values"
                             for key, got in rows if key in expected and not between_neighbours(got, expected[key], percent)]
        return problems
    return check


def stored(*wants):
    """Target i shows a field as it was written, for (measurement, field, function of the values that share a second)."""
    def expected(truth, measurement, field, reduce, tags):
        groups = collections.defaultdict(list)
        for have, fields, at in truth.points[measurement]:
            if field in fields:
                groups[(at // 10**9, *(have.get(t) for t in tags))].append(fields[field])
        return {key: reduce(values) for key, values in groups.items()}

    def check(panel, answers, truth):
        problems = []
        for i, want in enumerate(wants):
            series = answers[FINE][i]
            tags = list(series[0].tags) if series else []
            got = {(row[0] // 10**9, *(s.tags[t] for t in tags)): row[1] for s in series for row in s.rows}
            written = expected(truth, *want, tags)
            if not written or set(got) != set(written) or not all(near(got[key], written[key]) for key in written):
                problems.append(f"{named(panel, i)} shows {got}, written were {written}")
        return problems
    return check


def text(want):
    """The one text of the panel is want(truth)."""
    def check(panel, answers, truth):
        return unequal("text", numbers(answers[FINE][0]), [want(truth)])
    return check


def columns(want):
    """The rows of a table, as (tag, value, value, ...), are among what want(truth) allows: tag -> one predicate per column."""
    def check(panel, answers, truth):
        rows = {tuple(s.tags.values())[0]: row[1:] for s in answers[COARSE][0] for row in s.rows}
        expected = want(truth)
        if set(rows) != set(expected):
            return [f"rows {sorted(rows)}, are {sorted(expected)}"]
        return [f"row {key}: column {i + 1} shows {got}" for key, row in rows.items()
                for i, (got, fits) in enumerate(zip(row, expected[key])) if got is None or not fits(got)]
    return check


def slots(metric, **where):
    """Each row of a heatmap counts the values up to its edge; a value within 0.1 % of an edge may stand on either side."""
    def check(panel, answers, truth):
        values = truth.values(metric, **where)
        counts = [sum(numbers(answer)) for answer in answers[FINE]]
        problems = unequal("all rows", sum(counts), len(values))
        lower = 0.0
        for target, count in zip(panel["targets"], counts):
            edge = float(target["alias"].replace("+Inf", "inf"))
            least = sum(lower * 1.001 < v <= edge * 0.999 for v in values)
            most = sum(lower * 0.999 <= v <= edge * 1.001 for v in values)
            if not least <= count <= most:
                problems.append(f"row up to {edge} s: shows {count}, are {least} to {most}")
            lower = edge
        return problems
    return check


def in_flight(panel, answers, truth):
    """At the end of each second of the first target about as many requests are under way as the stamps say. A generator that gets no
    time looks as late as it sends."""
    slack = SLACK + max(r["stamps"]["dispatch_ns"] - r["stamps"]["intended_ns"] for r in truth.requests)
    spans = [(r["stamps"]["dispatch_ns"] + truth.offset, r["at"]) for r in truth.requests]
    problems = [] if numbers(answers[FINE][0]) else ["shows nothing"]
    for at, got in ((row[0] + 10**9, row[1]) for series in answers[FINE][0] for row in series.rows):
        low = sum(begin < at - slack and end > at + slack for begin, end in spans)
        high = sum(begin < at + slack and end > at - slack for begin, end in spans)
        if not low <= got <= high:
            problems.append(f"shows {got} in flight, are {low} to {high}")
    return problems


def part(first, last, check):
    """The check for targets first to last (exclusive) alone."""
    def of_part(panel, answers, truth):
        some = {interval: answer[first:last] for interval, answer in answers.items()}
        return check({**panel, "targets": panel["targets"][first:last]}, some, truth)
    return of_part


def every(*checks):
    return lambda panel, answers, truth: [p for check in checks for p in check(panel, answers, truth)]


def of(which, check):
    """The check against one member of what several runs say."""
    return lambda panel, answers, truth: check(panel, answers, getattr(truth, which))
