"""What the end-to-end tests share: the two programs, started and ended; run directories, read. Standard library only."""
import atexit
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SOURCE = pathlib.Path(os.environ.get("PLUMBLINE_SOURCE", pathlib.Path(__file__).resolve().parent.parent))
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", SOURCE / "build" / "release" / "bin"))
SKIPPED = 77  # ctest's word for "skipped"


def skip(reason):
    """Ends the whole script as skipped, saying why."""
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def need(program, package):
    """The path of a program, or skip."""
    path = shutil.which(program)
    if not path:
        skip(f"{program} is not installed (Debian package {package})")
    return path


def venv_python(folder, module, requirement):
    """Python of the virtual environment in `folder` that has `module`; made if need be, skips where PyPI cannot be reached."""
    python = pathlib.Path(folder) / "bin" / "python"
    if python.exists() and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
        return python
    made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
    if made.returncode != 0:
        skip(f"no virtual environment (Debian package python3-venv): {made.stderr.strip()[-200:]}")
    try:
        got = subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], capture_output=True, text=True, timeout=400)
    except subprocess.TimeoutExpired:
        skip(f"PyPI's {requirement} did not come within 400 s")
    if got.returncode != 0:
        skip(f"PyPI's {requirement} could not be installed: {got.stderr.strip()[-200:]}")
    return python


_ports_kept = contextlib.ExitStack()  # sockets that keep other tests off the ports given to this one
atexit.register(_ports_kept.close)


def free_port():
    """A port for a program that cannot choose one itself: outside the range from which the kernel gives ports to connections and to
    whoever asks for any, and not given to another test as long as this process lasts."""
    first_given_by_kernel = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = random.randrange(max(1024, first_given_by_kernel - 20000), max(2048, first_given_by_kernel))
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0plumbline-test-port-{port}")
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        _ports_kept.enter_context(mark)
        return port
    raise RuntimeError("no port is free")


@contextlib.contextmanager
def deaf_port():
    """A port on which nobody listens, and nobody can as long as the context lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def until(condition, seconds=60):
    """True as soon as the condition holds; False if it does not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end(process):
    """Asks a process to end and, when it has not in 20 s, ends it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server:
    """A refserver on a free port. Use as a context manager; `url` is where it listens, `truth()` what it knows."""

    def __init__(self, *flags, ttft="30ms", gap="5ms", port=0, models=("qwen2", "llama3")):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="refserver-"))
        self.truth_file = self.dir / "truth.jsonl"
        command = [BIN / "refserver", "serve", "--port", str(port), "--engine", "simulated", "--sim-ttft", ttft, "--sim-gap", gap,
                   "--truth-log", self.truth_file]
        for model in models:
            command += ["--model", model]
        self.log = open(self.dir / "stderr.log", "w+")
        self.process = subprocess.Popen([str(c) for c in command + list(flags)], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.kill()
            self.log.seek(0)
            raise RuntimeError(f"refserver did not start: {line!r} {self.log.read()}")
        self.url = line.removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        """Ends it as an operator would; returns the exit code."""
        end(self.process)
        self.process.stdout.close()
        self.log.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def metric(self, name):
        """One sample of its page."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as page:
            return next(float(line.split()[1]) for line in map(bytes.decode, page) if line.startswith(name + " "))

    def answered(self):
        """How many answers are over, by its own count."""
        return self.metric("tgi_request_success")

    def truth(self):
        """One dict per request; stops the server first, so that the log is whole. The first line is no request."""
        self.stop()
        with open(self.truth_file) as f:
            return [record for record in map(json.loads, f) if "recv_ns" in record]


class Run:
    """The outcome of a loadgen command."""

    def __init__(self, code, stdout, stderr, out):
        self.code, self.stdout, self.stderr, self.out = code, stdout, stderr, out

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    @property
    def summary(self):
        return json.loads((self.out / "summary.json").read_text())

    @property
    def requests(self):
        with open(self.out / "requests.jsonl") as f:
            return [json.loads(line) for line in f]


def loadgen(*args, env=None, timeout=300):
    done = subprocess.run([str(BIN / "loadgen"), *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    return Run(done.returncode, done.stdout, done.stderr, None)


def start_loadgen(*args):
    return subprocess.Popen([str(BIN / "loadgen"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextlib.contextmanager
def run_dir():
    path = pathlib.Path(tempfile.mkdtemp(prefix="loadgen-"))
    try:
        yield path / "run"
    finally:
        shutil.rmtree(path, ignore_errors=True)


def load(out, *args, env=None, timeout=300):
    """`loadgen run ... --out out`, quietly."""
    result = loadgen("run", *args, "--out", out, "--quiet", env=env, timeout=timeout)
    result.out = out
    return result


def nearest_rank(values, quantile):
    """The definition all percentiles here use: the smallest value with at least quantile * N values at or below it."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * round(quantile * 1000) // 1000))
    return ordered[rank - 1]


class Test(unittest.TestCase):
    maxDiff = None

    def assertCode(self, run, code):
        """The exit code, unless this machine was too busy to measure: then, and only then, 4 is right."""
        if run.out and (run.out / "summary.json").exists() and run.summary["validity"]["status"] == "INVALID":
            print("note: the run was INVALID:", "; ".join(run.summary["validity"]["reasons"]))
            code = 4
        self.assertEqual(run.code, code, repr(run))


def main():
    unittest.main(verbosity=2)
