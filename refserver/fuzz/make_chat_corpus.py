#!/usr/bin/env python3
"""Writes seeds for chat_template_fuzz: the built-in templates with golden conversations, and the small templates.

usage: make_chat_corpus.py FOLDER
"""
import json
import pathlib
import sys

CHAT = pathlib.Path(__file__).resolve().parent.parent / "chat"
FILES = {"qwen2": "qwen2.jinja", "qwen2.5": "qwen2.5.jinja", "llama3": "llama3.1.jinja"}


def seeds():
    for family, file in FILES.items():
        template = (CHAT / "templates" / file).read_text(encoding="utf-8")
        for line in (CHAT / "tests" / "golden" / f"{family}.jsonl").read_text(encoding="utf-8").splitlines()[::7]:
            yield template + "\0" + json.dumps(json.loads(line)["messages"], ensure_ascii=False)
    for line in (CHAT / "tests" / "small_templates.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
        yield json.loads(line)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:03}").write_text(seed, encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
