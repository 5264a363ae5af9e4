#!/usr/bin/env python3
"""Lints the Grafana dashboards and runs every query of theirs against a real influxd that holds a real run.

    dashboards_test.py [POINTS_FILE]      without a file it makes a run with the programs in $PLUMBLINE_BIN

Grafana itself is not needed: its macros are expanded here. Exit code 77: linted, but queries could not be run.
"""
import copy
import json
import pathlib
import re
import sys
import urllib.request

import yaml

import harness
import influxd

ROOT = harness.SOURCE
MACROS = {"timeFilter", "__interval", "__interval_ms", "tag_entry", "tag_outcome", "tag_exporter"}
DATABASE = "plumbline"


# ---- lint: what can be said without a database ---------------------------------------------------------------------

def provisioned_uids():
    files = (ROOT / "dashboards/provisioning/datasources").glob("*.yaml")
    return {source["uid"] for f in files for source in yaml.safe_load(f.read_text())["datasources"]}


def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


def lint_panel(panel, uids, known):
    defaults = panel["fieldConfig"]["defaults"]
    for key, holder in (("title", panel), ("description", panel), ("unit", defaults), ("noValue", defaults)):
        if not holder.get(key):
            yield f"no {key}"
    if panel["datasource"]["uid"] not in uids:
        yield f"datasource {panel['datasource']['uid']} is not provisioned"
    if len({t["refId"] for t in panel["targets"]}) != len(panel["targets"]):
        yield "two targets share a refId"
    for target in panel["targets"]:
        for word in re.findall(r"\$\{?(\w+)", target["query"] + target["alias"]):
            if word not in known:
                yield f"target {target['refId']} uses ${word}, which nothing defines"


def lint(board, uids):
    """Findings as text, one per mistake; an empty list is a clean dashboard."""
    findings, panels = [], board["panels"]
    known = MACROS | {v["name"] for v in board["templating"]["list"]}
    if not re.fullmatch(r"[\w-]{8,40}", board.get("uid", "")):
        findings.append("uid must be 8 to 40 characters")
    if "id" in board or "__inputs" in board or "${DS_" in json.dumps(board):
        findings.append("id, __inputs and ${DS_...} are for manual import and break provisioning")
    if len({p["id"] for p in panels}) != len(panels):
        findings.append("two panels share an id")
    for i, panel in enumerate(panels):
        findings += [f"panel '{panel['title']}': {f}" for f in lint_panel(panel, uids, known)]
        findings += [f"panels '{panel['title']}' and '{other['title']}' overlap"
                     for other in panels[:i] if overlap(panel["gridPos"], other["gridPos"])]
    return findings


def lint_self_check(board, uids):
    """Each of these mistakes must be found."""
    def spoiled(change):
        other = copy.deepcopy(board)
        change(other)
        return lint(other, uids)
    first = lambda b: b["panels"][0]
    mistakes = {"share an id": lambda b: first(b).update(id=2), "no unit": lambda b: first(b)["fieldConfig"]["defaults"].pop("unit"),
                "no description": lambda b: first(b).update(description=""), "overlap": lambda b: first(b)["gridPos"].update(w=24),
                "not provisioned": lambda b: first(b)["datasource"].update(uid="other"),
                "nothing defines": lambda b: first(b)["targets"][0].update(query="SELECT $wrong"),
                "manual import": lambda b: b.update(__inputs=[])}
    for words, change in mistakes.items():
        assert any(words in finding for finding in spoiled(change)), f"the linter does not see: {words}"


# ---- a database with a run in it -------------------------------------------------------------------------------------

class Database:
    def __init__(self, server):
        self.server, self.url = server, f"{server.url}/{DATABASE}"
        server.query(f'CREATE DATABASE "{DATABASE}"')

    def values(self, text):
        return [row[1:] for series in self.server.query(text, DATABASE) for row in series["values"]]

    def write(self, lines):
        for start in range(0, len(lines), 5000):
            body = b"\n".join(lines[start:start + 5000])
            urllib.request.urlopen(f"{self.server.url}/write?db={DATABASE}&precision=ns", body, timeout=60).close()


def make_run(database):
    """A short real run of both programs that streams into the database; its points as lines."""
    with harness.run_dir() as out, harness.Server(ttft="20ms", gap="2ms") as server:
        run = harness.load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--rate", 40,
                           "--warmup", "1s", "--duration", "4s", "--max-new-tokens", 16, "--influx", database.url)
        # A busy machine may make the run invalid (4); its points are as good for a dashboard.
        assert run.code in (0, 4), run
        return (out / "points.lp").read_bytes().splitlines()


# ---- every query ---------------------------------------------------------------------------------------------------

def expand(text, values):
    return re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m.group(1), m.group(0)), text)


def time_range(lines):
    stamps = [int(line.rsplit(b" ", 1)[1]) for line in lines]
    return f"time >= {min(stamps) - 10**9} and time <= {max(stamps) + 10**9}"


def no_value(panel):
    return panel["fieldConfig"]["defaults"]["noValue"]


def run_queries(board, database, lines):
    """panel title -> the rows of its targets, one list per target. A target without a value is a failure."""
    values = {"timeFilter": time_range(lines), "__interval": "1s", "__interval_ms": "1000"}
    for variable in board["templating"]["list"]:
        found = [row[-1] for row in database.values(expand(variable["query"], values))]
        assert found, f"variable {variable['name']} has no values"
        values[variable["name"]] = "(" + "|".join(map(re.escape, found)) + ")" if variable["multi"] else found[-1]
    for note in board["annotations"]["list"]:
        assert database.values(expand(note["query"], values)), f"annotation {note['name']} is empty"
    # A closed loop has no planned instants, so nothing can be late in it.
    open_loop = database.values('SELECT "e2e_sched" FROM "llm_request" LIMIT 1')
    without = {} if open_loop else {q["query"] for p in board["panels"] for q in p["targets"] if '"lateness"' in q["query"]}
    answers = {}
    for panel in board["panels"]:
        answers[panel["title"]] = rows = [database.values(expand(t["query"], values)) for t in panel["targets"]]
        filled = [any(value is not None for row in target for value in row) or query["query"] in without
                  for target, query in zip(rows, panel["targets"])]
        # A heatmap has a target per bucket and a count may be of nothing; elsewhere every target shows something.
        enough = any(filled) if panel["type"] == "heatmap" else all(filled) or no_value(panel) == "0"
        assert enough, f"'{panel['title']}' is empty: {filled}"
        print(f"  {panel['title']}: {len(rows)} queries, {sum(map(len, rows))} rows")
    return answers


def check_values(answers, database):
    """What panels show, against what the stored points say when they are added up here."""
    slots = database.values('SELECT "value_us", "n" FROM "llm_hdr" WHERE "metric" = \'e2e\'')
    total = sum(n for _, n in slots)
    assert total > 0
    assert sum(row[0] or 0 for target in answers["End-to-end latency, all requests"] for row in target) == total
    assert sum(row[0] for row in answers["Requests over 1.5 s"][0]) == sum(n for us, n in slots if us > 1_500_000)
    answered = len(database.values("SELECT \"chunks\" FROM \"llm_request\" WHERE \"outcome\" = 'ok'"))
    assert answers["Requests answered"][0][0][0] == answered > 0
    assert sum(row[0] for row in answers["Requests by outcome"][0]) >= answered


def main():
    boards = {p: json.loads(p.read_text()) for p in sorted((ROOT / "dashboards/json").glob("*.json"))}
    assert boards, "there are no dashboards"
    for path, board in boards.items():
        findings = lint(board, provisioned_uids())
        assert not findings, "\n".join([str(path)] + findings)
        lint_self_check(board, provisioned_uids())
    assert len({b["uid"] for b in boards.values()}) == len(boards), "two dashboards share a uid"
    print(f"{len(boards)} dashboards linted")
    with influxd.Influxd() as server:
        database = Database(server)
        if len(sys.argv) > 1:
            lines = pathlib.Path(sys.argv[1]).read_bytes().splitlines()
            database.write(lines)
        else:
            lines = make_run(database)
        for board in boards.values():
            check_values(run_queries(board, database, lines), database)


if __name__ == "__main__":
    main()
