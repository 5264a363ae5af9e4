#!/usr/bin/env python3
"""Builds the small tokenizers under tokenizer/tests/data/ with Hugging Face's own `tokenizers`.

Each folder looks like a checkpoint's and has its family's exact configuration; only the vocabulary is small, trained on the texts
and word lists in data/corpus/. The committed files are what the C++ library is tested with and what refserver's simulated models
speak, so a change here changes token counts: regenerate, then make_goldens.py.

usage: make_tokenizers.py [FAMILY...]     with `pip install tokenizers==0.23.3`; same input, same bytes
"""
import collections
import json
import pathlib
import sys

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

DATA = pathlib.Path(__file__).resolve().parent / "data"
TEMPLATES = DATA.parents[2] / "refserver" / "chat" / "templates"

CHAT_TEMPLATE = {"llama3": "llama3.1", "qwen2": "qwen2", "qwen2.5": "qwen2.5"}  # refserver's own copies, as checkpoints carry them

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERN_LLAMA3 = CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + REST
PATTERN_QWEN2 = CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + REST

# Vocabulary entries that no merge reaches: pieces only `ignore_merges` makes one token of.
UNREACHABLE = [" perpendicular", "Plumbline", " plumbline", "\u94c5\u5782\u7ebf", "zzz"]


# --- training text ---------------------------------------------------------------------------------------------------

def weighted(words, top):
    """Words in order of frequency, the n-th as often as Zipf's law says, as they stand in sentences."""
    for rank, word in enumerate(words):
        yield word, max(2, top // (rank + 12))


def training_counts():
    """Text -> how often it occurs. The trainer sees each text that often, cut by the family's own pattern."""
    counts = collections.Counter()
    for word, n in weighted((DATA / "corpus" / "words.en.txt").read_text().split(), 6000):
        counts[" " + word] += n
        counts[word.capitalize()] += max(1, n // 6)
        counts[" " + word.capitalize()] += max(1, n // 8)
        counts[word] += max(1, n // 12)
    for word, n in weighted((DATA / "corpus" / "words.zh.txt").read_text().split(), 6000):
        counts[word] += n
        counts["\uff0c" + word] += max(1, n // 12)
    for line in (DATA / "corpus" / "words.other.txt").read_text().splitlines():
        for word, n in weighted(line.split(), 150):
            counts[" " + word] += n
            counts[word] += n // 2
    for name, times in (("text.txt", 12), ("prompts.txt", 4)):
        for line in (DATA / "corpus" / name).read_text().splitlines(keepends=True):
            counts[line] += times
    for n in range(2, 33):  # Runs that real vocabularies have as single tokens.
        for run in (" ", "\n", "\t", "-", "=", "*", "#", ".", "!"):
            counts[run * n] += max(3, 60 // n)
    return counts


def train(pre_tokenizer, size):
    """The vocabulary and merges of a plain BPE of `size` entries over the byte alphabet."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    texts = [text for text, n in sorted(training_counts().items()) for _ in range(n)]
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


def split_pre_tokenizer(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)])


def alphabet():
    """Byte -> its character, as GPT-2 wrote bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(other)}


ALPHABET = alphabet()


def in_alphabet(text):
    return "".join(ALPHABET[b] for b in text.encode())


def every_split(vocab):
    """Merges as the converter of rank files writes them: each way to split each entry into two entries, by rank of the result."""
    merges = []
    for token, _ in sorted(vocab.items(), key=lambda item: item[1]):
        splits = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab]
        merges += sorted(splits, key=lambda s: (vocab[s[0]], vocab[s[1]]))
    return merges


# --- files -----------------------------------------------------------------------------------------------------------

def added(token_id, content, **options):
    token = {"id": token_id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    return token | options


def added_list(vocab, contents):
    """Added tokens in order; one whose content is a vocabulary entry has that entry's id, the others follow the vocabulary."""
    tokens, next_id = [], len(vocab)
    for content in contents:
        content, options = (content, {}) if isinstance(content, str) else content
        tokens.append(added(vocab.get(content, next_id), content, **options))
        next_id += content not in vocab
    return sorted(tokens, key=lambda t: t["id"])


def byte_level(trim_offsets, use_regex, add_prefix_space=False):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets, "use_regex": use_regex}


def split_json(pattern):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, byte_level(False, False)]}


def bpe_json(vocab, merges, **members):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **members}
    return model | {"vocab": vocab, "merges": merges}


def tokenizer_json(added_tokens, normalizer, pre_tokenizer, post_processor, model):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens, "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": byte_level(True, True), "model": model}


def bos_template(content, token_id):
    special = {"SpecialToken": {"id": content, "type_id": 0}}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {"type": "TemplateProcessing", "single": [special, first],
            "pair": [special, first, {"SpecialToken": {"id": content, "type_id": 1}}, second],
            "special_tokens": {content: {"id": content, "ids": [token_id], "tokens": [content]}}}


def dumped(value):
    """JSON with a line per vocabulary entry, so that files compress and compare well but stay small."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    marked = value["model"] if isinstance(value, dict) and "model" in value else None
    if marked is None:
        return text + "\n"
    head = json.dumps({**value, "model": {k: v for k, v in marked.items() if k not in ("vocab", "merges")}}, ensure_ascii=False, indent=1)
    vocab = ",\n".join(json.dumps(k, ensure_ascii=False) + ":" + str(v) for k, v in marked["vocab"].items())
    merges = ",\n".join(json.dumps(m, ensure_ascii=False, separators=(",", ":")) for m in marked["merges"])
    assert head.endswith("\n }\n}")
    return head[:-len("\n }\n}")] + ',\n  "vocab": {\n' + vocab + '},\n  "merges": [\n' + merges + "]\n }\n}\n"


def write(family, tokenizer, config, special_map):
    folder = DATA / family
    folder.mkdir(parents=True, exist_ok=True)
    template = TEMPLATES / f"{CHAT_TEMPLATE.get(family)}.jinja"
    if template.exists():
        config = {**config, "chat_template": template.read_text()}
    (folder / "tokenizer.json").write_text(dumped(tokenizer))
    (folder / "tokenizer_config.json").write_text(dumped(config))
    (folder / "special_tokens_map.json").write_text(dumped(special_map))
    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    size = (folder / "tokenizer.json").stat().st_size
    print(f"{family}: {loaded.get_vocab_size(with_added_tokens=False)} entries, {len(tokenizer['model']['merges'])} merges, "
          f"{len(tokenizer['added_tokens'])} added, {size / 1000:.0f} kB")


def config_of(tokens, **members):
    decoder = {str(t["id"]): {k: t[k] for k in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")} for t in tokens}
    return {"added_tokens_decoder": decoder, **members}


# --- the families ----------------------------------------------------------------------------------------------------

def llama3():
    """Llama 3.1: every digit group of three, whole pieces before merges, a BOS put in front."""
    vocab, _ = train(split_pre_tokenizer(PATTERN_LLAMA3), 5500)
    merges = every_split(vocab)
    for text in UNREACHABLE:
        vocab.setdefault(in_alphabet(text), len(vocab))
    n = len(vocab)
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
             "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
             "<|eot_id|>", "<|python_tag|>", *(f"<|reserved_special_token_{i}|>" for i in range(3, 24))]
    tokens = added_list(vocab, names)
    post = {"type": "Sequence", "processors": [byte_level(False, True, True), bos_template("<|begin_of_text|>", n)]}
    model = bpe_json(vocab, [" ".join(m) for m in merges], ignore_merges=True)
    config = config_of(tokens, bos_token="<|begin_of_text|>", clean_up_tokenization_spaces=True, eos_token="<|eot_id|>",
                       model_input_names=["input_ids", "attention_mask"], model_max_length=131072,
                       tokenizer_class="PreTrainedTokenizerFast")
    write("llama3", tokenizer_json(tokens, None, split_json(PATTERN_LLAMA3), post, model), config,
          {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"})


def qwen_family(family, size, contents, pad, spell):
    vocab, merges = train(split_pre_tokenizer(PATTERN_QWEN2), size)
    tokens = added_list(vocab, contents)
    model = bpe_json(vocab, [spell(m) for m in merges], continuing_subword_prefix="", end_of_word_suffix="")
    del model["ignore_merges"]  # The real file is older than the member.
    tokenizer = tokenizer_json(tokens, {"type": "NFC"}, split_json(PATTERN_QWEN2), byte_level(False, False), model)
    tokenizer["decoder"] = byte_level(False, False)
    special = [t["content"] for t in tokens if t["special"]]
    config = {"add_prefix_space": False} | config_of(
        tokens, additional_special_tokens=special[1:], bos_token=None, clean_up_tokenization_spaces=False, eos_token="<|im_end|>",
        errors="replace", model_max_length=131072, pad_token=pad, split_special_tokens=False, tokenizer_class="Qwen2Tokenizer",
        unk_token=None, add_bos_token=False)
    write(family, tokenizer, config, {"additional_special_tokens": special[1:], "eos_token": "<|im_end|>", "pad_token": pad})


def qwen2():
    """Qwen2: NFC, every digit alone, merges as pairs."""
    qwen_family("qwen2", 6000, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|endoftext|>", list)


def qwen2_5():
    """Qwen2.5: Qwen2 with more added tokens, some of them not special."""
    plain = {"special": False}
    contents = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
                "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
                "<|image_pad|>", "<|video_pad|>",
                *((c, plain) for c in ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                       "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"))]
    qwen_family("qwen2.5", 2000, contents, "<|endoftext|>", " ".join)


def gpt2():
    """GPT-2: the byte-level step's own pattern, one special token."""
    vocab, merges = train(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), 3000)
    tokens = [added(len(vocab), "<|endoftext|>", normalized=True)]
    model = bpe_json(vocab, [" ".join(m) for m in merges], continuing_subword_prefix="", end_of_word_suffix="")
    for member in ("byte_fallback", "ignore_merges"):
        del model[member]
    tokenizer = tokenizer_json(tokens, None, byte_level(True, True), byte_level(True, True), model)
    for part in (tokenizer["pre_tokenizer"], tokenizer["post_processor"], tokenizer["decoder"]):
        del part["use_regex"]  # Absent means true.
    config = config_of(tokens, add_prefix_space=False, bos_token="<|endoftext|>", clean_up_tokenization_spaces=True,
                       eos_token="<|endoftext|>", model_max_length=1024, tokenizer_class="GPT2Tokenizer", unk_token="<|endoftext|>")
    write("gpt2", tokenizer, config, {k: "<|endoftext|>" for k in ("bos_token", "eos_token", "unk_token")})


def oddities():
    """Every option of an added token, alone and overlapping; a template with tokens on both sides after offsets are trimmed; a Sequence of one NFC."""
    vocab, merges = train(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), 700)
    for text in UNREACHABLE:
        vocab.setdefault(in_alphabet(text), len(vocab))
    contents = [
        "<s>", "</s>", ("<l>", {"lstrip": True}), ("<r>", {"rstrip": True}), ("<b>", {"lstrip": True, "rstrip": True}),
        ("word", {"single_word": True}), ("<w>", {"single_word": True}), ("wordy", {"single_word": True, "special": False}),
        ("<n>", {"normalized": True}), ("caf\u00e9", {"normalized": True, "special": False}),
        ("re\u0301sume\u0301", {"normalized": True, "special": False}), ("e\u0301", {"special": False}),
        ("<o", {}), ("<o>", {}), ("<o><o>", {}), ("o><s", {}), (" <sp>", {"special": False}), ("<sp>", {"lstrip": True}),
        ("\u4f60\u597d", {"special": False}), ("\n\n", {"special": False}), ("<nl>", {"rstrip": True, "normalized": True}),
        ("aaaa", {"special": False}), ("aa", {"special": False, "normalized": True}),
        ("the", {"single_word": True, "normalized": True, "lstrip": True, "rstrip": True, "special": False}),
        ("<|end|>", {"rstrip": True}), ("<|end|><|x|>", {}), ("\u00a0", {"special": False}), ("_", {"single_word": True}),
        ("\u2003", {"lstrip": True, "rstrip": True, "special": False})]
    tokens = added_list(vocab, contents)
    ids = {t["content"]: t["id"] for t in tokens}
    template = bos_template("<s>", ids["<s>"])
    template["single"].append({"SpecialToken": {"id": "</s>", "type_id": 0}})
    template["special_tokens"]["</s>"] = {"id": "</s>", "ids": [ids["</s>"]], "tokens": ["</s>"]}
    model = bpe_json(vocab, [" ".join(m) for m in merges], ignore_merges=True)
    pre = byte_level(False, True)
    del pre["use_regex"]
    post = {"type": "Sequence", "processors": [byte_level(True, True), template]}
    tokenizer = tokenizer_json(tokens, {"type": "Sequence", "normalizers": [{"type": "NFC"}]}, pre, post, model)
    config = config_of(tokens, bos_token={"content": "<s>"}, eos_token={"content": "</s>"}, add_bos_token=True, tokenizer_class="GPT2Tokenizer")
    write("oddities", tokenizer, config, {"bos_token": {"content": "<s>"}, "eos_token": {"content": "</s>"}})


FAMILIES = {"llama3": llama3, "qwen2": qwen2, "qwen2.5": qwen2_5, "gpt2": gpt2, "oddities": oddities}

if __name__ == "__main__":
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()
