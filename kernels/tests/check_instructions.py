#!/usr/bin/env python3
"""No vector instructions beyond the baseline outside the functions marked for them. Usage: check_instructions.py LIBRARY

Disassembles the library: a wide register in any function that is not in a simd_avx namespace would end the program on a
machine without it, wherever the linker took that function from. Exits 77 (skipped) without objdump or off x86-64.
"""
import platform
import re
import shutil
import subprocess
import sys

WIDE = re.compile(r"%[yz]mm|^\s*[0-9a-f]+:\s+v[a-z0-9]+\s")  # VEX and EVEX mnemonics begin with v
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
NOT_VECTOR = re.compile(r"\s(?:verr|verw|vm[a-z]+)\s")


def strays(lines):
    """(functions marked for vectors that use them, others that do)"""
    marked, others, name = set(), set(), ""
    for line in lines:
        if match := FUNCTION.match(line):
            name = match.group(1)
        elif WIDE.search(line) and not NOT_VECTOR.search(line):
            (marked if "simd_avx" in name else others).add(name)
    return marked, others


def self_test():
    text = ["0 <f()>:", "  1:\tmovaps %xmm0,%xmm1", "0 <k::simd_avx2::g()>:", "  1:\tvaddps %ymm0,%ymm1,%ymm2",
            "0 <std::h()>:", "  1:\tvaddss %xmm0,%xmm1,%xmm2", "0 <i()>:", "  1:\tcall 59 <i(int, void const*)+0x1>"]
    if strays(text) != ({"k::simd_avx2::g()"}, {"std::h()"}):
        sys.exit("check_instructions: self-check failed")


def main():
    self_test()
    if platform.machine() != "x86_64" or not shutil.which("objdump"):
        print("needs objdump and x86-64")
        sys.exit(77)
    text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", sys.argv[1]], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=100).stdout
    marked, others = strays(text.splitlines())
    for name in sorted(others):
        print(f"uses vectors beyond the baseline: {name}")
    print(f"check_instructions: {len(marked)} marked functions use them, {len(others)} others")
    sys.exit(1 if others or not marked else 0)


if __name__ == "__main__":
    main()
