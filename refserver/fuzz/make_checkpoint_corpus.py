#!/usr/bin/env python3
"""Writes what checkpoint_fuzz starts from: small whole models, a file for each way weights are stored.

usage: make_checkpoint_corpus.py FOLDER
A file is a byte that chooses how it is computed, config.json, a zero byte, the safetensors header, a zero byte, the data.
"""
import json
import pathlib
import random
import struct
import sys

HIDDEN, INNER, LAYERS, HEADS, KV, VOCABULARY = 32, 48, 1, 4, 2, 40


class Model:
    def __init__(self, seed):
        self.random, self.header, self.data = random.Random(seed), {}, b""

    def add(self, name, dtype, shape, data):
        begin = len(self.data)
        self.data += data
        self.header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, len(self.data)]}

    def halves(self, name, *shape, low=-1.0, high=1.0):
        count = 1
        for size in shape:
            count *= size
        self.add(name, "F16", shape, struct.pack(f"<{count}e", *(self.random.uniform(low, high) for _ in range(count))))

    def words(self, name, *shape):
        self.add(name, "I32", shape, self.random.randbytes(4 * shape[0] * shape[1]))

    def linear(self, name, inputs, outputs, quant):
        if quant is None:
            return self.halves(name + ".weight", outputs, inputs)
        per_word, groups = 32 // quant["bits"], -(-inputs // quant["group_size"])
        self.words(name + ".qweight", inputs // per_word, outputs)
        self.words(name + ".qzeros", groups, outputs // per_word)
        self.halves(name + ".scales", groups, outputs, low=0.01, high=0.05)
        order = [k // quant["group_size"] for k in range(inputs)]
        if quant["desc_act"]:
            self.random.shuffle(order)
        self.add(name + ".g_idx", "I32", [inputs], struct.pack(f"<{inputs}i", *order))


def make(seed, kind, quant, tied):
    config = {"model_type": kind, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "num_key_value_heads": KV, "vocab_size": VOCABULARY, "max_position_embeddings": 64,
              "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": tied, "torch_dtype": "float16"}
    if kind == "llama":
        config["rope_scaling"] = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                  "original_max_position_embeddings": 16}
    if quant:
        config["quantization_config"] = {"quant_method": "gptq", "sym": False, **quant}
    model, head = Model(seed), HIDDEN // HEADS
    model.halves("model.embed_tokens.weight", VOCABULARY, HIDDEN)
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        model.halves(layer + "input_layernorm.weight", HIDDEN)
        model.halves(layer + "post_attention_layernorm.weight", HIDDEN)
        for name, inputs, outputs in (("self_attn.q_proj", HIDDEN, HEADS * head), ("self_attn.k_proj", HIDDEN, KV * head),
                                      ("self_attn.v_proj", HIDDEN, KV * head), ("self_attn.o_proj", HEADS * head, HIDDEN),
                                      ("mlp.gate_proj", HIDDEN, INNER), ("mlp.up_proj", HIDDEN, INNER), ("mlp.down_proj", INNER, HIDDEN)):
            model.linear(layer + name, inputs, outputs, quant)
            if kind == "qwen2" and name[-6:] in ("q_proj", "k_proj", "v_proj"):
                model.halves(layer + name + ".bias", outputs)
    model.halves("model.norm.weight", HIDDEN)
    if not tied:
        model.halves("lm_head.weight", VOCABULARY, HIDDEN)
    return b"\0".join((json.dumps(config).encode(), json.dumps(model.header).encode(), model.data))


def main():
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 64
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    grouped = {"group_size": 16, "desc_act": False}
    models = [("qwen2", None, True), ("llama", None, False), ("qwen2", {"bits": 4, **grouped}, False), ("llama", {"bits": 8, **grouped}, True),
              ("llama", {"bits": 4, "group_size": 16, "desc_act": True}, False),
              ("qwen2", {"bits": 4, **grouped, "checkpoint_format": "gptq_v2"}, True)]
    for seed, (kind, quant, tied) in enumerate(models):
        for way in range(4):
            (folder / f"{seed}-{way}").write_bytes(bytes([way]) + make(seed, kind, quant, tied))
    return 0


if __name__ == "__main__":
    sys.exit(main())
