#!/usr/bin/env python3
"""What nvcc made of the CUDA kernels, looked at without a GPU. Compiles every .cu file for two architectures.

usage: cuda_code_test.py resources NVCC            registers, spills, stack and static shared memory, as ptxas says
       cuda_code_test.py instructions NVCC VENV    the hot kernels' machine code, by the disassembler in PyPI's triton wheel
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import harness

ARCHITECTURES = ("sm_89", "sm_90a")
# Registers that a thread may have: beyond them fewer blocks fit a processor than the kernel's header says.
REGISTERS = {"MatmulKernel<Int4Codec, 8u>": 128, "MatmulKernel<Int4Codec, 16u>": 128, "MatmulKernel<Int4Codec, 32u>": 128,
             "MatmulKernel<Int4Codec, 64u>": 255, "MatmulKernel<Int8Codec, 8u>": 128, "MatmulKernel<HalfCodec, 8u>": 128,
             "AttendKernel": 168, "PrefillKernel": 168, "NormKernel": 64, "StageKernel": 64, "SiluKernel": 64, "RopeKernel": 96,
             "TopKKernel": 64, "SampleKernel": 64, "RepairKernel": 64}
# What must be in the machine code of the kernels that a token's time is made of: tensor-core products, 128-bit loads from
# shared memory, copies past the registers, matrix loads.
HOT = {f"MatmulKernel<{codec}, {tokens}u>": ("HMMA.16816.F32", r"LDS.*\.128", "LDGSTS.*128", r"LDSM\.16\.M88\.4")
       for codec in ("Int4Codec", "Int8Codec", "HalfCodec") for tokens in (8, 16, 32, 64)}
HOT["AttendKernel"] = (r"LDS.*\.128", r"LDG.*\.128", "FFMA", "MUFU.EX2")
HOT["PrefillKernel"] = ("HMMA.16816.F32", r"LDSM\.16\.M88\.4", r"LDSM\.16\.MT88\.4", r"LDG.*\.128", "MUFU.EX2")
HOT["SampleKernel"] = (r"ATOMS", r"LDG")
FUNCTION = re.compile(r"run_kernel<kernels::cuda::(\w+(?:<kernels::cuda::\w+, \d+u>)?) ?>")


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
        assert len(kernels) >= 28, f"{architecture}: only {sorted(kernels)}"
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


def self_check():
    good = ["LDGSTS.E.BYPASS.LTC128B.128 [R1], desc[UR4][R2.64] ;", "LDS.128 R4, [R1] ;", "LDSM.16.M88.4 R8, [R2] ;",
            "HMMA.16816.F32 R4, R8, R10, R4 ;"]
    name = "MatmulKernel<Int4Codec, 8u>"
    assert faults(name, good) == [], faults(name, good)
    assert faults(name, good[1:]) == ["no LDGSTS.*128"]
    assert faults(name, good + ["STL [R1], R2 ;"]) == ["local memory is used"]
    line = ("ptxas info : Compiling entry function '_ZN7kernels4cuda10run_kernelINS0_10NormKernelEEEvNT_4ArgsE' for 'sm_89'\n"
            "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\nptxas info : Used 22 registers, 16 bytes smem\n")
    assert resources(line) == {"NormKernel": (22, 8, 16, 16)}, resources(line)


def check_instructions(nvcc, venv):
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
        for name in HOT:
            assert name in found, f"{architecture}: no {name} among {sorted(filter(None, found))}"
            wrong = faults(name, found[name])
            assert not wrong, f"{architecture} {name}: {', '.join(wrong)}"
            print(f"{architecture} {name}: {sum('HMMA' in line for line in found[name])} HMMA in {len(found[name])} lines")


if __name__ == "__main__":
    self_check()
    if sys.argv[1] == "resources":
        check_resources(sys.argv[2])
    else:
        check_instructions(sys.argv[2], sys.argv[3])
