"""Dashboards as Grafana sees them: the files of dashboards/json, their panels, and its macros and variables expanded."""
import json
import re

import harness

FOLDER = harness.SOURCE / "dashboards/json"
WORD = re.compile(r"\$\{?(\w+)\}?")
FINE, COARSE = "1s", "1000h"  # a point per second; the whole run in one


def load():
    """name -> dashboard."""
    boards = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    assert boards, f"there are no dashboards in {FOLDER}"
    return boards


def panels(board):
    """Those with queries: all but the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def text_of(target):
    """The query of a target, whichever language it is in."""
    return target["query"] if "query" in target else target["expr"]


def kind(board):
    """influxdb or prometheus, as the variable of the data source says."""
    return next(v["query"] for v in board["templating"]["list"] if v["type"] == "datasource")


def expand(text, values):
    return WORD.sub(lambda m: values.get(m.group(1), m.group(0)), text)


def interval_values(interval):
    seconds = {"1s": 1, "1000h": 3_600_000}[interval]
    return {"__interval": interval, "__interval_ms": str(seconds * 1000)}


def chosen(board, found, override=None):
    """Values of all variables: `found` gives those of queries; `override` what a test chooses for single ones."""
    values = {}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable["type"] != "query":
            values[name] = variable["current"]["value"]
        elif name in (override or {}):
            values[name] = override[name]
        else:
            options = found(variable, values)
            assert options, f"variable {name} has no values"
            values[name] = "(" + "|".join(map(re.escape, options)) + ")" if variable["multi"] else options[-1]
    values.update(override or {})
    return values


def filtered(pattern, options):
    """What a variable's regex makes of the values of its query, as Grafana does: the first group, else the whole; each once."""
    if not pattern:
        return options
    found = (re.search(pattern.strip("/"), option) for option in options)
    return list(dict.fromkeys(m.group(1) if m.groups() else m.string for m in found if m))


class Series:
    """One series of an answer: its tags and its rows, (seconds or nanoseconds, value, value, ...)."""

    def __init__(self, tags, rows):
        self.tags, self.rows = tags, rows

    def values(self):
        return [row[1] for row in self.rows if row[1] is not None]


def numbers(answer):
    """All values of an answer, over all its series."""
    return [value for series in answer for value in series.values()]
