#!/usr/bin/env python3
"""Prints the tests that did not run, each with the reason it gave, from ctest's JUnit file."""
import sys
import xml.etree.ElementTree as tree


def reason(case):
    """The last line a skipped test printed that says something; GoogleTest puts its message before '[  SKIPPED ]'."""
    text = case.findtext("system-out") or ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("[", "Note:", "Running main")) and line != "Skipped"]
    return lines[-1] if lines else "no reason given"


def main():
    skipped = [c for c in tree.parse(sys.argv[1]).getroot().iter("testcase") if c.get("status") in ("notrun", "disabled")]
    print(f"skipped: {len(skipped)}")
    for case in skipped:
        print(f"  {case.get('name')}: {reason(case)}")


if __name__ == "__main__":
    main()
