#!/usr/bin/env python3
"""Chat templates against transformers (PyPI): the committed goldens are what it renders; so are templates made at random, and
the templates of many models that two training packages carry.

usage: chat_template_test.py VENV_DIR [SEED [COUNT]]
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness

MODELS = harness.SOURCE / "tokenizer" / "tests" / "data"
CHAT_TESTS = harness.SOURCE / "refserver" / "chat" / "tests"

# Runs inside the virtual environment: renders random templates, one case a line. A template whose text tells where a Python
# object lies in memory, or that formats with %, which is not supported, is passed over.
RENDER = r"""
import json, sys
sys.path[:0] = sys.argv[1:3]
import make_goldens, template_generator
seed, count = sys.argv[3], int(sys.argv[4])
context = json.loads(open(sys.argv[1] + "/small_templates.jsonl", encoding="utf-8").readline())
print(json.dumps(context))
made = number = 0
while made < count:
    template = template_generator.Generator(f"{seed}-{number}").template()
    number += 1
    outcome = make_goldens.render(template, context["special_tokens"], context["messages"], None, False, context["variables"])
    shown = outcome.get("prompt", outcome.get("error"))
    if " at 0x" in shown or " % " in template:
        continue
    made += 1
    print(json.dumps({"template": template, **outcome}))
"""

# The same for every template in the wheels given, with every conversation of the goldens, with and without tools.
RENDER_PUBLISHED = r"""
import json, sys, zipfile
sys.path.insert(0, sys.argv[1])
import make_goldens
tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "image_token": "<image>"}
templates = {}
for wheel in sys.argv[2:]:
    with zipfile.ZipFile(wheel) as files:
        templates.update((files.read(name).decode(), name) for name in files.namelist() if name.endswith(".jinja"))
print(json.dumps({"special_tokens": tokens, "variables": {"enable_thinking": True}, "add_generation_prompt": True}))
for template, name in templates.items():
    for conversation, messages in make_goldens.CONVERSATIONS.items():
        for tools in (None, [make_goldens.WEATHER]):
            outcome = make_goldens.render(template, tokens, messages, tools, True, {"enable_thinking": True})
            print(json.dumps({"name": f"{name}, {conversation}", "template": template, "messages": messages, "tools": tools, **outcome}))
"""
WHEELS = ("trl==1.16.0", "axolotl==0.19.0")  # downloaded for their template files, not installed


def venv_python(folder):
    """Python of a virtual environment with what requirements.txt asks for; skips where PyPI cannot be reached."""
    python, stamp = pathlib.Path(folder) / "bin" / "python", pathlib.Path(folder) / "installed"
    wanted = (CHAT_TESTS / "requirements.txt").read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
    if made.returncode != 0:
        harness.skip(f"no virtual environment (Debian package python3-venv): {made.stderr.strip()[-200:]}")
    got = subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", CHAT_TESTS / "requirements.txt"], capture_output=True, text=True)
    if got.returncode != 0:
        harness.skip(f"PyPI's transformers could not be installed: {got.stderr.strip()[-200:]}")
    stamp.write_text(wanted)
    return python


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=200, **more)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def compare(cases):
    """Runs the cases through refserver_tests; returns how many there were and how many render."""
    count, prompts = cases.count("\n") - 1, cases.count('"prompt": ')
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write(cases)
        file.flush()
        told = run(harness.BIN / "refserver_tests", "--gtest_filter=ChatGolden.MoreCases",
                   env={**os.environ, "PLUMBLINE_TEMPLATE_CASES": file.name})
    assert f"{count} cases" in told, told
    return count, prompts


class Goldens(harness.Test):
    def test_they_are_what_transformers_renders(self):
        print(run(PYTHON, CHAT_TESTS / "make_goldens.py", "--check"))


class Program(harness.Test):
    """`tokenize --chat` prints the goldens' prompts, with a built-in template and with that of a checkpoint's folder."""

    def check(self, family, *flags):
        lines = (CHAT_TESTS / "golden" / f"{family}.jsonl").read_text(encoding="utf-8").splitlines()
        cases = [case for case in map(json.loads, lines) if "prompt" in case]
        asked = [{k: case[k] for k in ("messages", "tools", "add_generation_prompt")} | case["variables"] for case in cases]
        told = run(harness.BIN / "tokenize", "--chat", *flags, input="".join(json.dumps(a) + "\n" for a in asked))
        self.assertEqual([json.loads(line) for line in told.split("\n") if line], [case["prompt"] for case in cases])

    def test_built_in_templates(self):
        for family in ("qwen2", "qwen2.5", "llama3"):
            self.check(family, "--tokenizer", MODELS / family, "--template", family)

    def test_a_checkpoint_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(MODELS / "llama3" / "tokenizer.json", folder)
            shutil.copy(CHAT_TESTS.parent / "templates" / "llama3.1.jinja", pathlib.Path(folder) / "chat_template.jinja")
            (pathlib.Path(folder) / "tokenizer_config.json").write_text('{"bos_token": {"content": "<|begin_of_text|>"}}')
            self.check("llama3", "--tokenizer", folder)


class RandomTemplates(harness.Test):
    def test_both_render_the_same_or_both_fail(self):
        cases = run(PYTHON, "-c", RENDER, CHAT_TESTS, harness.SOURCE / "tests", SEED, COUNT)
        count, prompts = compare(cases)
        self.assertEqual(count, COUNT)
        self.assertGreater(prompts, COUNT // 4, "too few templates that render")
        print(f"{count} templates of seed {SEED}: {prompts} rendered alike, {count - prompts} failed on both sides")


class PublishedTemplates(harness.Test):
    def test_they_render_as_in_transformers(self):
        with tempfile.TemporaryDirectory() as folder:
            got = subprocess.run([PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *WHEELS],
                                 capture_output=True, text=True)
            if got.returncode != 0:
                self.skipTest(f"not downloaded from PyPI: {got.stderr.strip()[-200:]}")
            count, prompts = compare(run(PYTHON, "-c", RENDER_PUBLISHED, CHAT_TESTS, *sorted(pathlib.Path(folder).glob("*.whl"))))
        self.assertGreater(prompts, 3000, "too few templates that render")
        print(f"{count} conversations with published templates: {prompts} rendered alike, {count - prompts} failed on both sides")


if __name__ == "__main__":
    for program in ("refserver_tests", "tokenize"):
        if not (harness.BIN / program).exists():
            harness.skip(f"{program} is not built")
    PYTHON = venv_python(sys.argv[1])
    SEED = sys.argv[2] if len(sys.argv) > 2 else "1"
    COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    del sys.argv[1:]
    harness.main()
