#!/usr/bin/env python3
"""Checks dashboards and what provisions them without a database: our own lint, and Grafana's published JSON schema.

Grafana itself is not needed. That queries show what is true is checked by dashboards_influx_test.py and
dashboards_prometheus_test.py.
"""
import copy
import json

import harness
from dashboards import boards, grafana_alerts, lint

SCHEMAS = harness.SOURCE / "tests/third_party/grafana-foundation-sdk"


def dashboard_validator():
    """The published schema, less strict where it is stricter than Grafana: it takes "any value" for "any object"."""
    import jsonschema
    schema = json.loads((SCHEMAS / "dashboard.jsonschema.json").read_text())
    for name, key in (("DynamicConfigValue", "value"), ("MatcherConfig", "options")):
        schema["definitions"][name]["properties"][key] = {}
    return jsonschema.Draft7Validator(schema)


def schema_findings(validator, board):
    board = copy.deepcopy(board)
    for note in board["annotations"]["list"]:  # keys of the InfluxDB data source, which the schema does not know
        note.pop("query", None)
        note.pop("textColumn", None)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator.iter_errors(board)]


class DashboardsTest(harness.Test):
    def test_lint_finds_nothing(self):
        sources = lint.provisioned()
        for name, board in boards.load().items():
            self.assertEqual(lint.lint(board, sources), [], name)

    def test_lint_finds_mistakes(self):
        for board in boards.load().values():
            lint.self_check(board, lint.provisioned())

    def test_every_dashboard_has_a_uid_of_its_own(self):
        uids = [board["uid"] for board in boards.load().values()]
        self.assertEqual(len(set(uids)), len(uids))

    def test_dashboards_have_the_published_schema(self):
        try:
            validator = dashboard_validator()
        except ImportError:
            self.skipTest("no jsonschema (Debian package python3-jsonschema)")
        for name, board in boards.load().items():
            self.assertEqual(schema_findings(validator, board), [], name)
            for change in (lambda b: b.update(pannels=[]), lambda b: boards.panels(b)[0].update(gridPos={"x": "left"}),
                           lambda b: b["templating"]["list"][0].update(type="choice"), lambda b: b.update(schemaVersion="new")):
                spoiled = copy.deepcopy(board)
                change(spoiled)
                self.assertNotEqual(schema_findings(validator, spoiled), [], "the schema does not see a mistake")

    def test_alert_rules_of_grafana_have_the_published_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("no jsonschema (Debian package python3-jsonschema)")
        schema = json.loads((SCHEMAS / "alerting.jsonschema.json").read_text())
        validator = jsonschema.Draft7Validator({**schema, "$ref": "#/definitions/Rule"})
        for title, rule in grafana_alerts.rules().items():
            self.assertEqual([e.message for e in validator.iter_errors(rule)], [], title)
            self.assertNotEqual(list(validator.iter_errors({**rule, "noDataState": "Fine"})), [], "the schema does not see a mistake")

    def test_alert_rules_of_grafana_are_those_of_prometheus(self):
        """Names, severities, limits and waiting times."""
        import yaml
        groups = yaml.safe_load((harness.SOURCE / "dashboards/rules/alerts.yml").read_text())["groups"]
        prometheus = {(rule["alert"], rule["labels"]["severity"]): rule for group in groups for rule in group["rules"]}
        ours = grafana_alerts.rules()
        self.assertEqual({(title, rule["labels"]["severity"]) for title, rule in ours.items()}, set(prometheus))
        for (title, _), rule in prometheus.items():
            if title == "GeneratorInvalid":  # there a state of a run under way, here an event at its end
                continue
            kind, limit = grafana_alerts.threshold(ours[title])
            self.assertTrue(rule["expr"].endswith(f"{'>' if kind == 'gt' else '<'} {limit}"), title)
            self.assertEqual(ours[title]["for"], rule["for"], title)
            self.assertEqual(ours[title]["data"][0]["datasourceUid"] in lint.provisioned(), True)


if __name__ == "__main__":
    harness.main()
