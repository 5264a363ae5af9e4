#!/usr/bin/env python3
"""Checks docker-compose.yml without an engine: Compose accepts it, what it mounts and builds exists, every port is on
loopback, every image is pinned. Exit code 77: no Compose here.
"""
import os
import re
import shutil
import subprocess

import yaml

import harness

ROOT = harness.SOURCE
FILE = ROOT / "docker-compose.yml"
MADE_BY_DEV = {"./runs"}  # ./dev up creates it


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return None


def findings(stack):
    """One line per mistake in the parsed file."""
    for name, service in stack["services"].items():
        image = service.get("image", "")
        if not re.search(r":[\w.-]+$", image) or image.endswith(":latest"):
            yield f"{name}: image '{image}' is not pinned"
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is not on loopback"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and source not in MADE_BY_DEV and not (ROOT / source).exists():
                yield f"{name}: {source} does not exist"
        yield from build_findings(name, service.get("build"))


def build_findings(name, build):
    if not build:
        return
    dockerfile = ROOT / build["dockerfile"]
    if not dockerfile.is_file():
        yield f"{name}: {build['dockerfile']} does not exist"
    elif not re.search(rf"^FROM \S+ AS {build['target']}$", dockerfile.read_text(), re.M):
        yield f"{name}: {build['dockerfile']} has no stage '{build['target']}'"


def self_check():
    """Each of these mistakes must be found."""
    for service, words in (({"image": "influxdb"}, "not pinned"), ({"image": "a:1", "ports": ["8086:8086"]}, "loopback"),
                           ({"image": "a:1", "volumes": ["./nowhere:/x"]}, "does not exist"),
                           ({"image": "a:1", "build": {"dockerfile": "deploy/none", "target": "x"}}, "does not exist")):
        assert any(words in f for f in findings({"services": {"s": service}})), f"not found: {words}"


def main():
    self_check()
    stack = yaml.safe_load(FILE.read_text())
    wrong = list(findings(stack))
    assert not wrong, "\n".join(wrong)
    print(f"{len(stack['services'])} services: paths, ports, images and stages are right")
    command = compose_command()
    if not command:
        harness.skip("neither docker-compose nor docker compose is installed, so Compose itself was not asked")
    bare = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}  # no .env, no variables
    subprocess.run(command + ["-f", str(FILE), "config", "-q"], check=True, cwd=ROOT, env=bare)
    subprocess.run(command + ["-f", str(FILE), "--profile", "run", "config", "-q"], check=True, cwd=ROOT, env=bare)
    print(" ".join(command) + " accepts it")


if __name__ == "__main__":
    main()
