#!/usr/bin/env python3
"""What nvcc made of the CUDA kernels, looked at without a GPU. Compiles every .cu file for two architectures.

usage: cuda_code_test.py resources NVCC            registers, spills, stack and static shared memory, as ptxas says
       cuda_code_test.py instructions NVCC VENV PROGRAM
                                    the hot kernels' machine code, by the disassembler in PyPI's triton wheel; and that the
                                    program has machine code of every kernel for every target, and PTX for others
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import harness

ARCHITECTURES = ("sm_89", "sm_90a")
TARGETS = ("sm_80", "sm_86", "sm_89", "sm_90a")  # of a build
# Registers that a thread may have: beyond them fewer blocks fit a processor than the kernel's header (or pipeline_test.cpp)
# says. 128 of 256 threads leave room for two blocks.
REGISTERS = {"MatmulKernel<Int4Codec, 8u, 4u>": 128, "MatmulKernel<Int4Codec, 16u, 4u>": 128,
             "MatmulKernel<Int4Codec, 32u, 4u>": 128, "MatmulKernel<Int4Codec, 64u, 4u>": 255,
             "MatmulKernel<Int4Codec, 8u, 8u>": 128, "MatmulKernel<Int4Codec, 16u, 8u>": 128,
             "MatmulKernel<Int8Codec, 8u, 3u>": 128, "MatmulKernel<Int8Codec, 16u, 3u>": 128, "MatmulKernel<HalfCodec, 8u, 2u>": 128,
             "WideMatmulKernel<Int4Codec>": 255, "WideMatmulKernel<Int8Codec>": 255,
             "AttendKernel": 168, "PrefillKernel": 168, "NormKernel": 64, "StageKernel": 64, "SiluKernel": 64, "RopeKernel": 96,
             "TopKKernel": 64, "SampleKernel": 64, "RepairKernel": 64}
# What must be in the machine code of the kernels that a token's time is made of: tensor-core products, 128-bit loads from
# shared memory, copies past the registers, matrix loads.
PRODUCT = ("HMMA.16816.F32", r"LDS.*\.128", "LDGSTS.*128", r"LDSM\.16\.M88\.4")
HOT = {f"MatmulKernel<{codec}, {tokens}u, {stages}u>": PRODUCT
       for codec, stages in (("Int4Codec", 4), ("Int8Codec", 3), ("HalfCodec", 2)) for tokens in (8, 16, 32, 64)}
HOT |= {name: PRODUCT for name in ("MatmulKernel<Int4Codec, 8u, 8u>", "MatmulKernel<Int4Codec, 16u, 8u>",
                                   "WideMatmulKernel<Int4Codec>", "WideMatmulKernel<Int8Codec>")}
HOT["AttendKernel"] = (r"LDS.*\.128", r"LDG.*\.128", "FFMA", "MUFU.EX2")
HOT["PrefillKernel"] = ("HMMA.16816.F32", r"LDSM\.16\.M88\.4", r"LDSM\.16\.MT88\.4", r"LDG.*\.128", "MUFU.EX2")
HOT["SampleKernel"] = (r"ATOMS", r"LDG")
HOT["DequantKernel"] = (r"LDG.*\.128", r"STG")
# All instructions of the loop for each tensor-core product in it. A processor of 9.0 takes 6.4 cycles for one of mma.sync's
# and issues one instruction per cycle; the loop holds two copies of the products and runs one of them, so that a warp's
# real share is a little lower.
MOST_PER_PRODUCT = {"WideMatmulKernel<Int4Codec>": 5.6, "WideMatmulKernel<Int8Codec>": 5.6}
FUNCTION = re.compile(r"run_kernel<kernels::cuda::(\w+(?:<kernels::cuda::\w+(?:, \d+u)*>)?) ?>")


def kernel_of(mangled):
    name = subprocess.run(["c++filt", mangled], capture_output=True, text=True, check=True).stdout
    found = FUNCTION.search(name)
    return found.group(1).replace("kernels::cuda::", "") if found else None


def compiled(nvcc, architecture, folder):
    """(what ptxas said of all files, the cubins)"""
    said, cubins = "", []
    for source in sorted((harness.SOURCE / "kernels" / "cuda").glob("*.cu")):
        cubin = pathlib.Path(folder) / f"{source.stem}.{architecture}.cubin"
        done = subprocess.run([nvcc, "-std=c++20", "-O3", "-fmad=false", f"-arch={architecture}", "-cubin", "-Xptxas", "-v",
                               f"-I{harness.SOURCE}", source, "-o", cubin], capture_output=True, text=True)
        assert done.returncode == 0, f"{source.name} for {architecture}:\n{done.stderr[-2000:]}"
        said += done.stderr
        cubins.append(cubin)
    return said, cubins


def resources(said):
    """Kernel -> (registers, stack, spills, static shared memory) from the output of ptxas -v."""
    found, name = {}, None
    for line in said.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)'", line):
            name = kernel_of(match.group(1))
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            frame, stores, loads = map(int, match.groups())
        elif (match := re.search(r"Used (\d+) registers", line)) and name:
            shared = re.search(r"(\d+) bytes smem", line)
            found[name] = (int(match.group(1)), frame, stores + loads, int(shared.group(1)) if shared else 0)
            name = None
    return found


def check_resources(nvcc):
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            kernels = resources(compiled(nvcc, architecture, folder)[0])
        assert len(kernels) >= 32, f"{architecture}: only {sorted(kernels)}"
        assert REGISTERS.keys() <= kernels.keys(), REGISTERS.keys() - kernels.keys()
        for name, (registers, stack, spills, shared) in sorted(kernels.items()):
            print(f"{architecture} {name}: {registers} registers")
            assert stack == 0 and spills == 0, f"{architecture} {name}: {stack} bytes of stack, {spills} of spills"
            assert shared == 0, f"{architecture} {name}: static shared memory is not part of what the launch asks for"
            assert registers <= REGISTERS.get(name, 255), f"{architecture} {name}: {registers} registers"


def functions(listing):
    """Kernel -> its lines, from the output of cuobjdump -sass."""
    found, name = {}, None
    for line in listing.splitlines():
        if match := re.search(r"Function : (\w+)", line):
            name = kernel_of(match.group(1))
            found[name] = []
        elif name:
            found[name].append(line)
    return found


def faults(name, lines):
    """What is wrong with a hot kernel's machine code."""
    text = "\n".join(lines)
    wrong = [f"no {wanted}" for wanted in HOT[name] if not re.search(wanted, text)]
    if re.search(r"\b(LDL|STL)\b", text):
        wrong.append("local memory is used")
    return wrong


def overlap_faults(name, lines):
    """What is wrong with how a kernel for 9.0 waits for the one before it: all do, before the next may begin, and products
    are under way with their weights by then."""
    wait = [i for i, line in enumerate(lines) if "ACQBULK" in line]
    release = [i for i, line in enumerate(lines) if "PREEXIT" in line]
    if not wait or not release or release[0] < wait[0]:
        return ["it does not wait before it lets the next kernel begin"]
    stores = [i for i, line in enumerate(lines) if re.search(r"\b(STG|ATOMG|RED)\b", line)]
    if stores and stores[0] < wait[0]:
        return ["it writes before it waits"]
    copies = [i for i, line in enumerate(lines) if "LDGSTS" in line]
    if name.startswith("MatmulKernel") and copies[0] > wait[0]:
        return ["it waits before it asks for weights"]
    return []


def longest_loop(lines):
    """The instructions from the target of the farthest backward branch to that branch."""
    at = [(int(m.group(1), 16), line) for line in lines if (m := re.match(r"\s*/\*([0-9a-f]{4,5})\*/", line))]
    spans = [(int(m.group(1), 16), address) for address, line in at
             if (m := re.search(r"\bBRA\b.*?0x([0-9a-f]+)", line)) and int(m.group(1), 16) < address]
    begin, end = max(spans, key=lambda span: span[1] - span[0], default=(0, -1))
    return [line for address, line in at if begin <= address <= end]


def per_product(lines):
    """Instructions of the longest loop for each of its tensor-core products."""
    loop = longest_loop(lines)
    return len(loop) / max(1, sum("HMMA" in line for line in loop))


def self_check():
    good = ["LDGSTS.E.BYPASS.LTC128B.128 [R1], desc[UR4][R2.64] ;", "LDS.128 R4, [R1] ;", "LDSM.16.M88.4 R8, [R2] ;",
            "HMMA.16816.F32 R4, R8, R10, R4 ;"]
    name = "MatmulKernel<Int4Codec, 8u, 4u>"
    assert faults(name, good) == [], faults(name, good)
    assert faults(name, good[1:]) == ["no LDGSTS.*128"]
    assert faults(name, good + ["STL [R1], R2 ;"]) == ["local memory is used"]
    assert overlap_faults(name, [good[0], "ACQBULK ;", "PREEXIT ;", "STG.E [R2], R4 ;"]) == []
    assert overlap_faults(name, ["ACQBULK ;", "PREEXIT ;", good[0]]) == ["it waits before it asks for weights"]
    assert overlap_faults("NormKernel", ["PREEXIT ;", "ACQBULK ;"]) == ["it does not wait before it lets the next kernel begin"]
    assert overlap_faults("NormKernel", ["STG.E [R2], R4 ;", "ACQBULK ;", "PREEXIT ;"]) == ["it writes before it waits"]
    loop = ["/*0010*/ MOV R1, R2 ;", "/*0020*/ HMMA.16816.F32 R4 ;", "/*0030*/ NOP ;", "/*0040*/ @P0 BRA 0x20 ;", "/*0050*/ EXIT ;"]
    assert per_product(loop) == 3, longest_loop(loop)
    line = ("ptxas info : Compiling entry function '_ZN7kernels4cuda10run_kernelINS0_10NormKernelEEEvNT_4ArgsE' for 'sm_89'\n"
            "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\nptxas info : Used 22 registers, 16 bytes smem\n")
    assert resources(line) == {"NormKernel": (22, 8, 16, 16)}, resources(line)


def check_targets(cuobjdump, program, kernels):
    """The program has every kernel as machine code for all targets, and PTX."""
    run = lambda *options: subprocess.run([cuobjdump, *options, program], capture_output=True, text=True, check=True).stdout
    assert "sm_80.ptx" in run("-lptx"), "no PTX of compute_80"
    for target in TARGETS:
        found = set(filter(None, map(kernel_of, re.findall(r"\.text\.(_Z\w+)", run("-arch", target, "-elf")))))
        assert kernels <= found, f"no machine code for {target} of {sorted(kernels - found)}"
    print(f"{len(kernels)} kernels for each of {', '.join(TARGETS)}")


def check_instructions(nvcc, venv, program):
    python = harness.venv_python(venv, "triton", "triton==3.4.0")
    where = subprocess.run([python, "-c", "import triton, os; print(os.path.dirname(triton.__file__))"], capture_output=True, text=True)
    tools = pathlib.Path(where.stdout.strip()) / "backends" / "nvidia" / "bin"
    if not (tools / "cuobjdump").exists():
        harness.skip(f"no cuobjdump in {tools}")
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            found = {}
            for cubin in compiled(nvcc, architecture, folder)[1]:
                listing = subprocess.run([tools / "cuobjdump", "-sass", cubin], capture_output=True, text=True)
                if listing.returncode != 0:
                    harness.skip(f"cuobjdump of the triton wheel does not read this: {listing.stderr.strip()[-200:]}")
                found |= functions(listing.stdout)
        if architecture == "sm_90a":
            for name in filter(None, found):
                wrong = overlap_faults(name, found[name])
                assert not wrong, f"{architecture} {name}: {', '.join(wrong)}"
        for name in HOT:
            assert name in found, f"{architecture}: no {name} among {sorted(filter(None, found))}"
            wrong = faults(name, found[name])
            assert not wrong, f"{architecture} {name}: {', '.join(wrong)}"
            if name in MOST_PER_PRODUCT:
                spent = per_product(found[name])
                print(f"{architecture} {name}: {spent:.2f} instructions in the loop for each product")
                assert spent <= MOST_PER_PRODUCT[name], f"{architecture} {name}: more than {MOST_PER_PRODUCT[name]}"
            print(f"{architecture} {name}: {sum('HMMA' in line for line in found[name])} HMMA in {len(found[name])} lines")
    check_targets(tools / "cuobjdump", program, set(filter(None, found)))


if __name__ == "__main__":
    self_check()
    if sys.argv[1] == "resources":
        check_resources(sys.argv[2])
    else:
        check_instructions(*sys.argv[2:5])
