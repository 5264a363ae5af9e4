#!/usr/bin/env python3
"""Writes tests/golden/transformer/*.json: what transformers and torch compute for made-up checkpoints.

Run by hand when cases are added; the tests read what is committed. Needs torch (CPU; Debian's python3-torch does), transformers 4.45 or
later, safetensors and numpy, and a built refserver, which makes the checkpoints: the same flags give the same bytes everywhere.
Quantised weights are dequantised here from the definition of the format, sharing nothing with the server's readers.

usage: make_transformer_goldens.py path/to/refserver [case...]
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors import safe_open

HERE = pathlib.Path(__file__).resolve().parent / "transformer"
CASES = {
    "llama": dict(arch="llama", quant="none", dtype="float32", seed=11),
    "qwen2": dict(arch="qwen2", quant="none", dtype="float32", seed=12),
    "qwen2_tied": dict(arch="qwen2", quant="none", dtype="float32", seed=13, tie=True),
    "llama_gptq_desc_act": dict(arch="llama", quant="gptq-int4", desc_act=True, group_size=32, asym=True, seed=14),
    "qwen2_gptq": dict(arch="qwen2", quant="gptq-int4", desc_act=False, group_size=64, seed=15),
    "llama_gptq_8bit": dict(arch="llama", quant="gptq-int4", bits=8, desc_act=True, group_size=32, seed=16),
    "qwen2_gptq_head": dict(arch="qwen2", quant="gptq-int4", desc_act=False, group_size=32, asym=True, head=True, seed=17),
}
COLUMNS = 6  # logits kept of every position
NEW_TOKENS = 64


def synth(refserver, case, folder):
    flags = ["--arch", case["arch"], "--size", "tiny", "--quant", case["quant"], "--seed", str(case["seed"]), "--out", str(folder)]
    flags += ["--dtype", case.get("dtype", "float16"), "--bits", str(case.get("bits", 4)), "--group-size", str(case.get("group_size", 128))]
    if "desc_act" in case:
        flags.append("--desc-act" if case["desc_act"] else "--no-desc-act")
    flags += ["--asym"] if case.get("asym") else []
    flags += ["--tie-embeddings"] if case.get("tie") else []
    flags += ["--quantize-lm-head"] if case.get("head") else []
    subprocess.run([refserver, "synth", *flags], check=True, stdout=subprocess.DEVNULL)


def dequantise(tensors, layer, bits):
    """[out][in]. v1: stored zero points are one less."""
    per_word, mask = 32 // bits, (1 << bits) - 1
    shifts = numpy.arange(per_word, dtype=numpy.uint32) * bits
    words, zero_words = tensors[layer + ".qweight"].view(numpy.uint32), tensors[layer + ".qzeros"].view(numpy.uint32)
    codes = ((words[:, None, :] >> shifts[None, :, None]) & mask).reshape(-1, words.shape[1]).astype(numpy.int64)
    zeros = ((((zero_words[:, :, None] >> shifts) & mask).reshape(zero_words.shape[0], -1) + 1) & mask).astype(numpy.int64)
    group = tensors[layer + ".g_idx"].astype(numpy.int64)
    scales = tensors[layer + ".scales"].astype(numpy.float32)
    return (scales[group] * (codes - zeros[group]).astype(numpy.float32)).T.copy()


def load(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as f:
            tensors.update({name: f.get_tensor(name) for name in f.keys()})
    raw = json.loads((folder / "config.json").read_text())
    quant = raw.pop("quantization_config", None)
    state = {}
    for name, tensor in tensors.items():
        if name.endswith(".qweight"):
            state[name.replace(".qweight", ".weight")] = dequantise(tensors, name.removesuffix(".qweight"), quant["bits"])
        elif not name.endswith((".qzeros", ".scales", ".g_idx")):
            state[name] = tensor.astype(numpy.float32)
    config = transformers.AutoConfig.for_model(**raw)
    config._attn_implementation = "eager"
    config.torch_dtype = "float32"
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    wanted = set(model.state_dict())
    extra = set(state) - wanted
    assert all(name.endswith(".bias") and not state[name].any() for name in extra), extra  # GPTQ files have zero biases everywhere
    assert wanted - set(state) <= {"lm_head.weight"} and ("lm_head.weight" in state) != bool(raw.get("tie_word_embeddings"))
    model.load_state_dict({name: torch.from_numpy(state[name]) for name in wanted & set(state)}, strict=False)
    return model


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


def greedy(model, ids):
    ids, tokens, least_gap = list(ids), [], float("inf")
    for _ in range(NEW_TOKENS):
        last = logits_of(model, ids)[-1]
        best = int(last.argmax())
        least_gap = min(least_gap, float(last[best] - numpy.partition(last, -2)[-2]))
        tokens.append(best)
        ids.append(best)
    return tokens, least_gap


def rounded(values):
    return [float(f"{v:.6g}") for v in values.tolist()]


def golden(refserver, case):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "model"
        synth(refserver, case, folder)
        model = load(folder)
    vocabulary = model.config.vocab_size
    random = numpy.random.default_rng(case["seed"])
    prompts = []
    for length in (3, 17, 120):  # one shorter and one longer than a block of 16; over the tiny llama's 64 unscaled positions
        ids = random.integers(0, vocabulary, length).tolist()
        columns = sorted(random.choice(vocabulary, COLUMNS, replace=False).tolist())
        logits = logits_of(model, ids)
        prompts.append({"ids": ids, "columns": columns, "logits": [rounded(row[columns]) for row in logits],
                        "best": logits.argmax(axis=1).tolist()})
    if case["quant"] == "none" and not case.get("tie"):
        prompts[-1]["last"] = rounded(logits[-1])  # all of one row: of some models, for the files' size
    tokens, gap = greedy(model, prompts[1]["ids"])
    assert gap > 1e-4, f"a choice was closer than rounding allows ({gap}): take another seed"
    return {"synth": case, "vocabulary": vocabulary, "prompts": prompts, "greedy": {"prompt": prompts[1]["ids"], "tokens": tokens}}


def main():
    refserver, names = sys.argv[1], sys.argv[2:] or list(CASES)
    HERE.mkdir(exist_ok=True)
    for name in names:
        path = HERE / f"{name}.json"
        path.write_text(json.dumps(golden(refserver, CASES[name]), separators=(",", ":")) + "\n")
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
