#!/usr/bin/env python3
"""Checks every include line of our sources against the map: includes point one way.

Knows the order of the folders and nothing about what is in them. Runs its own self-check first, so that a
checker that can no longer fail fails.
"""
import pathlib
import re
import sys
import tempfile

LEAVES = ("exporters", "kernels", "tokenizer")
# Inside a program a stage may include itself and the stages before it.
STAGES = {
    "refserver": ("chat", "api", "queue", "schedule", "checkpoint", "transformer", "engine", "http", "gateway"),
    "loadgen": ("plan", "schedule", "drive", "record", "observe", "summarize", "export"),
}
ONLY = {("refserver", "http"): {"api", "queue"},  # The I/O side meets the engine side at two queues.
        ("refserver", "gateway"): {"api", "chat", "http"}}
BASE = {"result", "error", "exit_code", "duration"}  # Files beside main.cpp that every stage may include.
FREE_FOLDERS = {"tests", "bench", "fuzz"}  # A test may set up the stages around its own.
FOLDERS = LEAVES + tuple(STAGES)
SOURCES = {".cpp", ".hpp", ".cu", ".cuh", ".h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]*)"|<([^>]*)>)')


def stage_of(path):
    """The stage of a file of a program: a folder's name, 'base', 'tests' or 'wiring' (run, cli, config, main)."""
    parts = path.parts
    if FREE_FOLDERS & set(parts[:-1]):
        return "tests"
    if len(parts) > 2:
        return parts[1] if parts[1] in STAGES[parts[0]] else "wiring"
    return "base" if path.stem in BASE else "wiring"


def broken_rule(source, target):
    """Why `source` must not include `target` (both relative to the root), or None."""
    here, there = source.parts[0], target.parts[0]
    if here not in FOLDERS:
        return f"{here}/ links nothing of ours, so it includes nothing of ours"
    if here in LEAVES:
        return None if there == here else f"{here} is a leaf: it includes nothing of ours outside itself"
    if there in LEAVES:
        return None
    if there != here:
        return f"{here} and {there} never include each other: they share golden files, not code"
    return broken_stage_rule(here, stage_of(source), stage_of(target))


def broken_stage_rule(program, mine, theirs):
    stages = STAGES[program]
    if theirs == "tests" and mine != "tests":
        return "only tests may include test code"
    if mine in ("tests", "wiring") or theirs in ("base", mine):
        return None
    if mine == "base" or theirs == "wiring":
        return f"{program}'s {mine} must not know {theirs}: only the wiring (main, cli, ...) sees everything"
    if stages.index(theirs) > stages.index(mine):
        return f"{program}/{mine} comes before {program}/{theirs} in the order {', '.join(stages)}"
    if theirs not in ONLY.get((program, mine), {theirs}):
        return f"{program}/{mine} uses only {' and '.join(sorted(ONLY[program, mine]))} of {program}"
    return None


def check_file(root, path):
    """Yields (line number, rule broken) for one file; own includes are those whose first folder is ours."""
    source, first = path.relative_to(root), True
    own_header = source.with_suffix(".hpp")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled = match.groups()
        target = pathlib.PurePosixPath(quoted if quoted is not None else angled)
        if first and source.suffix != ".hpp" and (root / own_header).exists() and str(target) != str(own_header):
            yield number, f'a source file includes its own header first: #include "{own_header}"'
        first = False
        if quoted is None:
            if target.parts and target.parts[0] in FOLDERS and (root / target).exists():
                yield number, f'our own files are included with quotes: #include "{target}"'
            continue
        if not (root / target).is_file() or target.parts[0] not in FOLDERS or ".." in target.parts:
            yield number, f'"{target}" is not a path from the project root to a file of a code folder'
        elif rule := broken_rule(source, pathlib.Path(target)):
            yield number, f'"{target}": {rule}'


def check_tree(root):
    """Returns (files read, findings as 'file:line: rule') for a project root."""
    folders = FOLDERS + ("cmake", "tests", "bench", "deploy")
    files = sorted(p for f in folders for p in (root / f).rglob("*") if p.suffix in SOURCES and p.is_file())
    return files, [f"{p.relative_to(root)}:{n}: {rule}" for p in files for n, rule in check_file(root, p)]


SELF_TEST = {  # file: (its text, a word of the expected finding or None)
    "exporters/sink.hpp": ("", None),
    "exporters/bad.cpp": ('#include "refserver/result.hpp"', "leaf"),
    "kernels/bad.cu": ('#include "exporters/sink.hpp"', "leaf"),
    "refserver/result.hpp": ("", None),
    "refserver/api/request.hpp": ('#include "refserver/result.hpp"\n#include "exporters/sink.hpp"', None),
    "refserver/api/request.cpp": ('#include <vector>\n#include "refserver/api/request.hpp"', "own header first"),
    "refserver/engine/engine.hpp": ('#include "refserver/api/request.hpp"', None),
    "refserver/http/routes.cpp": ('#include "refserver/engine/engine.hpp"', "only api and queue"),
    "refserver/http/sse.cpp": ('#  include "refserver/api/request.hpp"', None),
    "refserver/http/tests/routes_test.cpp": ('#include "refserver/engine/engine.hpp"', None),
    "refserver/main.cpp": ('#include "refserver/engine/engine.hpp"', None),
    "refserver/chat/bad.cpp": ('#include "refserver/api/request.hpp"', "comes before"),
    "loadgen/cli.hpp": ("", None),
    "loadgen/plan/plan.hpp": ("", None),
    "loadgen/plan/bad.cpp": ('#include "loadgen/cli.hpp"', "must not know"),
    "loadgen/drive/bad.cpp": ('#include "refserver/api/request.hpp"', "never include each other"),
    "loadgen/drive/relative.cpp": ('#include "../plan/plan.hpp"', "not a path from the project root"),
    "loadgen/drive/bare.cpp": ('#include "plan.hpp"', "not a path from the project root"),
    "loadgen/drive/angled.cpp": ("#include <loadgen/plan/plan.hpp>", "with quotes"),
    "tests/linked.cpp": ('#include "loadgen/plan/plan.hpp"', "links nothing of ours"),
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, (text, _) in SELF_TEST.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        _, findings = check_tree(root)
    for name, (_, word) in SELF_TEST.items():
        mine = [f for f in findings if f.startswith(name + ":")]
        good = len(mine) == 1 and word in mine[0] if word else not mine
        if not good:
            sys.exit(f"check_includes: self-check failed for {name}: expected {word!r}, found {mine}")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../..").resolve()
    files, findings = check_tree(root)
    for finding in findings:
        print(finding)
    print(f"check_includes: {len(files)} files read, {len(findings)} findings "
          f"(self-check: {len(SELF_TEST)} cases)")
    sys.exit(1 if findings or not files else 0)


if __name__ == "__main__":
    main()
