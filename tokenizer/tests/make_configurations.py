#!/usr/bin/env python3
"""Random tokenizer.json documents: added tokens with any options, merges reordered, doubled and thinned out, and every kind of
pre-tokenizer, normalizer and post-processor that byte-level families use. What no checkpoint has yet, somebody's fine-tune will.

usage: make_configurations.py --seed N      prints one document
"""
import argparse
import json
import random
import unicodedata

from make_strings import CORPUS, DATA, MARKERS
from make_tokenizers import PATTERN_LLAMA3, PATTERN_QWEN2, added_list, byte_level, every_split, split_json


def maybe(rng, probability=0.5):
    return rng.random() < probability


def change_model(rng, model):
    """Other ids, merges in another order and spelling, `ignore_merges` on, off or absent."""
    merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    merges = rng.choice([merges, merges, every_split(model["vocab"]), [m for m in merges if maybe(rng, 0.7)]])
    if maybe(rng, 0.3):
        rng.shuffle(merges)
    if maybe(rng, 0.2):
        merges = merges + [rng.choice(merges) for _ in range(20)]
    model["merges"] = [list(m) for m in merges] if maybe(rng) else [" ".join(m) for m in merges]
    if maybe(rng, 0.3):
        ids = list(model["vocab"].values())
        rng.shuffle(ids)
        model["vocab"] = dict(zip(model["vocab"], ids))
    model.pop("ignore_merges", None)
    if maybe(rng, 0.7):
        model["ignore_merges"] = maybe(rng)


def same_normalised(a, b):
    return unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b)


def random_added_tokens(rng, vocab):
    contents = []
    for _ in range(rng.randint(0, 25)):
        content = rng.choice([rng.choice(MARKERS), rng.choice(MARKERS), rng.choice(CORPUS["en"]), rng.choice(sorted(vocab)),
                              "".join(rng.choice("abe <>|\u0301\u00e9\n_1\u3000") for _ in range(rng.randint(1, 4)))])
        options = {"lstrip": maybe(rng, 0.25), "rstrip": maybe(rng, 0.25), "single_word": maybe(rng, 0.25), "normalized": maybe(rng, 0.4),
                   "special": maybe(rng, 0.6)}
        if not any(same_normalised(content, other) for other, _ in contents):
            contents.append((content, options))
    return added_list(vocab, contents)


def random_pre_tokenizer(rng):
    step = byte_level(maybe(rng), maybe(rng), maybe(rng, 0.3))
    if maybe(rng, 0.3):
        del step["use_regex"]
    sequence = split_json(rng.choice([PATTERN_LLAMA3, PATTERN_QWEN2]))
    if maybe(rng):
        sequence["pretokenizers"][1] = step
    return rng.choice([step, step, {"type": "Sequence", "pretokenizers": [step]}, sequence, sequence])


def random_post_processor(rng, ids):
    step = byte_level(maybe(rng), True, maybe(rng))
    chosen = [content for content in sorted(ids) if maybe(rng)][:3]
    if not chosen:
        return rng.choice([None, step])
    single = [{"SpecialToken": {"id": content, "type_id": 0}} for content in chosen]
    single.insert(rng.randint(0, len(single)), {"Sequence": {"id": "A", "type_id": 0}})
    pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    special = {}
    for content in chosen:
        times = rng.choice([1, 1, 2])
        special[content] = {"id": content, "ids": [ids[content]] * times, "tokens": [content] * times}
    template = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
    return rng.choice([None, step, template, {"type": "Sequence", "processors": [step, template]}])


def configuration(seed):
    """One document, and strings' worth of what its added tokens make interesting."""
    rng = random.Random(seed)
    document = json.loads((DATA / rng.choice(["oddities", "gpt2"]) / "tokenizer.json").read_text())
    change_model(rng, document["model"])
    document["added_tokens"] = random_added_tokens(rng, document["model"]["vocab"])
    ids = {t["content"]: t["id"] for t in document["added_tokens"]}
    document["pre_tokenizer"] = random_pre_tokenizer(rng)
    document["normalizer"] = rng.choice([None, {"type": "NFC"}, {"type": "Sequence", "normalizers": [{"type": "NFC"}]}])
    document["post_processor"] = random_post_processor(rng, ids)
    glue = ["", "", " ", "  ", "a", "\n", "\u00e9", "e\u0301", "1", "_", " \t", "\u3000", "\u00a0\n"]
    texts = ["".join(rng.choice([*ids, "a"]) + rng.choice(glue) + rng.choice(["", rng.choice(MARKERS)]) for _ in range(rng.randint(1, 6)))
             for _ in range(300)]
    return document, texts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(configuration(parser.parse_args().seed)[0]))
