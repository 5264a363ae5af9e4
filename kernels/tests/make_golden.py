#!/usr/bin/env python3
"""Prints golden_gptq.hpp: one small layer packed and multiplied by the definition of the format alone.

Shares nothing with the C++ code, uses exact fractions, and so is its independent check. From this folder:
    python3 make_golden.py > golden_gptq.hpp && clang-format -i golden_gptq.hpp
"""
from fractions import Fraction

IN, OUT, GROUP = 24, 16, 8
GROUPS = IN // GROUP
CODE = [[(3 * k + 5 * n + k // 8) % 16 for n in range(OUT)] for k in range(IN)]
SCALE = [[Fraction(8 + n + 2 * g, 256) for n in range(OUT)] for g in range(GROUPS)]  # exact in binary16
X = [Fraction(k - 12, 8) for k in range(IN)]
SYMMETRIC = [[8] * OUT for _ in range(GROUPS)]
ASYMMETRIC = [[(3 * g + n) % 16 for n in range(OUT)] for g in range(GROUPS)]  # zero 0 is among them: version 1 wraps
IN_ORDER = [k // GROUP for k in range(IN)]
SCATTERED = [(5 * k) % GROUPS for k in range(IN)]


def pack_rows():  # word (r, n): code[8r + j][n] in bits 4j
    return [sum(CODE[8 * r + j][n] << 4 * j for j in range(8)) for r in range(IN // 8) for n in range(OUT)]


def pack_zeros(zeros, minus):  # word (g, c): zero[g][8c + j] - minus, modulo 16, in bits 4j
    return [sum((zeros[g][8 * c + j] - minus) % 16 << 4 * j for j in range(8))
            for g in range(GROUPS) for c in range(OUT // 8)]


def half(value):  # a positive normal number that binary16 holds exactly
    exponent = 0
    while value >= 2:
        value, exponent = value / 2, exponent + 1
    while value < 1:
        value, exponent = value * 2, exponent - 1
    fraction = (value - 1) * 1024
    assert fraction.denominator == 1
    return (exponent + 15) << 10 | int(fraction)


def product(zeros, g_idx):
    return [float(sum(X[k] * SCALE[g_idx[k]][n] * (CODE[k][n] - zeros[g_idx[k]][n]) for k in range(IN)))
            for n in range(OUT)]


def array(kind, name, values, spell):
    print(f"inline constexpr std::array<{kind}, {len(values)}> {name}{{{', '.join(map(spell, values))}}};")


def main():
    print("// Written by make_golden.py from the definition of the format; not by the code it checks.")
    print("#pragma once\n\n#include <array>\n#include <cstddef>\n#include <cstdint>\n\nnamespace kernels::golden {\n")
    print(f"inline constexpr std::size_t kIn = {IN};\ninline constexpr std::size_t kOut = {OUT};")
    print(f"inline constexpr std::size_t kGroupSize = {GROUP};")
    word, real = (lambda v: f"0x{v:08X}U"), (lambda v: f"{float(v)!r}F")
    array("std::uint8_t", "kCodes", [c for row in CODE for c in row], str)
    array("std::uint32_t", "kQweight", pack_rows(), word)
    array("std::uint16_t", "kScaleBits", [half(s) for row in SCALE for s in row], lambda v: f"0x{v:04X}")
    array("float", "kScales", [s for row in SCALE for s in row], real)
    array("std::uint8_t", "kSymmetricZeros", [z for row in SYMMETRIC for z in row], str)
    array("std::uint8_t", "kAsymmetricZeros", [z for row in ASYMMETRIC for z in row], str)
    array("std::uint32_t", "kSymmetricV1", pack_zeros(SYMMETRIC, 1), word)
    array("std::uint32_t", "kAsymmetricV1", pack_zeros(ASYMMETRIC, 1), word)
    array("std::uint32_t", "kAsymmetricV2", pack_zeros(ASYMMETRIC, 0), word)
    array("std::int32_t", "kScattered", SCATTERED, str)
    array("float", "kX", X, real)
    array("float", "kSymmetricY", product(SYMMETRIC, IN_ORDER), real)
    array("float", "kAsymmetricY", product(ASYMMETRIC, IN_ORDER), real)
    array("float", "kScatteredY", product(ASYMMETRIC, SCATTERED), real)
    print("\n}  // namespace kernels::golden")


if __name__ == "__main__":
    main()
