"""Grafana's alert rules as they are provisioned: read, and judged the way Grafana does, over a database of a test."""
import operator

import yaml

import harness

FILE = harness.SOURCE / "dashboards/provisioning/alerting/plumbline.yaml"


def rules():
    """title -> rule, with what provisioning takes from its group."""
    groups = yaml.safe_load(FILE.read_text())["groups"]
    return {rule["title"]: {**rule, "ruleGroup": group["name"], "orgID": group["orgId"], "folderUID": group["folder"]}
            for group in groups for rule in group["rules"]}


def query(rule):
    return rule["data"][0]["model"]["query"]


def threshold(rule):
    """(gt or lt, limit)."""
    evaluator = rule["data"][2]["model"]["conditions"][0]["evaluator"]
    return evaluator["type"], evaluator["params"][0]


def fires(rule, series):
    """Whether the last value of a series is beyond the limit."""
    kind, limit = threshold(rule)
    return {"gt": operator.gt, "lt": operator.lt}[kind](series.values()[-1], limit)
