#!/usr/bin/env python3
"""Our tokenizer beside Hugging Face's own `tokenizers` (PyPI): the same ids and the same text, or every difference printed.

Each family's small tokenizer meets 10,000 generated strings, every code point alone and between others, megabytes of one thing, and
random id sequences; random tokenizers meet texts made for their options. PLUMBLINE_REAL_TOKENIZERS=FOLDER (tokenizer/tests/make_real_tokenizers.py writes one) adds the vocabularies of
Llama 3.1, Qwen2 and GPT-2. PLUMBLINE_STRING_SEED=N draws other strings.

usage: tokenizer_test.py VENV_DIR
"""
import contextlib
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import harness

sys.path.insert(0, str(harness.SOURCE / "tokenizer" / "tests"))
from make_strings import DATA, big_strings, strings, sweep_alone, sweep_context  # noqa: E402

SEED = int(os.environ.get("PLUMBLINE_STRING_SEED", "1"))
REAL = os.environ.get("PLUMBLINE_REAL_TOKENIZERS")
SHOWN = 50
CONFIGURATIONS = 60
FAMILIES = ["llama3", "qwen2", "qwen2.5", "gpt2", "oddities"]


def folders():
    """Name -> folder of every tokenizer at hand."""
    found = {name: DATA / name for name in FAMILIES}
    if REAL:
        found |= {f"{name} (real size)": pathlib.Path(REAL) / name for name in ("llama3", "qwen2", "gpt2")}
    return found


def ours(folder, items, *flags):
    """What `tokenize` prints for each item."""
    done = subprocess.run([str(harness.BIN / "tokenize"), "--tokenizer", str(folder), *flags], capture_output=True, timeout=300,
                          input="".join(json.dumps(item) + "\n" for item in items).encode())
    if done.returncode != 0:
        raise AssertionError(f"tokenize {flags} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def shortened(value, limit=600):
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit // 2]} ... {text[-limit // 2:]} ({len(text)} characters)"


def near(a, b):
    """The part of two long answers where they part."""
    at = next((i for i, (x, y) in enumerate(itertools.zip_longest(a, b)) if x != y), 0)
    return f"first difference at {at}: {shortened(a[max(0, at - 5):at + 20])} instead of {shortened(b[max(0, at - 5):at + 20])}"


def differences(items, got, expected):
    """One line for each item that differs."""
    if len(got) != len(items):
        return [f"{len(items)} lines in, {len(got)} lines out"]
    return [f"{shortened(item)}\n      ours   {shortened(a)}\n      theirs {shortened(b)}\n      {near(a, b)}"
            for item, a, b in zip(items, got, expected) if a != b]


class TokenizerTest(harness.Test):
    def reference(self, folder):
        from tokenizers import Tokenizer
        return Tokenizer.from_file(str(folder / "tokenizer.json"))

    def same(self, name, items, got, expected):
        found = differences(items, got, expected)
        for line in found[:SHOWN]:
            print(f"  {name}: {line}")
        self.assertFalse(found, f"{name}: {len(found)} of {len(items)} differ" + (", the first printed above" if len(found) > SHOWN else ""))

    def encodes_like(self, name, folder, texts, special=True):
        expected = [e.ids for e in self.reference(folder).encode_batch(texts, add_special_tokens=special)]
        self.same(name, texts, ours(folder, texts, *([] if special else ["--no-special"])), expected)
        return expected

    def test_generated_strings(self):
        texts = strings(SEED)
        for name, folder in folders().items():
            with self.subTest(name):
                ids = self.encodes_like(name, folder, texts)
                self.encodes_like(f"{name} without special tokens", folder, texts, special=False)
                self.same(f"{name} count", texts, [[n] for n in ours(folder, texts, "--count")], [[len(i)] for i in ids])
                print(f"{name}: {len(texts)} strings of seed {SEED}, {sum(map(len, ids))} ids, as theirs")

    def test_every_code_point(self):
        texts = sweep_alone() + sweep_context()
        for name in ("llama3", "qwen2", "gpt2", "oddities"):
            with self.subTest(name):
                ids = self.encodes_like(name, DATA / name, texts)
                print(f"{name}: {len(texts)} strings over all code points, {sum(map(len, ids))} ids, as theirs")

    def test_megabytes_of_one_thing(self):
        texts = big_strings()
        for name in ("llama3", "qwen2"):
            with self.subTest(name):
                self.encodes_like(name, DATA / name, texts)

    def test_decoding(self):
        for name, folder in folders().items():
            with self.subTest(name):
                reference = self.reference(folder)
                sequences = random_ids(reference)
                for keep in (False, True):
                    expected = reference.decode_batch(sequences, skip_special_tokens=not keep)
                    got = ours(folder, sequences, "--decode", *(["--keep-special"] if keep else []))
                    self.same(f"{name} decoded{', special tokens kept' if keep else ''}", sequences, got, expected)
                print(f"{name}: {len(sequences)} id sequences decoded as theirs")

    def test_random_configurations(self):
        from make_configurations import configuration
        compared = 0
        for seed in range(SEED * 1000, SEED * 1000 + CONFIGURATIONS):
            document, texts = configuration(seed)
            with self.subTest(seed), tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder)
                (path / "tokenizer.json").write_text(json.dumps(document))
                reference = self.reference(path)
                expected = [ids_or_none(reference, text) for text in texts]
                answered = [(t, e) for t, e in zip(texts, expected) if e is not None]
                texts, expected = [t for t, _ in answered], [e for _, e in answered]
                self.same(f"configuration {seed}", texts, ours(path, texts), expected)
                self.same(f"configuration {seed} decoded", expected, ours(path, expected, "--decode"), reference.decode_batch(expected))
                compared += len(texts)
        print(f"{CONFIGURATIONS} random tokenizers: {compared} strings as theirs")

    def test_small_checkpoints_carry_the_servers_templates(self):
        from make_tokenizers import CHAT_TEMPLATE, TEMPLATES
        for family, name in CHAT_TEMPLATE.items():
            config = json.loads((DATA / family / "tokenizer_config.json").read_text())
            self.assertEqual(config["chat_template"], (TEMPLATES / f"{name}.jinja").read_text(), f"run make_tokenizers.py {family}")

    def test_published_ids(self):
        if not REAL:
            self.skipTest("PLUMBLINE_REAL_TOKENIZERS is not set: the real vocabularies are not shipped")
        known = [json.loads(line) for line in (DATA / "known_ids.jsonl").read_text().splitlines()]
        texts = [k["text"] for k in known]
        for name in ("llama3", "qwen2", "gpt2"):
            with self.subTest(name):
                self.same(name, texts, ours(pathlib.Path(REAL) / name, texts, "--no-special"), [k[name] for k in known])


@contextlib.contextmanager
def quiet_stderr():
    """The library's panics print a trace before they become exceptions."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def ids_or_none(reference, text):
    """Their ids; None where they panic, which tokens that share white space bring them to."""
    try:
        with quiet_stderr():
            return reference.encode(text).ids
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def random_ids(reference, count=10000):
    """Id sequences: any ids at all, and texts' own ids cut, mixed and interrupted, so that characters come apart."""
    rng = random.Random(SEED)
    size = reference.get_vocab_size()
    added = sorted(reference.get_added_tokens_decoder())
    encoded = [e.ids for e in reference.encode_batch([s for s in strings(SEED + 1, count // 2) if s])]
    sequences = [[rng.choice([rng.randrange(size), rng.randrange(256), rng.choice(added), rng.randrange(size + 20)])
                  for _ in range(rng.randint(0, 20))] for _ in range(count - len(encoded))]
    for ids in encoded:
        at = rng.randint(0, len(ids))
        sequences.append(ids[at:] + [rng.choice([rng.choice(added), rng.randrange(size)])] + ids[:at])
    return sequences


if __name__ == "__main__":
    try:
        import tokenizers  # noqa: F401
    except ImportError:
        python = harness.venv_python(sys.argv.pop(1), "tokenizers", "tokenizers==0.23.3")
        sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], env={**os.environ, "TOKENIZERS_PARALLELISM": "false"}).returncode)
    if not REAL:
        print("note: small vocabularies only; PLUMBLINE_REAL_TOKENIZERS names no folder of real ones")
    harness.main()
