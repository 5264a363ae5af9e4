#!/usr/bin/env python3
"""Checks that every header compiles alone. Usage: check_headers.py COMPILE_COMMANDS [ROOT]

A header that is the very first include of a source file in the build is proven by the build. Any other is compiled
by itself with the flags of the nearest source file. Runs its own self-check first.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

FOLDERS = ("exporters", "kernels", "tokenizer", "refserver", "loadgen")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]*)[">]')
PARALLEL = 2


def first_include(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := INCLUDE.match(line):
            return match.group(1)
    return None


def read_commands(path, root):
    """source file (relative to root) -> (folder to run in, compiler and flags without input and output)"""
    commands = {}
    for entry in json.loads(path.read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if source.suffix != ".cpp" or not source.is_relative_to(root):
            continue
        words = entry.get("arguments") or shlex.split(entry["command"])
        if pathlib.Path(words[0]).name == "ccache":
            words = words[1:]
        commands[source.relative_to(root)] = entry["directory"], flags_only(words, entry["file"])
    return commands


def flags_only(words, source):
    flags, skip = [], False
    for word in words:
        if skip or word in ("-c", source):
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif word not in ("-MD", "-MMD"):
            flags.append(word)
    return flags


def nearest(commands, header):
    """The command of the source that shares most folders with the header; library sources before tests."""
    def closeness(source):
        common = os.path.commonpath([source.parent, header.parent]) if source.parts[0] == header.parts[0] else ""
        return len(pathlib.PurePath(common).parts), "tests" not in source.parts, str(source)
    return commands[max(commands, key=closeness)]


def compile_alone(header, command):
    """None, or what the compiler said. Included twice, so that a missing #pragma once shows."""
    folder, flags = command
    text = f'#include "{header}"\n#include "{header}"\n'
    done = subprocess.run(flags + ["-fsyntax-only", "-x", "c++", "-"], input=text, cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return None if done.returncode == 0 else done.stdout


def check(commands_path, root):
    """Returns (headers proven by the build, headers compiled here, {header: compiler output})."""
    commands = read_commands(commands_path, root)
    headers = sorted(p.relative_to(root) for f in FOLDERS for p in (root / f).rglob("*.hpp"))
    leading = {first_include(root / source) for source in commands if (root / source).exists()}
    proven = [h for h in headers if str(h) in leading]
    alone = [h for h in headers if str(h) not in leading]
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        outputs = pool.map(lambda h: compile_alone(h, nearest(commands, h)), alone)
        return proven, alone, {h: o for h, o in zip(alone, outputs) if o is not None}


def self_test():
    """A tree with one header of each kind: proven, sound, and one that forgot what it uses."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        (root / "exporters").mkdir()
        files = {"proven.hpp": "#pragma once\nint f();", "sound.hpp": "#pragma once\n#include <string>\nstd::string g();",
                 "broken.hpp": "#pragma once\nstd::string h();", "twice.hpp": "struct Twice {};",
                 "proven.cpp": '#include "exporters/proven.hpp"\nint f() { return 1; }'}
        for name, text in files.items():
            (root / "exporters" / name).write_text(text + "\n")
        command = f"ccache g++ -std=c++20 -I{root} -o proven.o -c {root}/exporters/proven.cpp"
        (root / "commands.json").write_text(json.dumps(
            [{"directory": str(root), "file": f"{root}/exporters/proven.cpp", "command": command}]))
        proven, alone, failures = check(root / "commands.json", root)
    names = [[h.name for h in group] for group in (proven, alone, sorted(failures))]
    if names != [["proven.hpp"], ["broken.hpp", "sound.hpp", "twice.hpp"], ["broken.hpp", "twice.hpp"]]:
        sys.exit(f"check_headers: self-check failed: {names}")


def main():
    if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_file():
        sys.exit("usage: check_headers.py build/<preset>/compile_commands.json [ROOT]")
    self_test()
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else __file__ + "/../..").resolve()
    proven, alone, failures = check(pathlib.Path(sys.argv[1]), root)
    for header, output in failures.items():
        print(f"{header}: does not compile alone:\n{output}")
    print(f"check_headers: {len(proven)} headers proven by the build, {len(alone)} compiled alone, {len(failures)} failed")
    sys.exit(1 if failures or not proven + alone else 0)


if __name__ == "__main__":
    main()
