#!/usr/bin/env python3
"""Builds the CPU images with buildah and runs them as their unprivileged user on a read-only root, by what they say of
themselves: entry point, variables, health check, stop signal.

PLUMBLINE_IMAGES=build does all of it (many minutes: the programs are compiled inside), PLUMBLINE_IMAGES=built takes the
programs of this build instead of the build stage; unset: skips. Root, buildah, mmdebstrap and the distribution's packages
are needed. What is kept between runs (the base system, compiler output) is in build/images.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import harness

DOCKERFILE = harness.SOURCE / "deploy/docker/plumbline.Dockerfile"
KEPT = harness.SOURCE / "build/images"
BASE = "localhost/plumbline-base:bookworm"


class Builder:
    """buildah with a store of its own, which goes when the test does."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plumbline-images-"))
        self.env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        # The storage driver is what the machine can do: overlay, or vfs, which copies and takes minutes (STORAGE_DRIVER).
        self.store = ["buildah", "--root", self.folder / "store", "--runroot", self.folder / "run"]

    def run(self, *args):
        done = subprocess.run([str(c) for c in [*self.store, *args]], capture_output=True, text=True, env=self.env)
        if done.returncode != 0:
            raise RuntimeError(f"buildah {args[0]}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        return done.stdout.strip()

    def make_base(self):
        """A bare Debian 12, as the image that the Dockerfile names would be."""
        tar = KEPT / "bookworm.tar"
        if not tar.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            made = subprocess.run(["mmdebstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", f"{tar}.new"],
                                  capture_output=True, text=True)
            if made.returncode != 0:
                harness.skip(f"no base system: {made.stderr[-300:]}")
            pathlib.Path(f"{tar}.new").rename(tar)
        container = self.run("from", "scratch")
        self.run("add", "-q", container, tar, "/")
        self.run("commit", "-q", container, BASE)
        self.run("rm", container)

    def build(self, target, context, dockerfile):
        cache = KEPT / "ccache"
        cache.mkdir(parents=True, exist_ok=True)
        self.run("bud", "--layers", "--format", "docker", "--network", "host", "--ignorefile", f"{DOCKERFILE}.dockerignore",
                 "-f", dockerfile, "--build-arg", f"BASE={BASE}", "--volume", f"{cache}:/root/.cache/ccache", "--target", target,
                 "-t", f"plumbline-{target}:test", context)
        config = json.loads(self.run("inspect", "--type", "image", f"plumbline-{target}:test"))["Docker"]["config"]
        return Image(pathlib.Path(self.run("mount", self.run("from", f"plumbline-{target}:test"))), config)

    def remove(self):
        mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed([m for m in mounts if m.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", mount], check=True)
        shutil.rmtree(self.folder)


class Image:
    """A root file system and what its image says. Runs commands in it as a container engine would that was told
    --read-only --cap-drop ALL --security-opt no-new-privileges, with the host's network."""

    def __init__(self, root, config):
        self.root, self.config = root, config

    def command(self, args, mounts=(), variables=()):
        lines = ["set -e", f"mount --bind {self.root} {self.root}", f"mount -o remount,bind,ro {self.root}"]
        lines += [f"mount --rbind {name} {self.root}{name}" for name in ("/proc", "/dev")]
        for source, target in mounts:
            lines.append(f"mount --bind {source} {self.root}{target}")
        env = ["env", "-i", "-C", self.config["WorkingDir"], *self.config["Env"], *variables]
        user, group = self.config["User"].split(":")
        lines.append(f"exec chroot {self.root} setpriv --reuid {user} --regid {group} --clear-groups --no-new-privs --inh-caps=-all "
                     '--bounding-set=-all "$@"')
        return ["unshare", "--mount", "--propagation", "private", "bash", "-c", "\n".join(lines), "bash", *env, *map(str, args)]

    def run(self, args, **how):
        return subprocess.run(self.command(args, **how), capture_output=True, text=True, timeout=300)


def make_context(folder):
    """The tree as git has it, with what is not committed."""
    names = subprocess.run(["git", "-c", f"safe.directory={harness.SOURCE}", "ls-files", "-z"], cwd=harness.SOURCE,
                           capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\0")):
        source = harness.SOURCE / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def with_built_programs(context):
    """The Dockerfile with the programs of this build instead of its build stage."""
    text = DOCKERFILE.read_text()
    stage = re.search(r"^FROM \S+ AS build\n(?:.+\n)+", text, re.M)
    changed = text.replace(stage.group(0), "FROM scratch AS build\nCOPY built /src/build/release/bin\n")
    (context / "built").mkdir()
    for program in ("refserver", "loadgen"):
        shutil.copy2(harness.BIN / program, context / "built" / program)
        subprocess.run(["strip", context / "built" / program], check=True)
    path = context / "built.Dockerfile"
    path.write_text(changed)
    return path


class Images(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.builder = Builder()
        cls.addClassCleanup(cls.builder.remove)
        context = cls.builder.folder / "context"
        context.mkdir()
        make_context(context)
        dockerfile = with_built_programs(context) if os.environ["PLUMBLINE_IMAGES"] == "built" else DOCKERFILE
        cls.builder.make_base()
        begin = time.monotonic()
        cls.server = cls.builder.build("refserver", context, dockerfile)
        cls.loadgen = cls.builder.build("loadgen", context, dockerfile)
        print(f"both images built in {time.monotonic() - begin:.0f} s", cls.builder.run("images"), sep="\n", file=sys.stderr)
        cls.models = cls.builder.folder / "models"
        cls.models.mkdir()
        os.chown(cls.models, 65532, 65532)
        cls.builder.folder.chmod(0o755)
        made = cls.server.run(["refserver", "synth", "--arch", "qwen2", "--size", "tiny", "--out", "/data/qwen2"],
                              mounts=[(cls.models, "/data")])
        assert made.returncode == 0, made.stderr

    def test_both_say_that_they_need_no_rights(self):
        for image in (self.server, self.loadgen):
            self.assertEqual(image.config["User"], "65532:65532")
        self.assertEqual(self.server.config["Entrypoint"], ["refserver", "serve", "--host", "0.0.0.0"])
        self.assertIn("PORT=80", self.server.config["Env"])
        self.assertEqual(self.server.config["WorkingDir"], "/data")
        self.assertEqual(list(self.server.config["ExposedPorts"]), ["80/tcp"])
        self.assertEqual(self.loadgen.config["Entrypoint"], ["loadgen"])

    def test_nothing_can_be_written(self):
        for place in ("/", "/data/", "/tmp/", "/plumbline/runs/"):
            done = self.server.run(["touch", f"{place}x"])
            self.assertNotEqual(done.returncode, 0, place)
            self.assertIn("Read-only file system", done.stderr)

    def test_server_computes_a_checkpoint_and_loadgen_passes_a_gate(self):
        port = str(harness.free_port())
        data = [(self.models, "/data")]
        flags = ["--engine", "cpu", "--model-id", "/data/qwen2", "--quantize", "gptq", "--max-input-tokens", "512",
                 "--max-total-tokens", "1024"]  # TGI's own but for the engine
        command = self.server.command(self.server.config["Entrypoint"] + flags, mounts=data, variables=[f"PORT={port}"])
        log = open(self.builder.folder / "server.log", "w+")
        self.addCleanup(log.close)
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline().strip(), f"listening on http://0.0.0.0:{port}", pathlib.Path(log.name).read_text())

        status = dict(line.split(":\t") for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual((status["NoNewPrivs"], int(status["CapBnd"], 16), int(status["CapEff"], 16)), ("1", 0, 0))

        check = self.server.config["Healthcheck"]["Test"]
        self.assertEqual(check[0], "CMD")
        health = self.server.run(check[1:], variables=[f"PORT={port}"])
        self.assertEqual(health.returncode, 0, health.stderr)
        info = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/info", timeout=20))
        self.assertEqual(info["max_total_tokens"], 1024)

        runs = self.builder.folder / "runs"
        runs.mkdir()
        os.chown(runs, 65532, 65532)
        run = self.loadgen.run(["loadgen", "run", "--target", f"http://127.0.0.1:{port}", "--route", "tgi-stream", "--model", "qwen2",
                                "--concurrency", "2", "--requests", "400", "--warmup", "0s", "--max-new-tokens", "4",
                                "--gate", "error_rate < 5%", "--out", "runs/first", "--quiet"], mounts=[(runs, "/plumbline/runs")])
        self.assertCode(harness.Run(run.returncode, run.stdout, run.stderr, runs / "first"), 0)
        self.assertEqual((runs / "first/summary.json").stat().st_uid, 65532)

        server.send_signal(getattr(signal, self.server.config["StopSignal"]))
        self.assertEqual(server.wait(timeout=60), 0)
        self.assertEqual(self.server.run(check[1:], variables=[f"PORT={port}"]).returncode, 69)


if __name__ == "__main__":
    if os.environ.get("PLUMBLINE_IMAGES") not in ("build", "built"):
        harness.skip("takes minutes and root; ./dev images runs it")
    if os.geteuid() != 0:
        harness.skip("needs root, to mount and to become another user")
    for program in ("buildah", "mmdebstrap"):
        harness.need(program, program)
    harness.main()
