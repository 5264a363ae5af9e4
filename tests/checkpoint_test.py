#!/usr/bin/env python3
"""Made-up model folders beside other people's readers (PyPI: safetensors, transformers, numpy), and the plan beside hand arithmetic.

What synth writes must open in them, `inspect` must agree with a dequantisation written here from the format alone, bit for bit, and
`plan` must count the bytes that are really in the files.

usage: checkpoint_test.py VENV_DIR
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness

TINY = ("--size", "tiny")
# Every way a folder can be made: what it is called, and its flags.
SHAPES = {
    "qwen2": ("--arch", "qwen2"),
    "llama": ("--arch", "llama"),
    "newer names, template in a file": ("--arch", "llama", "--config-style", "newer", "--chat-template", "file"),
    "newer qwen2": ("--arch", "qwen2", "--config-style", "newer"),
    "shards": ("--arch", "qwen2", "--max-shard-bytes", "1000000"),
    "desc_act": ("--arch", "qwen2", "--desc-act", "--group-size", "32"),
    "asymmetric v1": ("--arch", "llama", "--asym", "--group-size", "64"),
    "asymmetric v2": ("--arch", "llama", "--asym", "--checkpoint-format", "v2", "--group-size", "64"),
    "one group": ("--arch", "qwen2", "--group-size", "-1"),
    "8 bits": ("--arch", "llama", "--bits", "8", "--group-size", "64"),
    "8 bits asymmetric v2": ("--arch", "qwen2", "--bits", "8", "--asym", "--checkpoint-format", "v2", "--group-size", "32", "--desc-act"),
    "quantised head, padded vocabulary": ("--arch", "qwen2", "--quantize-lm-head", "--vocab-size", "6400"),
    "tied": ("--arch", "llama", "--tie-embeddings"),
    "bf16": ("--arch", "llama", "--dtype", "bfloat16"),
    "plain f16": ("--arch", "qwen2", "--quant", "none"),
    "plain bf16": ("--arch", "llama", "--quant", "none", "--dtype", "bfloat16"),
    "plain f32": ("--arch", "qwen2", "--quant", "none", "--dtype", "float32"),
}
LAYERS = ("model.layers.1.mlp.down_proj", "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj", "lm_head")

# Runs in the virtual environment: reads a folder with safetensors alone, dequantises by the definition of the format, and compares
# with what `inspect` wrote. Prints one JSON object of what it saw.
READER = r"""
import json, pathlib, struct, sys
import numpy as np
from safetensors import safe_open

folder, layers = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
config = json.loads((folder / "config.json").read_text())
quant = config.get("quantization_config")

def raw(path):  # BF16 has no numpy type: bits, from the bytes themselves
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]

def numbers(name):
    header, data = tensors[name]
    begin, end = header["data_offsets"]
    kind = {"F16": np.float16, "F32": np.float32, "I32": np.uint32, "BF16": np.uint16}[header["dtype"]]
    values = np.frombuffer(data[begin:end], kind).reshape(header["shape"])
    if header["dtype"] == "BF16": values = (values.astype(np.uint32) << 16).view(np.float32)
    return values

tensors, opened = {}, {}
for path in sorted(folder.glob("*.safetensors")):
    header, data = raw(path)
    with safe_open(path, framework="np") as f:
        assert set(f.keys()) == set(header) - {"__metadata__"}
        for name in f.keys():
            assert name not in tensors, name
            tensors[name] = (header[name], data)
            if header[name]["dtype"] != "BF16":
                assert (f.get_tensor(name).view(numbers(name).dtype) == numbers(name)).all(), name
index = folder / "model.safetensors.index.json"
if index.exists():
    index = json.loads(index.read_text())
    assert set(index["weight_map"]) == set(tensors)
    assert index["metadata"]["total_size"] == sum(h["data_offsets"][1] - h["data_offsets"][0] for h, _ in tensors.values())

def dequantise(name):
    bits = quant["bits"]
    f, mask = 32 // bits, (1 << bits) - 1
    shifts = np.arange(f, dtype=np.uint32) * bits
    words, zero_words = numbers(name + ".qweight"), numbers(name + ".qzeros")
    codes = ((words[:, None, :] >> shifts[None, :, None]) & mask).reshape(-1, words.shape[1])
    zeros = ((zero_words[:, :, None] >> shifts[None, None, :]) & mask).reshape(zero_words.shape[0], -1)
    if quant.get("checkpoint_format", "gptq") == "gptq": zeros = (zeros + 1) & mask
    groups = numbers(name + ".g_idx").astype(np.int64)
    scales = numbers(name + ".scales").astype(np.float32)
    return scales[groups] * (codes.astype(np.int32) - zeros.astype(np.int32)[groups]).astype(np.float32)

for name, file in layers.items():
    if name + ".qweight" in tensors: weights = dequantise(name)
    else:
        stored = name + ".weight" if name + ".weight" in tensors else "model.embed_tokens.weight"
        weights = numbers(stored).astype(np.float32).T
    ours = np.fromfile(file, np.float32).reshape(weights.shape)
    assert (ours.view(np.uint32) == np.ascontiguousarray(weights).view(np.uint32)).all(), name
    deviation = float(weights.std() * np.sqrt(weights.shape[0]))
    assert 0.9 < deviation < 1.1, (name, deviation)
print(json.dumps({"tensors": len(tensors), "bytes": sum(h["data_offsets"][1] - h["data_offsets"][0] for h, _ in tensors.values()),
                  "biases": sum(n.endswith(".bias") for n in tensors)}))
"""

CONFIG_READER = r"""
import json, logging, sys
from transformers import AutoConfig, AutoTokenizer, GenerationConfig
c = AutoConfig.from_pretrained(sys.argv[1])
g = GenerationConfig.from_pretrained(sys.argv[1])
t = AutoTokenizer.from_pretrained(sys.argv[1])
rope = getattr(c, "rope_parameters", None) or {"rope_theta": c.rope_theta, **(c.rope_scaling or {"rope_type": "default"})}
q = getattr(c, "quantization_config", None)
q = q if isinstance(q, dict) or q is None else q.to_dict()
print(json.dumps({"class": type(c).__name__, "hidden_size": c.hidden_size, "layers": c.num_hidden_layers, "heads": c.num_attention_heads,
    "kv_heads": c.num_key_value_heads, "head_dim": getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads,
    "vocab_size": c.vocab_size, "intermediate_size": c.intermediate_size, "max_positions": c.max_position_embeddings,
    "rms_norm_eps": c.rms_norm_eps, "tied_head": c.tie_word_embeddings, "rope": rope, "quant": q, "eos": g.eos_token_id,
    "window": getattr(c, "use_sliding_window", False),
    "chat": t.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True), "ids": t("plumb line")["input_ids"], "end": t.convert_tokens_to_ids(t.eos_token)}))
"""


def refserver(*args):
    return subprocess.run([str(harness.BIN / "refserver"), *map(str, args)], capture_output=True, text=True, timeout=100)


class Folders(harness.Test):
    python = None

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="checkpoint-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir, ignore_errors=True)

    def synth(self, *flags):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir)) / "m"
        done = refserver("synth", *flags, "--out", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder

    def inspect(self, folder):
        done = refserver("inspect", folder, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def ask(self, script, *args):
        done = subprocess.run([self.python, "-c", script, *map(str, args)], capture_output=True, text=True, timeout=300,
                              env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return json.loads(done.stdout.splitlines()[-1])

    def test_every_shape_reads_alike_bit_for_bit(self):
        for what, flags in SHAPES.items():
            with self.subTest(what):
                folder = self.synth(*TINY, *flags)
                layers = {}
                for name in LAYERS:
                    layers[name] = str(folder.parent / (name + ".bin"))
                    done = refserver("inspect", folder, "--layer", name, "--float32", layers[name])
                    self.assertEqual(done.returncode, 0, done.stderr)
                seen = self.ask(READER, folder, json.dumps(layers))
                ours = self.inspect(folder)
                self.assertEqual(ours["warnings"], [w for w in ours["warnings"] if "zero points of 0" in w])
                self.assertEqual(ours["tensor_bytes"], seen["bytes"])
                if "none" not in flags:  # as published: a bias on every layer of a block, used or not
                    self.assertEqual(seen["biases"], 14)
                self.assertEqual(ours["biases"], 6 if "qwen2" in flags else 0)

    def test_transformers_reads_the_configuration(self):
        for what in ("qwen2", "llama", "newer names, template in a file", "newer qwen2", "desc_act", "tied", "plain f16"):
            with self.subTest(what):
                folder = self.synth(*TINY, *SHAPES[what])
                theirs, ours = self.ask(CONFIG_READER, folder), self.inspect(folder)
                for field in ("hidden_size", "layers", "heads", "kv_heads", "head_dim", "vocab_size", "intermediate_size", "max_positions",
                              "rms_norm_eps", "tied_head"):
                    self.assertEqual(theirs[field], ours[field], field)
                self.assertEqual(theirs["class"], {"qwen2": "Qwen2Config", "llama": "LlamaConfig"}[ours["architecture"]])
                self.assertEqual(theirs["rope"]["rope_theta"], ours["rope"]["theta"])
                self.assertEqual(theirs["rope"]["rope_type"], "llama3" if "llama3" in ours["rope"] else "default")
                self.assertFalse(theirs["window"])
                self.assertEqual(theirs["eos"], ours["stop_token_ids"])
                if ours["quantized"]:
                    self.assertEqual(theirs["quant"]["bits"], ours["quantized"]["bits"])
                    self.assertEqual(theirs["quant"]["group_size"], ours["quantized"]["group_size"])
                else:
                    self.assertIsNone(theirs["quant"])
                self.assertIn("Hi<|im_end|>" if ours["architecture"] == "qwen2" else "Hi<|eot_id|>", theirs["chat"])
                self.assertIn(theirs["end"], ours["stop_token_ids"])
                self.assertTrue(theirs["ids"] and max(theirs["ids"]) < ours["vocab_size"])

    def test_the_worked_example(self):
        """16 x 8 in groups of 8, q[k][n] = (3k + 5n + k//8) mod 16: a matrix whose sums were worked out by hand."""
        folder = self.dir / "worked"
        source = self.synth(*TINY, "--arch", "llama", "--group-size", "8", "--no-desc-act")
        shutil.copytree(source, folder)
        # The example's 16 x 8 become the first rows and columns of a layer of 128 x 128; everything else has code 8, which is zero.
        script = r"""
import json, pathlib, struct, sys
import numpy as np
path = pathlib.Path(sys.argv[1]) / "model.safetensors"
data = bytearray(path.read_bytes())
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
def put(name, values):
    b, e = header[name]["data_offsets"]
    assert values.nbytes == e - b, name
    data[8 + n + b:8 + n + e] = values.tobytes()
words = np.full((16, 128), 0x88888888, np.uint32)
hexes = [["52FC9630","A741EB85","FC9630DA","41EB852F","9630DA74","EB852FC9","30DA741E","852FC963"],
         ["EB852FC9","30DA741E","852FC963","DA741EB8","2FC9630D","741EB852","C9630DA7","1EB852FC"]]
words[:2, :8] = [[int(h, 16) for h in row] for row in hexes]
put("model.layers.0.self_attn.q_proj.qweight", words)
scales = np.ones((16, 128), np.float16)
scales[:2, :8] = [[(1 + n / 8 + g / 4) / 32 for n in range(8)] for g in range(2)]
put("model.layers.0.self_attn.q_proj.scales", scales)
zeros = np.full((16, 16), 0x77777777, np.uint32)
if sys.argv[2] == "asym": zeros[:2, 0] = [0x65432100, 0x98765432]
put("model.layers.0.self_attn.q_proj.qzeros", zeros)
g_idx = np.arange(128, dtype=np.int32) // 8
if sys.argv[2] == "scattered": g_idx[:16] = np.arange(16) % 2
put("model.layers.0.self_attn.q_proj.g_idx", g_idx)
path.write_bytes(data)
print("{}")
"""
        multiply = r"""
import json, sys
import numpy as np
w = np.fromfile(sys.argv[1], np.float32).reshape(128, 128)
x = np.zeros(128, np.float32); x[:16] = (np.arange(16) - 8) / 8
print(json.dumps({"y": (x @ w)[:8].tolist(), "row0": w[0, :8].tolist(), "rest": float(np.abs(w[16:]).max())}))
"""
        expected = {
            "sym": [0.5625, -0.294921875, 0.01171875, 0.083984375, 0.3046875, -0.568359375, 0.12890625, 0.076171875],
            "asym": [0.26171875, -0.80078125, -0.55078125, -0.52734375, -0.34765625, -1.25390625, -0.58203125, -0.65234375],
            "scattered": [0.5546875, -0.267578125, -0.01953125, 0.103515625, 0.265625, -0.572265625, 0.17578125, 0.064453125],
        }
        for case, y in expected.items():
            with self.subTest(case):
                self.ask(script, folder, case)
                out = folder.parent / f"{case}.bin"
                done = refserver("inspect", folder, "--layer", "model.layers.0.self_attn.q_proj", "--float32", out)
                self.assertEqual(done.returncode, 0, done.stderr)
                got = self.ask(multiply, out)
                self.assertEqual(got["y"], y)
                self.assertEqual(got["rest"], 0)
                if case == "sym":
                    self.assertEqual(got["row0"], [-0.25, -0.10546875, 0.078125, 0.30078125, -0.1875, 0.05078125, 0.328125, -0.29296875])

    def test_synth_repeats_itself(self):
        a, b = (self.synth(*TINY, "--arch", "qwen2", "--seed", "3") for _ in range(2))
        c = self.synth(*TINY, "--arch", "qwen2", "--seed", "4")
        for file in a.iterdir():
            self.assertEqual(file.read_bytes(), (b / file.name).read_bytes(), file.name)
        self.assertNotEqual((a / "model.safetensors").read_bytes(), (c / "model.safetensors").read_bytes())

    def test_usage_errors(self):
        for flags, word in ((("--size", "tiny"), "--arch"), (("--size", "qwen2-7b", "--arch", "llama"), "qwen2"),
                            (("--arch", "qwen2", "--bits", "3"), "--bits"), (("--arch", "qwen2", "--vocab-size", "10"), "--vocab-size"),
                            (("--arch", "qwen2", "--quantize-lm-head", "--tie-embeddings"), "--no-tie-embeddings"),
                            (("--arch", "qwen2", "--dtype", "float32"), "--dtype"), (("--arch", "gpt2"), "--arch")):
            out = self.dir / "never"
            done = refserver("synth", *flags, "--out", out)
            self.assertEqual(done.returncode, 64, (flags, done.stderr))
            self.assertIn(word, done.stdout + done.stderr)
            self.assertFalse(out.exists(), flags)
        folder = self.synth(*TINY, "--arch", "qwen2")
        again = refserver("synth", *TINY, "--arch", "qwen2", "--out", folder)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is not empty", again.stderr)

    def test_a_broken_folder_is_named(self):
        folder = self.synth(*TINY, "--arch", "qwen2")
        with open(folder / "model.safetensors", "r+b") as f:
            f.truncate(100_000)
        done = refserver("inspect", folder)
        self.assertEqual(done.returncode, 65)
        self.assertIn("model.safetensors", done.stderr)
        self.assertIn("cut short", done.stderr)
        self.assertEqual(refserver("inspect", self.dir / "absent").returncode, 65)


class Plans(harness.Test):
    def plan(self, *flags, code=0):
        done = refserver("plan", *flags, "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout), done.stderr

    def test_counts_the_bytes_that_are_in_a_folder(self):
        for flags in (("--arch", "qwen2"), ("--arch", "llama", "--group-size", "32"), ("--arch", "qwen2", "--quant", "none"),
                      ("--arch", "llama", "--bits", "8", "--group-size", "-1"), ("--arch", "qwen2", "--tie-embeddings")):
            with self.subTest(flags), tempfile.TemporaryDirectory() as parent:
                folder = pathlib.Path(parent) / "m"
                done = refserver("synth", *TINY, *flags, "--out", folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                stored = json.loads(refserver("inspect", folder, "--json").stdout)["tensor_bytes"]
                got, _ = self.plan("--gpu", "a10", "--model", folder, "--context", 128, "--concurrency", 1)
                self.assertEqual(got["models"][0]["stored_bytes"], stored)

    def test_two_models_by_hand(self):
        got, _ = self.plan("--gpu", "rtx4070s", "--model", "Qwen/Qwen2-7B-Instruct-GPTQ-Int4", "--model",
                           "hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4", "--context", 256, "--concurrency", 18, "--kv", "fp8",
                           "--lm-head", "int4")
        qwen, llama = got["models"]
        linear = 28 * (2 * 3584 * 3584 + 2 * 3584 * 512 + 3 * 3584 * 18944)
        scales = 28 * 2 * (28 * (2 * 3584 + 2 * 512 + 2 * 18944) + 148 * 3584)
        head = 152064 * 3584 // 2 + 28 * 152064 * 2
        self.assertEqual(qwen["weight_bytes"], linear // 2 + scales + 28 * 2 * (3584 + 1024) + 2 * 57 * 3584 + head)
        self.assertEqual(qwen["kv_bytes"], 18 * 256 * 2 * 28 * 4 * 128)
        self.assertEqual(round(llama["kv_bytes"] / 2**20), 288)
        self.assertEqual(round(qwen["kv_bytes"] / 2**20), 126)
        self.assertEqual(got["total_bytes"], sum(m["weight_bytes"] + m["kv_bytes"] for m in got["models"]) + sum(
            got[part] for part in ("activation_bytes", "logit_bytes", "scratch_bytes", "graph_bytes", "context_bytes", "headroom_bytes")))
        self.assertEqual(got["round_s"], qwen["batch_step_s"] + llama["batch_step_s"])
        self.assertTrue(got["fits"])

    def test_what_does_not_fit_says_by_how_much(self):
        got, errors = self.plan("--gpu", "rtx4070s", "--model", "qwen2-7b", "--model", "llama-3.1-8b", "--context", 4096,
                                "--concurrency", 50, code=2)
        self.assertFalse(got["fits"])
        short = (got["total_bytes"] - got["memory_bytes"]) / 2**20
        self.assertIn(f"{short:.1f} too many", errors)
        self.assertIn(f"{got['largest_concurrency']} per model would fit", errors)

    def test_a_gpu_of_ones_own(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "gpu.json"
            known = json.loads((harness.SOURCE / "refserver" / "plan" / "gpus" / "rtx4090.json").read_text())
            file.write_text(json.dumps({**known, "name": "mine", "memory_mib": 4096}))
            flags = ("--model", "qwen2-0.5b", "--context", 512, "--concurrency", 8)
            got, _ = self.plan("--gpu", file, *flags)
            self.assertEqual((got["gpu"], got["memory_bytes"]), ("mine", 4096 * 2**20))
            file.write_text(json.dumps({**known, "bandwidth_gb_s": -1}))
            done = refserver("plan", "--gpu", file, *flags)
            self.assertEqual(done.returncode, 65)
            self.assertIn("bandwidth_gb_s", done.stderr)


if __name__ == "__main__":
    Folders.python = harness.venv_python(sys.argv.pop(1), "numpy, safetensors, transformers, jinja2", "transformers[chat-template]==5.23.0")
    unittest.main(verbosity=2)
