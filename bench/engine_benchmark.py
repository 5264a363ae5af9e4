#!/usr/bin/env python3
"""How fast does refserver generate on a CPU: beside the machine's limits, beside llama.cpp, and from a cold start?

  speed  prompt processing and decoding at published shapes with made-up weights. Ours is GPTQ with 4 bits in groups of 128 and an
         output layer of 8 bits (rounded from fp16 when loading) or of 4, theirs Q4_0 with one of 8 or 4; speed does not depend on
         the values. Runs alternate, ours and theirs in turn, so that a disturbance hits both; medians are reported, and a ratio is
         the median of the ratios of neighbours. The speed of reading memory is measured by `refserver bench --roofline` between our
         runs, with as many threads.
  cold   from the start of the process to its first token, with the model's files in the page cache and not; GPTQ beside the same
         architecture in fp16.

llama.cpp comes as llama-cpp-python, compiled from PyPI's newest source package that builds, into a virtual environment in --folder;
without the network, or with --skip-llama, ours is measured alone. One thread is pinned to the last core, for both.

usage: engine_benchmark.py [speed|cold|all] [--models qwen2-0.5b,tinyllama-1.1b] [--heads 8,4] [--threads 1,2] [--prompt 128] [--decode 64]
                           [--runs 5] [--cold-runs 5] [--folder build/bench/engine] [--skip-llama] [--max-load 0.7] [--force]
                           [--out docs/measurements/DATE-engine]     (.json and .md)
PLUMBLINE_BIN names the folder of refserver (default build/release/bin). Exits 3 on a busy machine unless --force.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import engine_llama
from figures import is_too_busy, machine, save

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("PLUMBLINE_BIN", ROOT / "build/release/bin"))
FAST = ("--precision", "fast", "--lm-head", "int8", "--kv", "bf16")
LOADS = ("prompt_tokens_per_s", "decode_tokens_per_s", "memory_read_gb_per_s", "decode_weight_gb_per_s", "decode_share_of_memory",
         "decode_gmac_per_s", "prompt_gmac_per_s")
COMPARED = ("prompt_tokens_per_s", "decode_tokens_per_s")
GOALS = (("decode_share_of_memory", 0.75), ("prompt_gmac_per_core", 150), ("batch8_gain", 5))
RATIO_GOAL = 1.5


def pin_of(threads):
    return ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if threads == 1 else []


def model_folder(folder, model, quant="gptq-int4", head=8):
    """A folder of made-up weights, made once. A head of 4 bits cannot be the embedding too."""
    path = folder / (f"{model}-head4" if head == 4 else model if quant == "gptq-int4" else f"{model}-fp16")
    extra = ["--no-tie-embeddings", "--quantize-lm-head"] if head == 4 else []
    if not (path / "config.json").exists():
        shutil.rmtree(path, ignore_errors=True)
        size = ["--size", model] if model != "tiny" else ["--arch", "qwen2", "--size", "tiny", "--vocab-size", 8192]
        command = [BIN / "refserver", "synth", *size, *extra, "--quant", quant, "--out", path]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return path


def ours(model, head, threads, args):
    """One measurement of `refserver bench`: a request alone, then eight together."""
    path, out = model_folder(args.folder, model, head=head), args.folder / "ours.json"
    command = [*pin_of(threads), BIN / "refserver", "bench", "--model", path, "--prompt", args.prompt, "--decode", args.decode, "--batch",
               "1,8", "--runs", 1, "--threads", threads, *FAST, "--roofline", "--out", out]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    report = json.loads(out.read_text())
    one, eight = report["loads"]
    row = {key: one[key] for key in LOADS}
    row |= {"prompt_gmac_per_core": one["prompt_gmac_per_s"] / threads, "batch8_decode_tokens_per_s": eight["decode_tokens_per_s"],
            "batch8_decode_gmac_per_s": eight["decode_gmac_per_s"], "resident": report["memory"]["resident"],
            "batch8_gain": eight["decode_tokens_per_s"] / one["decode_tokens_per_s"],
            "weight_bytes_per_step": report["weight_bytes_per_step"], "bits_per_weight": report["bits_per_weight"]}
    return row


def most_tokens_per_s(row):
    """The roofline of decoding one sequence."""
    return 1e9 * row["memory_read_gb_per_s"] / row["weight_bytes_per_step"]


def medians(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def compare(python, model, head, threads, args):
    llama = engine_llama.Llama(python, args.folder, model, head, threads, args.prompt, args.decode, pin_of(threads)) if python else None
    rows, theirs = [], []
    for _ in range(args.runs + 1):  # the first of each does not count
        rows.append(ours(model, head, threads, args))
        if llama:
            theirs.append(llama.measure())
    result = {"model": model, "head_bits": head, "threads": threads, "ours": medians(rows[1:]), "runs": {"ours": rows[1:], "llama": theirs[1:]}}
    if llama:
        llama.stop()
        result["llama"] = medians(theirs[1:]) | engine_llama.weights_of(model, head)
        result["ratio"] = {key: statistics.median(a[key] / b[key] for a, b in zip(rows[1:], theirs[1:])) for key in COMPARED}
        # What the ratio would be if decoding read its weights as fast as memory can be read, and did nothing else.
        result["ceiling_ratio"] = statistics.median(most_tokens_per_s(a) / b["decode_tokens_per_s"] for a, b in zip(rows[1:], theirs[1:]))
        result["llama_about"] = llama.about
    return result


def evict(folder):
    """Drops a folder's files from the page cache; gives the bytes that stayed (0, or something else has them mapped)."""
    os.sync()  # only clean pages can be dropped
    stayed = 0
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        resident = subprocess.run(["fincore", "--bytes", "--noheadings", "--raw", "--output", "RES", path], capture_output=True, text=True)
        stayed += int(resident.stdout.split()[0]) if resident.returncode == 0 and resident.stdout.split() else 0
    return stayed


def read_all(folder):
    for path in folder.iterdir():
        path.read_bytes()


def first_token(path, prompts, threads):
    """Seconds from starting `refserver generate` to its answer of one token."""
    command = [BIN / "refserver", "generate", "--model", path, "--prompts", prompts, "--max-new-tokens", 1, "--threads", threads,
               "--precision", "fast"]
    start = time.monotonic()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = process.stdout.readline()
        seconds = time.monotonic() - start
        process.communicate()
    if process.returncode != 0 or not line:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return seconds


def cold_starts(model, args):
    prompts = args.folder / "prompt.jsonl"
    prompts.write_text(json.dumps("What is a plumb line?") + "\n")
    threads = os.cpu_count()
    paths = {quant: model_folder(args.folder, model, quant) for quant in ("gptq-int4", "none")}
    seconds = {(quant, cache): [] for quant in paths for cache in ("warm", "cold")}
    stayed = 0
    for _ in range(args.cold_runs):
        for (quant, cache), values in seconds.items():
            if cache == "cold":
                stayed = max(stayed, evict(paths[quant]))
            else:
                read_all(paths[quant])
            values.append(first_token(paths[quant], prompts, threads))
    return [{"model": model, "quant": quant, "cache": cache, "threads": threads,
             "stayed_in_cache_bytes": stayed if cache == "cold" else 0,
             "file_bytes": sum(file.stat().st_size for file in paths[quant].iterdir()), "first_token_s": statistics.median(values),
             "runs": values} for (quant, cache), values in seconds.items()]


def name_of(result):
    return f"{result['model']}, {result['head_bits']} bits"


def speed_table(results):
    yield "| model, head | threads | prompt t/s | llama.cpp | ratio | decode t/s | llama.cpp | ratio | bits a weight, ours / theirs |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---|"
    for result in results:
        mine, other, ratio = result["ours"], result.get("llama", {}), result.get("ratio", {})
        cells = [name_of(result), str(result["threads"])]
        for key in COMPARED:
            cells += [f"{mine[key]:.1f}", f"{other[key]:.1f}" if other else "-", f"{ratio[key]:.2f}" if ratio else "-"]
        yield "| " + " | ".join([*cells, f"{mine['bits_per_weight']:.2f} / {other['bits_per_weight']:.2f}" if other else "-"]) + " |"


def roofline_table(results):
    yield ("| model, head | threads | reading memory GB/s | weights in decoding GB/s | share | prompt GMAC/s, a core | decode of 8 t/s | "
           "over one | resident MB |")
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for result in results:
        mine = result["ours"]
        yield (f"| {name_of(result)} | {result['threads']} | {mine['memory_read_gb_per_s']:.1f} | {mine['decode_weight_gb_per_s']:.1f} | "
               f"{100 * mine['decode_share_of_memory']:.0f} % | {mine['prompt_gmac_per_s']:.0f}, {mine['prompt_gmac_per_core']:.0f} | "
               f"{mine['batch8_decode_tokens_per_s']:.1f} | {mine['batch8_gain']:.2f} | {mine['resident'] / 1e6:.0f} |")


def ceiling_table(results):
    yield "| model, head | threads | MB a step, ours / theirs | most t/s at that speed of memory | reached | most over llama.cpp | reached |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for result in results:
        mine, other = result["ours"], result.get("llama")
        size = f"{mine['weight_bytes_per_step'] / 1e6:.1f}" + (f" / {other['weight_bytes_per_step'] / 1e6:.1f}" if other else "")
        ratios = [f"{result['ceiling_ratio']:.2f}", f"{result['ratio']['decode_tokens_per_s']:.2f}"] if other else ["-", "-"]
        yield (f"| {name_of(result)} | {result['threads']} | {size} | {most_tokens_per_s(mine):.1f} | {mine['decode_tokens_per_s']:.1f} | "
               f"{' | '.join(ratios)} |")


def goals_table(results):
    yield "| goal | model, head | threads | measured | met |"
    yield "|---|---|---:|---:|---|"
    for result in results:
        values = [(key, goal, result["ours"][key]) for key, goal in GOALS]
        values += [(f"{key} over llama.cpp", RATIO_GOAL, result["ratio"][key]) for key in COMPARED if "ratio" in result]
        for key, goal, value in values:
            met = "yes" if value >= goal else "NO"
            if key.startswith("decode_tokens") and value < goal and result["ceiling_ratio"] < goal:
                met += f"; memory allows {result['ceiling_ratio']:.2f}"
            yield f"| {key} >= {goal} | {name_of(result)} | {result['threads']} | {value:.2f} | {met} |"


def cold_table(rows):
    yield "| model | weights | files MB | page cache | first token s |"
    yield "|---|---|---:|---|---:|"
    for row in rows:
        yield (f"| {row['model']} | {'fp16' if row['quant'] == 'none' else row['quant']} | {row['file_bytes'] / 1e6:.0f} | {row['cache']} | "
               f"{row['first_token_s']:.2f} |")


def markdown(report, args, load):
    about = machine()
    yield "# Generating on a CPU"
    yield ""
    yield f"Command: `bench/{pathlib.Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`. Machine: {about['cpu']}, {about['cores']} cores, Linux"
    yield f"{about['kernel']}, load average before {load[0]:.2f}. Prompts of {args.prompt} tokens, answers of {args.decode}, medians of {args.runs}"
    yield "runs (ratios: of neighbouring runs); made-up weights at published shapes. Weights in GB/s are those a step must read times steps per"
    yield "second; multiplications are the matrices', attention is not counted."
    if "speed" in report:
        about_llama = next((r["llama_about"] for r in report["speed"] if "llama_about" in r), None)
        if about_llama:
            buffers = ", ".join(f"{name} {size}" for name, size in about_llama["buffers"])
            yield f"llama.cpp is llama-cpp-python {about_llama['version']}, compiled here; its weights lie in: {buffers} (last model's first)."
        for table in (speed_table, roofline_table):
            yield from ("", *table(report["speed"]))
        yield from ("", "Decoding one sequence reads every weight once, so the speed of memory, measured between the same runs, sets the most it can reach.",
                    "", *ceiling_table(report["speed"]), "", *goals_table(report["speed"]))
    if "cold" in report:
        yield from ("", "Cold start: from starting the process to its first token, both cores, `--precision fast`, the output layer as stored.", "",
                    *cold_table(report["cold"]))


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("part", nargs="?", choices=("speed", "cold", "all"), default="all")
    parser.add_argument("--models", default="qwen2-0.5b,tinyllama-1.1b")
    parser.add_argument("--heads", type=numbers, default=[8, 4])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench/engine")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold-runs", type=int, default=5)
    parser.add_argument("--skip-llama", action="store_true")
    parser.add_argument("--max-load", type=float, default=0.7)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    load = os.getloadavg()
    if is_too_busy(load, args):
        return 3
    args.folder.mkdir(parents=True, exist_ok=True)
    report = {}
    if args.part != "cold":
        python = None if args.skip_llama else engine_llama.llama_python(args.folder)
        if not python:
            print("llama.cpp is not measured", file=sys.stderr)
        report["speed"] = [compare(python, model, head, threads, args) for model in args.models.split(",")
                           for head in args.heads for threads in args.threads]
    if args.part != "speed":
        report["cold"] = [row for model in args.models.split(",") for row in cold_starts(model, args)]
    text = "\n".join(markdown(report, args, load)) + "\n"
    print(text)
    if args.out:
        save(args.out.with_suffix(".json"), load, prompt=args.prompt, decode=args.decode, **report)
        args.out.with_suffix(".md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
