"""What can be said of a dashboard without a database: identity, units, descriptions, places, data sources, variables."""
import copy
import json
import re

import yaml

import harness
from dashboards import boards

MACROS = {"timeFilter", "__interval", "__interval_ms", "__rate_interval", "__range"}
# Grafana's names of units that the panels use; a name it does not know is shown as a bare suffix.
UNITS = {"none", "string", "s", "ms", "percent", "percentunit", "reqps", "bytes", "mbytes", "watt", "joule", "celsius", "hertz",
         "tokens/s"}


def provisioned():
    """uid -> type of every data source that the stack provisions."""
    files = (harness.SOURCE / "dashboards/provisioning/datasources").glob("*.yaml")
    return {source["uid"]: source["type"] for f in files for source in yaml.safe_load(f.read_text())["datasources"]}


def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


def lint_panel(panel, known):
    defaults = panel["fieldConfig"]["defaults"]
    for key, holder in (("title", panel), ("description", panel), ("unit", defaults), ("noValue", defaults)):
        if not holder.get(key):
            yield f"no {key}"
    if defaults.get("unit") not in UNITS:
        yield f"unit {defaults.get('unit')} is not one of ours"
    if panel["datasource"]["uid"] != "${datasource}":
        yield "its data source is not the variable, so the dashboard cannot be imported elsewhere"
    if len({t["refId"] for t in panel["targets"]}) != len(panel["targets"]):
        yield "two targets share a refId"
    for target in panel["targets"]:
        for word in boards.WORD.findall(boards.text_of(target) + panel.get("timeShift", "")):
            if word not in known:
                yield f"target {target['refId']} uses ${word}, which nothing defines"
        tags = re.findall(r"\$tag_(\w+)", target.get("alias", ""))
        for tag in tags:
            if f'"{tag}"' not in boards.text_of(target).rsplit("GROUP BY", 1)[-1]:
                yield f"target {target['refId']} names tag {tag}, which it does not group by"


def lint_variables(board, sources):
    for variable in board["templating"]["list"]:
        if variable["type"] == "datasource":
            if sources.get(variable["current"]["value"]) != variable["query"]:
                yield f"data source {variable['current']['value']} is not provisioned as {variable['query']}"
        elif variable["type"] == "query" and variable["datasource"]["uid"] != "${datasource}":
            yield f"variable {variable['name']} has a data source of its own"


def lint(board, sources):
    """Findings as text, one per mistake; an empty list is a clean dashboard."""
    findings, panels = list(lint_variables(board, sources)), board["panels"]
    known = MACROS | {v["name"] for v in board["templating"]["list"]}
    if not re.fullmatch(r"[\w-]{8,40}", board.get("uid", "")):
        findings.append("uid must be 8 to 40 characters")
    if "id" in board or "__inputs" in board or "${DS_" in json.dumps(board):
        findings.append("id, __inputs and ${DS_...} are for manual import and break provisioning")
    if len({p["id"] for p in panels}) != len(panels):
        findings.append("two panels share an id")
    titles = [p["title"] for p in panels]
    findings += [f"two panels are called '{t}'" for t in set(titles) if titles.count(t) > 1]
    for i, panel in enumerate(panels):
        if panel["type"] != "row":
            findings += [f"panel '{panel['title']}': {f}" for f in lint_panel(panel, known)]
        findings += [f"panels '{panel['title']}' and '{other['title']}' overlap"
                     for other in panels[:i] if overlap(panel["gridPos"], other["gridPos"])]
    return findings


def self_check(board, sources):
    """Each of these mistakes must be found."""
    def spoiled(change):
        other = copy.deepcopy(board)
        change(other)
        return lint(other, sources)
    first = lambda b: boards.panels(b)[0]
    unit = lambda b, value: first(b)["fieldConfig"]["defaults"].update(unit=value)
    mistakes = {"share an id": lambda b: first(b).update(id=boards.panels(b)[1]["id"]), "no unit": lambda b: unit(b, ""),
                "not one of ours": lambda b: unit(b, "parsecs"), "no description": lambda b: first(b).update(description=""),
                "overlap": lambda b: first(b)["gridPos"].update(w=24),
                "imported elsewhere": lambda b: first(b)["datasource"].update(uid="x"),
                "nothing defines": lambda b: first(b)["targets"][0].update(query="SELECT $wrong", expr="$wrong"),
                "are called": lambda b: first(b).update(title=boards.panels(b)[1]["title"]),
                "not provisioned": lambda b: b["templating"]["list"][0]["current"].update(value="other"),
                "manual import": lambda b: b.update(__inputs=[])}
    for words, change in mistakes.items():
        assert any(words in finding for finding in spoiled(change)), f"the linter does not see: {words}"
