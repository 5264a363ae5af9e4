#!/usr/bin/env python3
"""How fast does refserver generate on a CPU, beside llama.cpp with the same shapes and threads?

Both get models of published sizes with made-up weights: ours GPTQ with 4 bits in groups of 128 (4.125 bits a weight), theirs Q4_0 (4.5
bits), written here; speed does not depend on the values. Runs alternate, ours and theirs in turn, so that a disturbance hits both;
medians are reported, and the ratio is the median of the ratios of neighbours. llama.cpp comes as llama-cpp-python, compiled from
PyPI's newest source package that builds, into a virtual environment; without the network, or with --skip-llama, ours is measured
alone.

usage: engine_benchmark.py [--models qwen2-0.5b,tinyllama-1.1b] [--threads 1,2] [--prompt 128] [--decode 64] [--runs 5]
                           [--folder build/bench/engine] [--skip-llama] [--max-load 0.7] [--force] [--out FILE.json]
PLUMBLINE_BIN names the folder of refserver (default build/release/bin). Exits 3 on a busy machine unless --force.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build/release/bin"))
# hidden, intermediate, layers, heads, kv heads, vocabulary, tied: as `refserver synth --size` makes them
SHAPES = {
    "tiny": (128, 256, 2, 4, 2, 8192, False),  # for a look at whether this script works; sizes are nearly ours
    "qwen2-0.5b": (896, 4864, 24, 14, 2, 151936, True),
    "tinyllama-1.1b": (2048, 5632, 22, 32, 4, 32000, False),
    "qwen2-1.5b": (1536, 8960, 28, 12, 2, 151936, True),
}

# Runs in the virtual environment: writes a GGUF file with random Q4_0 blocks.
WRITER = r"""
import json, sys
import numpy, gguf
path, (hidden, inner, layers, heads, kv, vocabulary, tied), is_qwen = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "qwen2"
random = numpy.random.default_rng(1)
w = gguf.GGUFWriter(path, "qwen2" if is_qwen else "llama")
w.add_context_length(4096); w.add_embedding_length(hidden); w.add_block_count(layers); w.add_feed_forward_length(inner)
w.add_head_count(heads); w.add_head_count_kv(kv); w.add_layer_norm_rms_eps(1e-6); w.add_rope_freq_base(1e6 if is_qwen else 1e4)
w.add_rope_dimension_count(hidden // heads); w.add_vocab_size(vocabulary); w.add_tokenizer_model("no_vocab")
w.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
def matrix(name, out, inputs):
    blocks = random.integers(0, 256, (out, inputs // 32, 18), dtype=numpy.uint8)
    blocks[:, :, :2] = numpy.frombuffer(numpy.float16(0.25 / inputs ** 0.5).tobytes(), numpy.uint8)
    w.add_tensor(name, blocks.reshape(out, -1), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
def vector(name, size, value): w.add_tensor(name, numpy.full(size, value, numpy.float32))
matrix("token_embd.weight", vocabulary, hidden)
vector("output_norm.weight", hidden, 1)
if not tied: matrix("output.weight", vocabulary, hidden)
head = hidden // heads
for i in range(layers):
    p = f"blk.{i}."
    vector(p + "attn_norm.weight", hidden, 1); vector(p + "ffn_norm.weight", hidden, 1)
    for name, out in (("q", heads * head), ("k", kv * head), ("v", kv * head)):
        matrix(p + f"attn_{name}.weight", out, hidden)
        if is_qwen: vector(p + f"attn_{name}.bias", out, 0)
    matrix(p + "attn_output.weight", hidden, heads * head)
    matrix(p + "ffn_gate.weight", inner, hidden); matrix(p + "ffn_up.weight", inner, hidden); matrix(p + "ffn_down.weight", hidden, inner)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
"""

# Runs in the virtual environment: loads the file, then one measurement per line of standard input.
RUNNER = r"""
import ctypes, json, sys, time
import numpy, llama_cpp as L
path, threads, prompt, decode, vocabulary = sys.argv[1], *map(int, sys.argv[2:6])
L.llama_backend_init()
load = getattr(L, "llama_model_load_from_file", None) or L.llama_load_model_from_file
init = getattr(L, "llama_init_from_model", None) or L.llama_new_context_with_model
model = load(path.encode(), L.llama_model_default_params())
params = L.llama_context_default_params()
params.n_ctx, params.n_batch, params.n_threads, params.n_threads_batch = prompt + decode + 8, 512, threads, threads
def feed(context, ids):
    array = (L.llama_token * len(ids))(*ids)
    if L.llama_decode(context, L.llama_batch_get_one(array, len(ids))) != 0: raise SystemExit("llama_decode failed")
    logits = numpy.ctypeslib.as_array(ctypes.cast(L.llama_get_logits(context), ctypes.POINTER(ctypes.c_float)), (vocabulary,))
    return int(logits.argmax())
for line in sys.stdin:
    context = init(model, params)
    start = time.monotonic()
    token = feed(context, [(7 * i + 3) % vocabulary for i in range(prompt)])
    first = time.monotonic()
    for _ in range(decode - 1): token = feed(context, [token])
    end = time.monotonic()
    L.llama_free(context)
    status = open("/proc/self/status").read()
    print(json.dumps({"prompt_tokens_per_s": prompt / (first - start), "decode_tokens_per_s": (decode - 1) / (end - first),
                      "resident": int(status.split("VmRSS:")[1].split()[0]) * 1024}), flush=True)
"""


def llama_python(folder):
    """Python with llama-cpp-python and gguf, or None and why not."""
    python = folder / "venv/bin/python"
    if python.exists() and subprocess.run([python, "-c", "import llama_cpp, gguf"], capture_output=True).returncode == 0:
        return python
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    env = {**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAVA_BUILD=OFF"}
    versions = subprocess.run([python, "-m", "pip", "index", "versions", "llama-cpp-python"], capture_output=True, text=True).stdout
    listed = [v.strip() for line in versions.splitlines() if line.startswith("Available") for v in line.split(":")[1].split(",")]
    for version in listed[:4]:
        print(f"compiling llama-cpp-python {version}", file=sys.stderr)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-binary", "llama-cpp-python", "gguf", "numpy",
                               f"llama-cpp-python=={version}"], env=env, capture_output=True, text=True)
        if done.returncode == 0:
            return python
        print(done.stderr[-600:], file=sys.stderr)
    return None


def ours(folder, model, threads, args):
    """One measurement of `refserver bench`."""
    path, out = folder / model, folder / "ours.json"
    if not path.exists():
        size = ["--size", model] if model != "tiny" else ["--arch", "qwen2", "--size", "tiny"]
        subprocess.run([BIN / "refserver", "synth", *size, "--out", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([str(a) for a in (BIN / "refserver", "bench", "--model", path, "--prompt", args.prompt, "--decode", args.decode, "--batch",
                                     "1,8", "--runs", 1, "--threads", threads, "--precision", "fast", "--lm-head", "int8", "--kv", "bf16",
                                     "--cold-start", "--out", out)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    report = json.loads(out.read_text())
    one, eight = report["loads"]
    return {"prompt_tokens_per_s": one["prompt_tokens_per_s"], "decode_tokens_per_s": one["decode_tokens_per_s"],
            "batch8_decode_tokens_per_s": eight["decode_tokens_per_s"], "cold_start_s": report["cold_start_s"],
            "resident": report["memory"]["resident"]}


class Llama:
    def __init__(self, python, folder, model, threads, args):
        path = folder / f"{model}.gguf"
        family = "llama" if "llama" in model else "qwen2"
        if not path.exists():
            subprocess.run([python, "-c", WRITER, path, json.dumps(SHAPES[model]), family], check=True)
        command = [python, "-c", RUNNER, path, threads, args.prompt, args.decode, SHAPES[model][5]]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("llama.cpp ended; run the script's RUNNER by hand to see why")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def medians(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def compare(python, folder, model, threads, args):
    llama = Llama(python, folder, model, threads, args) if python else None
    rows, theirs = [], []
    for i in range(args.runs + 1):  # the first of each does not count
        rows.append(ours(folder, model, threads, args))
        if llama:
            theirs.append(llama.measure())
    result = {"model": model, "threads": threads, "ours": medians(rows[1:]), "runs": {"ours": rows[1:], "llama": theirs[1:]}}
    if llama:
        llama.stop()
        result["llama"] = medians(theirs[1:])
        result["ratio"] = {key: statistics.median(a[key] / b[key] for a, b in zip(rows[1:], theirs[1:]))
                           for key in ("prompt_tokens_per_s", "decode_tokens_per_s", "resident")}
    return result


def print_row(result):
    mine, other, ratio = result["ours"], result.get("llama", {}), result.get("ratio", {})
    cells = [result["model"], str(result["threads"])]
    for key in ("prompt_tokens_per_s", "decode_tokens_per_s"):
        cells += [f"{mine[key]:.1f}", f"{other[key]:.1f}" if other else "-", f"{ratio[key]:.2f}" if ratio else "-"]
    cells += [f"{mine['batch8_decode_tokens_per_s']:.1f}", f"{mine['resident'] / 1e6:.0f}", f"{mine['cold_start_s']:.2f}"]
    print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--models", default="qwen2-0.5b,tinyllama-1.1b")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench/engine")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--skip-llama", action="store_true")
    parser.add_argument("--max-load", type=float, default=0.7)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    if load > args.max_load and not args.force:
        print(f"the machine is busy: load {load:.2f} is over --max-load {args.max_load}", file=sys.stderr)
        return 3
    args.folder.mkdir(parents=True, exist_ok=True)
    python = None if args.skip_llama else llama_python(args.folder)
    if not python:
        print("llama.cpp is not measured", file=sys.stderr)
    print("| model | threads | prompt t/s | llama.cpp | ratio | decode t/s | llama.cpp | ratio | decode t/s of 8 | resident MB | cold start s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    results = []
    for model in args.models.split(","):
        for threads in map(int, args.threads.split(",")):
            results.append(compare(python, args.folder, model, threads, args))
            print_row(results[-1])
    if args.out:
        args.out.write_text(json.dumps({"when": datetime.datetime.now().isoformat(timespec="seconds"), "machine": platform.processor() or
                                        platform.machine(), "cores": os.cpu_count(), "load": load, "prompt": args.prompt,
                                        "decode": args.decode, "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
