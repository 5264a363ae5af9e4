#!/usr/bin/env python3
"""How fast is our tokenizer beside Hugging Face's `tokenizers` (Rust, PyPI), one thread each, on prompts of 100 B to 16 kB?

Both encode the same texts with the same tokenizer.json, after their ids were compared. Rounds alternate between the two on one core;
figures are medians over rounds of processor time (so that other programs on the machine count little), in MB of UTF-8 and tokens per
second. The rival runs encode, encode_batch and encode_batch_fast and its best counts; a batch call is one Python call for all 128 kB of
texts, so it is not Python that is measured. It keeps what it made of 10,000 pieces: once measured with those of the very same texts
("seen"), once with that cache cleared before each pass ("new"); a service is in between. Ours keeps nothing from text to text.
Then runs of one letter, 2^10 to 2^20 long: what a byte costs must hardly grow.

usage: tokenizer_throughput.py [--real FOLDER] [--rounds 7] [--quick] [--out FILE.json]
Needs `tokenizer_bench` and `tokenize` (preset bench; PLUMBLINE_BIN names another folder). FOLDER as tokenizer/tests/
make_real_tokenizers.py writes it; without it only the small vocabularies are measured.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT / "tokenizer" / "tests")]
os.environ.setdefault("PLUMBLINE_BIN", str(ROOT / "build" / "bench" / "bin"))
import harness  # noqa: E402
from figures import machine  # noqa: E402
from make_strings import CORPUS, DATA  # noqa: E402

SIZES = {"100 B": 100, "1 kB": 1000, "4 kB": 4000, "16 kB": 16000}
CELL_BYTES = 128_000  # of text in each cell of the table
HOSTILE_POWERS = range(10, 21, 2)
CORE = max(os.sched_getaffinity(0))
NEW_TEXT = "encode_batch_fast, cache cleared"


# --- texts -----------------------------------------------------------------------------------------------------------

def english(rng):
    """Paragraphs of this repository's documents and prompts, in any order."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "scenarios" / "prompts").glob("*-en.txt"))]
    paragraphs = [p for f in files for p in f.read_text().split("\n\n") if p.strip()]
    while True:
        yield rng.choice(paragraphs) + "\n\n"


def chinese(rng):
    """Clauses of everyday words; hardly any clause comes twice, as in real text."""
    while True:
        yield "".join(rng.choice(CORPUS["zh"]) for _ in range(rng.randint(2, 7))) + rng.choice("\uff0c\uff0c\uff0c\u3002\u3002\uff1f\uff1b")


def code(rng):
    """Stretches of this repository's sources."""
    files = sorted(f for folder in ("loadgen", "refserver", "exporters") for f in (ROOT / folder).rglob("*.?pp"))
    sources = [f.read_text() for f in files]
    while True:
        source = rng.choice(sources)
        at = source.find("\n", rng.randrange(len(source)))
        yield source[at:at + 2000]


def mixed(rng):
    makers = [english(rng), chinese(rng), code(rng)]
    while True:
        yield next(rng.choice(makers))[:700]


def texts_of(maker, size):
    """Texts of about `size` bytes each, CELL_BYTES in all."""
    rng = random.Random(f"{maker.__name__} {size}")
    parts, texts = maker(rng), []
    while sum(map(len, texts)) < CELL_BYTES:
        text = b""
        while len(text) < size:
            text += next(parts).encode()
        texts.append(text[:size])
    return [t.decode(errors="ignore") for t in texts]


# --- the two programs ------------------------------------------------------------------------------------------------

def our_ids(folder, texts):
    done = subprocess.run([harness.BIN / "tokenize", "--tokenizer", folder], input="".join(json.dumps(t) + "\n" for t in texts),
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def time_ours(folder, texts_file):
    """Processor seconds for one pass over the texts, by the benchmark program."""
    command = [harness.BIN / "tokenizer_bench", "--benchmark_filter=^encode$", "--benchmark_min_time=0.1", "--benchmark_format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          env={**os.environ, "PLUMBLINE_TOKENIZER": str(folder), "PLUMBLINE_TEXTS": str(texts_file)})
    result = json.loads(done.stdout)["benchmarks"][0]
    return result["cpu_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[result["time_unit"]]


def time_theirs(tokenizer, texts, least=0.1):
    """Processor seconds for one pass of each way to call it."""
    ways = {"encode": lambda: [tokenizer.encode(t) for t in texts], "encode_batch": lambda: tokenizer.encode_batch(texts),
            "encode_batch_fast": lambda: tokenizer.encode_batch_fast(texts)}
    return {name: timed(way, least) for name, way in ways.items()} | {NEW_TEXT: time_new_text(tokenizer, texts, least)}


def time_new_text(tokenizer, texts, least):
    """The fastest call with its cache cleared before each pass."""
    spent, passes = 0, 0
    while spent < least:
        tokenizer.model._clear_cache()
        start = time.process_time()
        tokenizer.encode_batch_fast(texts)
        spent += time.process_time() - start
        passes += 1
    return spent / passes


def timed(call, least, warm=True):
    if warm:
        call()  # warms caches, as the benchmark program's own trial passes do
    start, passes = time.process_time(), 0
    while time.process_time() - start < least:
        call()
        passes += 1
    return (time.process_time() - start) / passes


# --- measuring -------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def texts_file(texts):
    """Path of a file with a JSON string on each line."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(t) + "\n" for t in texts))
        file.flush()
        yield file.name


def measure(tokenizer, folder, texts, rounds):
    """Compares the ids, then times in turn; medians in seconds a pass."""
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    if our_ids(folder, texts) != ids:
        raise SystemExit(f"{folder}: the ids differ, so there is nothing to time; tests/tokenizer_test.py says where")
    ours, theirs = [], []
    with texts_file(texts) as file:
        for _ in range(rounds):
            ours.append(time_ours(folder, file))
            theirs.append(time_theirs(tokenizer, texts))
    medians = {way: statistics.median(t[way] for t in theirs) for way in theirs[0]}
    best = min((way for way in medians if way != NEW_TEXT), key=medians.get)
    size, tokens, us = sum(len(t.encode()) for t in texts), sum(map(len, ids)), statistics.median(ours)
    row = {"texts": len(texts), "bytes": size, "tokens": tokens, "ours_s": ours, "theirs_s": theirs, "their_best": best,
           "ours_mb_per_s": size / us / 1e6, "ours_tokens_per_s": tokens / us}
    for name, them in (("seen", medians[best]), ("new", max(medians[best], medians[NEW_TEXT]))):
        row |= {f"theirs_{name}_mb_per_s": size / them / 1e6, f"theirs_{name}_tokens_per_s": tokens / them, f"ratio_{name}": them / us}
    return row


def table(name, tokenizer, folder, rounds, sizes):
    rows = {}
    for maker in (english, chinese, code, mixed):
        for label, size in sizes.items():
            row = rows[f"{maker.__name__} {label}"] = measure(tokenizer, folder, texts_of(maker, size), rounds)
            print(f"| {name} | {maker.__name__}, {label} | {row['ours_mb_per_s']:.1f} | {row['theirs_new_mb_per_s']:.2f} | "
                  f"{row['theirs_seen_mb_per_s']:.2f} | {row['ours_tokens_per_s'] / 1e6:.2f} | {row['theirs_new_tokens_per_s'] / 1e6:.2f} | "
                  f"**{row['ratio_new']:.1f}** | {row['ratio_seen']:.1f} |", flush=True)
    return rows


def hostile(name, tokenizer, folder, rounds):
    """ns a byte of one letter over and over; the rival by encode, once a round."""
    rows = {}
    for power in HOSTILE_POWERS:
        text = "a" * (1 << power)
        if our_ids(folder, [text]) != [tokenizer.encode(text).ids]:
            raise SystemExit(f"{folder}: the ids of a x 2^{power} differ")
        with texts_file([text]) as file:
            seconds = [(time_ours(folder, file), timed(lambda: tokenizer.encode(text), 0.01, warm=False)) for _ in range(rounds)]
        ours, theirs = (statistics.median(column) * 1e9 / len(text) for column in zip(*seconds))
        rows[f"2^{power}"] = {"seconds": seconds, "ours_ns_per_byte": ours, "theirs_ns_per_byte": theirs}
        print(f"| {name} | a x 2^{power} | {ours:.1f} | {theirs:.1f} |", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", default=os.environ.get("PLUMBLINE_REAL_TOKENIZERS"), help="folder of real-size tokenizers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="Llama 3 at 1 kB and 16 kB, the other tokenizers at 4 kB only")
    parser.add_argument("--out", help="write the raw figures here")
    args = parser.parse_args()
    import tokenizers
    os.sched_setaffinity(0, {CORE})
    before = {**machine(), "load_average": os.getloadavg()}
    one, two = ({label: SIZES[label] for label in labels} for labels in (["4 kB"], ["1 kB", "16 kB"]))
    plans = [(f"{n}, small", DATA / n, one if args.real else SIZES) for n in ("llama3", "qwen2")]
    if args.real:
        sizes = {"llama3": two if args.quick else SIZES, "qwen2": one if args.quick else SIZES, "gpt2": one}
        plans = [(n, pathlib.Path(args.real) / n, sizes[n]) for n in sizes] + plans
    loaded = {name: tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")) for name, folder, _ in plans}
    results = {}
    print("| tokenizer | texts | MB/s ours | theirs, new | theirs, seen | M tokens/s ours | theirs, new | ratio, new | ratio, seen |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for name, folder, sizes in plans:
        results[name] = {"texts": table(name, loaded[name], folder, args.rounds, sizes)}
    print("\n| tokenizer | text | ns/byte ours | ns/byte theirs |\n|---|---|---|---|")
    for name, folder, _ in plans[:2]:
        results[name]["hostile"] = hostile(name, loaded[name], folder, args.rounds)
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps({
            "command": "bench/tokenizer_throughput.py " + " ".join(sys.argv[1:]), "date": datetime.date.today().isoformat(),
            "tokenizers": tokenizers.__version__, "machine": before, "load_average_after": os.getloadavg(), "core": CORE,
            "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    try:
        import tokenizers  # noqa: F401
    except ImportError:
        python = harness.venv_python(ROOT / "build" / "venv" / "tokenizers", "tokenizers", "tokenizers==0.23.3")
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    sys.exit(main())
