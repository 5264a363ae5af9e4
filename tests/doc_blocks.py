"""The command blocks of a page: found, and run as a reader would run them, on free ports.

A ```sh block is run as it stands, its output compared with the ```json or ```text block that follows it, if one does; there
`…` stands for anything. A comment on the line before says otherwise: `<!-- untested: REASON -->`, or
`<!-- tested: tests/FILE -->` where another test runs it. A block that is one `refserver serve` or `refserver gateway` starts
it for the rest of the page.
"""
import dataclasses
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile

import harness

LOOPBACK = re.compile(r"127\.0\.0\.1:(\d+)")
LEFT_OUT = {"build", "runs", "models", ".git", ".env"}  # of the tree: a reader's clone has none of them yet


@dataclasses.dataclass
class Block:
    line: int
    commands: str
    marker: str | None = None
    expected: str | None = None

    @property
    def reason(self):
        """Why nobody runs it; None if somebody does."""
        found = re.fullmatch(r"<!-- untested: (.+) -->", self.marker or "")
        return found.group(1) if found else None

    @property
    def tested_by(self):
        found = re.fullmatch(r"<!-- tested: (\S+) -->", self.marker or "")
        return found.group(1) if found else None

    @property
    def is_server(self):
        return re.match(r"refserver (serve|gateway) ", self.commands) is not None


def blocks(text):
    """Every block of commands of a page, in order."""
    found, lines, at = [], text.splitlines(), 0
    while at < len(lines):
        language = re.fullmatch(r"```(\w+)", lines[at])
        if not language:
            at += 1
            continue
        end = lines.index("```", at + 1)
        body = "\n".join(lines[at + 1:end])
        if language.group(1) in ("sh", "bash", "console", "shell"):
            marker = lines[at - 1] if at and lines[at - 1].startswith("<!--") else None
            found.append(Block(at + 1, body, marker))
        elif language.group(1) in ("json", "text") and found and lines[at - 1] == "```":
            found[-1].expected = body
        at = end + 1
    return found


def is_as_shown(output, expected):
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, output.strip(), re.S) is not None


class Reader:
    """Somebody who follows a page from its top, in a fresh clone; use as a context manager."""

    def __init__(self):
        self.ports = {}  # as the page has them: as they are
        self.servers = []
        self.scratch = tempfile.TemporaryDirectory(prefix="plumbline-docs-")
        self.cwd = pathlib.Path(self.scratch.name)
        for entry in harness.SOURCE.iterdir():
            if entry.name not in LEFT_OUT:
                (self.cwd / entry.name).symlink_to(entry)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()
        self.scratch.cleanup()

    def localised(self, commands):
        commands = commands.replace("build/release/bin/", "")
        return LOOPBACK.sub(lambda m: f"127.0.0.1:{self.ports.get(m.group(1), m.group(1))}", commands)

    @property
    def environment(self):
        return {**os.environ, "PATH": f"{harness.BIN}:{os.environ['PATH']}"}

    def start(self, block):
        words = shlex.split(self.localised(block.commands.replace("\\\n", " ")))
        at = words.index("--port") + 1
        shown, words[at] = words[at], "0"
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=self.cwd,
                                  env=self.environment)
        self.servers.append(server)
        line = server.stdout.readline()
        if not line.startswith("listening on "):
            raise AssertionError(f"line {block.line}: {block.commands} did not start")
        self.ports[shown] = line.strip().rsplit(":", 1)[1]

    def run(self, block):
        """What a reader sees, ports as the page has them. AssertionError where a command fails."""
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", self.localised(block.commands)], capture_output=True, text=True,
                              cwd=self.cwd, env=self.environment, timeout=100)
        if done.returncode != 0:
            raise AssertionError(f"line {block.line}: exit {done.returncode}: {block.commands}\n{done.stdout}{done.stderr}")
        shown = {actual: page for page, actual in self.ports.items()}
        return LOOPBACK.sub(lambda m: f"127.0.0.1:{shown.get(m.group(1), m.group(1))}", done.stdout)
