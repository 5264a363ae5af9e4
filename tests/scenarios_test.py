#!/usr/bin/env python3
"""scenarios/schema.json, the shipped scenarios and the program agree: what one refuses, the other does too.

Knows the scenario format only through the schema and the program's messages.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: python3-{missing.name} is not installed")
    sys.exit(77)

SOURCE = pathlib.Path(os.environ.get("PLUMBLINE_SOURCE", pathlib.Path(__file__).parent.parent))
LOADGEN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", SOURCE / "build/release/bin")) / "loadgen"
TABLE = yaml.safe_load((SOURCE / "loadgen/plan/tests/bad_scenarios.yaml").read_text())


class CoreLoader(yaml.SafeLoader):
    """Plain words as YAML 1.2 and JSON see them: PyYAML follows 1.1, where 'yes' is true and 010 is eight."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^-?(0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


def built(case):
    """The text of a case: a whole one, or the good one with one line replaced, removed (-) or added (+)."""
    if "whole" in case:
        return case["whole"]
    text = case["text"]
    if text.startswith("+"):
        return TABLE["good"] + text[1:] + "\n"
    lines = TABLE["good"].splitlines()
    if text.startswith("-"):
        return "\n".join(line for line in lines if not line.startswith(text[1:] + ":")) + "\n"
    key = text.split(":")[0]
    keys = [line.split(":")[0] for line in lines]
    lines[keys.index(key) if key in keys else keys.index(key[:-1])] = text
    return "\n".join(lines) + "\n"


class Scenarios(unittest.TestCase):
    def setUp(self):
        schema = yaml.safe_load((SOURCE / "scenarios/schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        self.schema = jsonschema.Draft202012Validator(schema)

    def check(self, path):
        return subprocess.run([LOADGEN, "check", path], capture_output=True, text=True, timeout=20)

    def test_shipped_scenarios_satisfy_both(self):
        files = sorted((SOURCE / "scenarios").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 2)
        for path in files:
            document = yaml.load(path.read_text(), CoreLoader)
            self.assertEqual([e.message for e in self.schema.iter_errors(document)], [], path)
            done = self.check(path)
            self.assertEqual(done.returncode, 0, done.stderr)
            for entry in document["mix"]:
                self.assertIn(entry["name"], done.stdout)

    def test_the_good_scenario_satisfies_both(self):
        self.assertTrue(self.schema.is_valid(yaml.load(TABLE["good"], CoreLoader)))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "good.yaml"
            path.write_text(TABLE["good"])
            self.assertEqual(self.check(path).returncode, 0, self.check(path).stderr)

    def test_bad_scenarios_are_refused_by_both(self):
        seen = 0
        for case in TABLE["bad"]:
            with self.subTest(case=case), tempfile.TemporaryDirectory() as folder:
                text = built(case)
                self.assertNotEqual(text, TABLE["good"])
                path = pathlib.Path(folder) / "bad.yaml"
                path.write_text(text)
                done = self.check(path)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertIn(case["says"], done.stderr)
                if case.get("schema") != "cannot-see":
                    seen += 1
                    self.assertFalse(self.schema.is_valid(yaml.load(text, CoreLoader)), "the schema accepts it")
                elif "whole" not in case:
                    self.assertTrue(self.schema.is_valid(yaml.load(text, CoreLoader)), "the schema sees it: say so")
        self.assertGreater(seen, 60)


if __name__ == "__main__":
    unittest.main()
