#!/usr/bin/env python3
"""Writes unicode_tables.cpp from what this Python's str methods say of every code point (3.11: Unicode 14).

usage: make_unicode_tables.py > unicode_tables.cpp
"""
import unicodedata

ALL = [chr(c) for c in range(0x110000)]


def merge(pairs):
    """[(code point, value)] in order -> [(first, last, stride, value)], strides 1 and 2."""
    out = []
    for code, value in pairs:
        if out and out[-1][3] == value:
            first, last, stride, _ = out[-1]
            step = code - last
            if step in (1, 2) and (stride == step or first == last):
                out[-1] = (first, code, step, value)
                continue
        out.append((code, code, 1, value))
    # The loop above may interleave two ranges of stride 2; look-up takes the last range that starts at or before a code
    # point, so a range must end before the next one starts.
    assert all(a[1] < b[0] for a, b in zip(out, out[1:]))
    return out


def ranges(name, test):
    rows = merge([(ord(c), 0) for c in ALL if test(c)])
    emit(name, "CodePointRange", [f"{{{a:#x}, {b:#x}, {s}}}" for a, b, s, _ in rows])


def mapping(name, change, default=lambda c: c):
    """Where a code point's other case is one code point and not what the default says."""
    pairs = [(ord(c), ord(change(c)) - ord(c)) for c in ALL if len(change(c)) == 1 and change(c) != default(c)]
    emit(name, "CaseRange", [f"{{{a:#x}, {b:#x}, {s}, {d}}}" for a, b, s, d in merge(pairs)])


def specials(name, change):
    rows = [(ord(c), "".join(f"\\x{b:02x}" for b in change(c).encode())) for c in ALL if len(change(c)) > 1]
    emit(name, "CaseSpecial", [f'{{{c:#x}, "{text}"}}' for c, text in rows])


def is_case_ignorable(c):
    """A sigma at the end of a word has a form of its own; these do not end a word."""
    return ("A" + c + "\u03a3").lower()[-1] == "\u03c2" and ("1" + c + "\u03a3").lower()[-1] == "\u03c3"


def emit(name, kind, rows):
    print(f"constexpr {kind} {name}Rows[] = {{")
    line = "   "
    for row in rows:
        if len(line) + len(row) + 2 > 120:
            print(line)
            line = "   "
        line += f" {row},"
    print(line)
    print("};\n")
    NAMES.append((name, kind))


NAMES = []
print(f"// Made by make_unicode_tables.py: Unicode {unicodedata.unidata_version}. Longer than a file should be; it is data.")
print('#include "refserver/chat/jinja/unicode_tables.hpp"\n\nnamespace refserver::jinja {\nnamespace {\n\n// clang-format off')
ranges("kUnprintable", lambda c: not c.isprintable())
ranges("kUpperLetters", str.isupper)
ranges("kLowerLetters", str.islower)
ranges("kTitleLetters", lambda c: c.istitle() and not c.isupper())
ranges("kCaseIgnorable", is_case_ignorable)
mapping("kToUpper", str.upper)
mapping("kToLower", str.lower)
mapping("kToTitle", str.title, default=str.upper)
specials("kToUpperSpecial", str.upper)
specials("kToTitleSpecial", str.title)
print("// clang-format on\n\n}  // namespace\n")
for name, kind in NAMES:
    print(f"const std::span<const {kind}> {name} = {name}Rows;")
print("\n}  // namespace refserver::jinja")
