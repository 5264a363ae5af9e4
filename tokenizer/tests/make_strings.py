#!/usr/bin/env python3
"""Strings that tokenizers disagree about: deterministic per seed, the same on every Python.

Kinds are functions of a random generator; nothing here asks Python's own Unicode tables, whose version is the interpreter's.

usage: make_strings.py [--seed N] [--count N] [--big] [--sweep]     prints JSON strings, one a line
"""
import argparse
import json
import pathlib
import random

DATA = pathlib.Path(__file__).resolve().parent / "data"

# Blocks as (first, last), unassigned holes included: those must agree too.
SCRIPTS = [
    (0x41, 0x5A), (0x61, 0x7A), (0x61, 0x7A), (0xC0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x370, 0x3FF), (0x400, 0x52F),
    (0x531, 0x58A), (0x590, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7BF), (0x7C0, 0x7FA), (0x800, 0x85E), (0x860, 0x8FF),
    (0x900, 0x97F), (0x980, 0x9FE), (0xA00, 0xA7F), (0xA80, 0xAFF), (0xB00, 0xB7F), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xC80, 0xCFF),
    (0xD00, 0xD7F), (0xD80, 0xDFF), (0xE00, 0xE5B), (0xE80, 0xEDF), (0xF00, 0xFDA), (0x1000, 0x109F), (0x10A0, 0x10FF),
    (0x1100, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x13FD), (0x1400, 0x167F), (0x1680, 0x169F), (0x16A0, 0x16F8), (0x1700, 0x177F),
    (0x1780, 0x17F9), (0x1800, 0x18AA), (0x1900, 0x194F), (0x1980, 0x19DF), (0x1A20, 0x1AAD), (0x1B00, 0x1B7E), (0x1B80, 0x1BFF),
    (0x1C00, 0x1C4F), (0x1C50, 0x1C7F), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x2C00, 0x2C5F), (0x2C80, 0x2CFF), (0x2D30, 0x2D7F),
    (0x2E80, 0x2FD5), (0x3040, 0x309F), (0x30A0, 0x30FF), (0x3105, 0x318E), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x4E00, 0x9FFF),
    (0xA000, 0xA4C6), (0xA4D0, 0xA62B), (0xA640, 0xA6F7), (0xA720, 0xA7FF), (0xA800, 0xA877), (0xA880, 0xA8FF), (0xA900, 0xA95F),
    (0xA960, 0xA97C), (0xA980, 0xA9DF), (0xAA00, 0xAADF), (0xAB30, 0xABF9), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FB), (0xF900, 0xFAD9),
    (0xFB00, 0xFB4F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC), (0xFF00, 0xFFEF), (0x10000, 0x100FA), (0x10280, 0x1031F),
    (0x10330, 0x103D5), (0x10400, 0x104FB), (0x10570, 0x105BC), (0x10600, 0x10767), (0x10780, 0x107BA), (0x10800, 0x10855),
    (0x10900, 0x1093F), (0x10A00, 0x10A58), (0x10C00, 0x10CFF), (0x10D00, 0x10D39), (0x10D40, 0x10D8F), (0x10E80, 0x10EFF),
    (0x11000, 0x1107F), (0x11080, 0x110C2), (0x11100, 0x11147), (0x11180, 0x111F4), (0x11300, 0x11374), (0x11380, 0x113E2),
    (0x11400, 0x11461), (0x11580, 0x115DD), (0x11680, 0x116E3), (0x11700, 0x11746), (0x118A0, 0x11959), (0x11BC0, 0x11BF9),
    (0x11C00, 0x11CB6), (0x11F00, 0x11F5A), (0x12000, 0x12543), (0x13000, 0x13455), (0x13460, 0x143FA), (0x14400, 0x14646),
    (0x16100, 0x16139), (0x16800, 0x16A38), (0x16A40, 0x16B8F), (0x16D40, 0x16D79), (0x16E40, 0x16E9A), (0x17000, 0x18CD5),
    (0x1B000, 0x1B122), (0x1BC00, 0x1BCA3), (0x1D400, 0x1D7FF), (0x1DF00, 0x1DF2A), (0x1E030, 0x1E08F), (0x1E100, 0x1E14F),
    (0x1E290, 0x1E2FF), (0x1E4D0, 0x1E4F9), (0x1E5D0, 0x1E5FF), (0x1E800, 0x1E8D6), (0x1E900, 0x1E95F), (0x1EE00, 0x1EEF1),
    (0x20000, 0x2A6DF), (0x2A700, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x323AF),
]
# New in Unicode 13 to 17: a library's tables end somewhere among them.
RECENT = [0x8BE, 0x8C7, 0xD04, 0x31BB, 0x9FF0, 0x9FFC, 0xA7C7, 0x10E80, 0x10FB0, 0x11900, 0x18B00, 0x30000, 0x870, 0x8B5, 0xC5D, 0xCDD,
          0x170D, 0x2C2F, 0x9FFD, 0x9FFF, 0xA7C0, 0xA7D0, 0x10570, 0x10780, 0x12F90, 0x1AFF0, 0x1B11F, 0x1DF00, 0x1E290, 0x1E7E0,
          0x1CF0, 0x11F02, 0x11F50, 0x1B132, 0x1D2C0, 0x1DF25, 0x1E030, 0x1E4D0, 0x31350, 0x323AF, 0x2EBF0, 0x2EE5D, 0x2FFC, 0x31EF,
          0x1C89, 0xA7CB, 0xA7DA, 0x105C0, 0x10D40, 0x10D4A, 0x11380, 0x11BC0, 0x13460, 0x16100, 0x16130, 0x16D40, 0x1CCF0, 0x1E5D0,
          0x1E5F1, 0x88F, 0xC5C, 0xCDC, 0xA7CE, 0x10940, 0x11DB0, 0x11DE0, 0x16EA0, 0x323B0, 0x3347F]
MARKS = [(0x300, 0x36F), (0x300, 0x345), (0x483, 0x489), (0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x670), (0x6D6, 0x6ED), (0x730, 0x74A),
         (0x93C, 0x94D), (0x9BC, 0x9D7), (0xB3C, 0xB57), (0xBBE, 0xBD7), (0xCBC, 0xCD6), (0xDCA, 0xDDF), (0xE34, 0xE4E), (0xF71, 0xF84),
         (0x102B, 0x103A), (0x135D, 0x135F), (0x1AB0, 0x1ACE), (0x1B34, 0x1B44), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0x302A, 0x302F),
         (0x3099, 0x309A), (0xA66F, 0xA67D), (0xFB1E, 0xFB1E), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0x110B9, 0x110BA), (0x11127, 0x11134),
         (0x1133C, 0x11357), (0x114B0, 0x114C3), (0x115AF, 0x115C0), (0x16AF0, 0x16AF4), (0x1BC9D, 0x1BC9E), (0x1D165, 0x1D172),
         (0x1E8D0, 0x1E8D6), (0x1E944, 0x1E94A), (0xE0100, 0xE01EF)]
# Composition's corners: singletons, exclusions, marks that compose, starters that compose with starters.
NORMALISING = [0x340, 0x341, 0x343, 0x344, 0x374, 0x37E, 0x387, 0x958, 0x95F, 0x9DC, 0xA33, 0xB5C, 0xF43, 0xF73, 0xF75, 0xF81, 0x1F71,
               0x1FEF, 0x2000, 0x2001, 0x2126, 0x212A, 0x212B, 0x2329, 0x232A, 0x2ADC, 0xF900, 0xFA0E, 0xFA10, 0xFB1D, 0xFB2A, 0x1D15E,
               0x1D1BB, 0x2F800, 0x2FA1D, 0x9C7, 0x9BE, 0x9D7, 0xDD9, 0xDCF, 0x1025, 0x102E, 0x1B05, 0x1B35, 0x11131, 0x11127, 0x11347,
               0x1133E, 0x114B9, 0x114BA, 0x115B8, 0x115AF, 0x11935, 0x11930, 0x6D5, 0x654, 0x627, 0x653, 0x1100, 0x1161, 0x11A8, 0xAC00,
               0x41, 0x61, 0x30A, 0x323, 0x307, 0x64, 0x73, 0x1E9B, 0x17F, 0x3C9, 0x313, 0x301, 0x345, 0x342, 0x338, 0x3D, 0x2290,
               0x105D2, 0x307, 0x16D67, 0x16121, 0x113C5, 0x1611E, 0x1611F]
SPACES = [0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x20, 0x20, 0x20, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x2003, 0x2007, 0x2009, 0x200A, 0x200B,
          0x200C, 0x200D, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF, 0x1C, 0x1D, 0x1E, 0x1F, 0x2800, 0x3164, 0xFFA0]
NUMBERS = [0x30, 0x31, 0x39, 0x660, 0x6F3, 0x7C1, 0x966, 0x9E7, 0xA6E, 0xAE7, 0xB68, 0xBE6, 0xC68, 0xCE8, 0xD68, 0xE55, 0xED3, 0xF24,
           0x1042, 0x17E4, 0x1812, 0x1947, 0x1A83, 0x1B54, 0x1C43, 0xA623, 0xA8D5, 0xABF3, 0xFF10, 0xFF19, 0x104A3, 0x11068, 0x1D7CE,
           0x1D7FF, 0x1E143, 0x1E2F4, 0x1E953, 0x1FBF4, 0xB2, 0xB9, 0xBC, 0xBD, 0x9F4, 0xBF0, 0xF2A, 0x1369, 0x137C, 0x2070, 0x2074,
           0x2080, 0x2150, 0x2160, 0x2163, 0x216B, 0x2170, 0x2180, 0x2182, 0x2188, 0x2189, 0x2460, 0x249B, 0x24EA, 0x2776, 0x3007, 0x3021,
           0x3029, 0x3192, 0x3220, 0x3248, 0x3251, 0x3280, 0x32B1, 0xA6E6, 0xA830, 0x10107, 0x10140, 0x10142, 0x102E1, 0x10341, 0x103D1,
           0x10858, 0x12400, 0x1246E, 0x1D360, 0x1EC71, 0x1F100, 0x4E00, 0x58F1]
PUNCTUATION = ".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u2014\u3002\uff0c\u3001\uff01\u00bf\u00a1\u060c\u0964\u20ac\u00a3\u2192\u2603\u00b0\u02bc\u2032"
EMOJI = [0x1F600, 0x1F44D, 0x2764, 0x1F468, 0x1F469, 0x1F467, 0x1F3F4, 0x1F3F3, 0x1F308, 0x2708, 0x31, 0x23, 0x1FAE8, 0x1FAE9, 0x1F9D1,
         0x1F4BB, 0x2640, 0x2642, 0x26A7, 0x1F680]
EMOJI_GLUE = ["", "", "\u200d", "\ufe0f", "\ufe0f\u200d", "\ufe0e", "\U0001f3fb", "\U0001f3ff", "\u20e3", "\ufe0f\u20e3"]
MARKERS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>",
           "<|reserved_special_token_0|>", "<|reserved_special_token_9|>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<|im_start|>",
           "<|im_end|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|file_sep|>", "<s>", "</s>", "<l>", "<r>", "<b>", "<w>", "<n>",
           "<o", "<o>", "<o><o>", "o><s", " <sp>", "<sp>", "<nl>", "<|end|>", "<|end|><|x|>", "word", "wordy", "the", "caf\u00e9",
           "cafe\u0301", "re\u0301sume\u0301", "r\u00e9sum\u00e9", "e\u0301", "\u4f60\u597d", "aaaa", "aa", "\n\n", "_", "\u00a0", "zzz",
           "plumbline", "Plumbline", " perpendicular"]
CODE = ["def f(x):", "    return x", "\tif (a != b) {", "}", "};", "for (int i = 0; i < n; ++i)", "#include <vector>", "std::cout << \"hi\\n\";",
        "SELECT * FROM t WHERE id=1;", "x = y // 2  # half", "\"key\": [1, 2.5e-3, null]", "<div class=\"a\">text</div>", "https://example.com/?q=%20&x=1",
        "C:\\Users\\me", "$HOME/.bashrc", "a->b.c[0](*d)", "// TODO", "/* x */", "```python", "| a | b |", "- [ ] item", "## Title",
        "1. first", "**bold**_it_", "\\frac{1}{2}", "0x1F", "1_000", "camelCaseName", "snake_case_name", "==", "!==", "<<=", "&&", "||"]


def any_of(rng, ranges):
    first, last = rng.choice(ranges)
    return chr(rng.randint(first, last))


def words(rng):
    """Words of one to three scripts, marks among the letters."""
    blocks = [rng.choice(SCRIPTS) for _ in range(rng.randint(1, 3))]
    out = []
    for _ in range(rng.randint(1, 8)):
        block = rng.choice(blocks)
        out.append("".join(chr(rng.randint(*block)) for _ in range(rng.randint(1, 9))))
        out.append(rng.choice([" ", " ", " ", "", "  ", "-", rng.choice(PUNCTUATION), rng.choice(PUNCTUATION) + " ", "\n"]))
    return "".join(out)


def natural(rng):
    """Everyday words in sentences."""
    language = rng.choice(["en", "en", "zh", "other"])
    pool = CORPUS[language]
    glue = "" if language == "zh" else " "
    parts = [rng.choice(pool) for _ in range(rng.randint(1, 40))]
    text = glue.join(rng.choice([w, w, w, w.capitalize(), w.upper(), w + rng.choice([",", ".", "!", "?", "\uff0c", "\u3002", "'s", ":"])]) for w in parts)
    return text + rng.choice(["", ".", "\n", "\n\n", " ", "!?", "\r\n"])


def anything(rng):
    """Any code points at all, the surrogates excepted."""
    out = []
    for _ in range(rng.randint(1, 24)):
        top = rng.choice([0x7F, 0xFF, 0x7FF, 0xFFFF, 0xFFFF, 0x1FFFF, 0x10FFFF])
        c = rng.randint(0, top)
        out.append(chr(c) if not 0xD800 <= c <= 0xDFFF else chr(c - 0xD800))
    return "".join(out)


def marks(rng):
    """Bases with marks in every order, and what composes with what."""
    out = []
    for _ in range(rng.randint(1, 8)):
        out.append(rng.choice([chr(rng.choice(NORMALISING)), chr(rng.randint(0x41, 0x5A)), chr(rng.randint(0x61, 0x7A)), any_of(rng, SCRIPTS),
                               chr(rng.randint(0xC0, 0x17F)), chr(rng.randint(0x1E00, 0x1FFE)), " ", ""]))
        out += [rng.choice([chr(rng.choice(NORMALISING)), any_of(rng, MARKS), any_of(rng, MARKS[:2])]) for _ in range(rng.randint(0, 5))]
    return "".join(out)


def jamo(rng):
    """Hangul syllables, whole, conjoining, half-joined and broken."""
    out = []
    for _ in range(rng.randint(1, 10)):
        out.append(chr(rng.choice([rng.randint(0xAC00, 0xD7A3), 0xAC00 + 28 * rng.randint(0, 398), rng.randint(0x1100, 0x1112),
                                   rng.randint(0x1161, 0x1175), rng.randint(0x11A7, 0x11C2), rng.randint(0x1100, 0x11FF), 0x20, 0x302E])))
    return "".join(out)


def emoji(rng):
    out = []
    for _ in range(rng.randint(1, 10)):
        kind = rng.randint(0, 9)
        if kind == 0:
            out.append("".join(chr(rng.randint(0x1F1E6, 0x1F1FF)) for _ in range(rng.randint(1, 5))))
        elif kind == 1:
            out.append("\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in rng.choice(["gbeng", "gbsct", "usca"])) + "\U000e007f")
        elif kind == 2:
            out.append(rng.choice([" ", "a", "1", "\n", "!", "\u200d"]))
        else:
            out.append(chr(rng.choice(EMOJI)) + rng.choice(EMOJI_GLUE))
    return "".join(out)


def numbers(rng):
    out = []
    for _ in range(rng.randint(1, 6)):
        base = rng.choice(NUMBERS)
        out.append("".join(chr(rng.choice([base, base, rng.choice(NUMBERS), rng.randint(0x30, 0x39)])) for _ in range(rng.randint(1, 11))))
        out.append(rng.choice(["", " ", "  ", ".", ",", "-", "a", "\u0301", "\n", "%", "\u00a0", "th "]))
    return "".join(out)


def controls(rng):
    pool = [*range(0x20), 0x7F, *range(0x80, 0xA0), 0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, 0x2066, 0x2069, 0xFFF9,
            0xFFFC, 0xFFFD, 0x61, 0x20, 0x31, 0xE0001]
    return "".join(chr(rng.choice(pool)) for _ in range(rng.randint(1, 16)))


def spaces(rng):
    """Runs of white space of every kind between and around words."""
    out = []
    for _ in range(rng.randint(1, 6)):
        one = rng.choice([None, 0x20, 0x20, 0xA])
        out.append("".join(chr(one or rng.choice(SPACES)) for _ in range(rng.randint(0, 9))))
        out.append(rng.choice(["", "", "a", "word", "B", "1", "12345", "!", "\u4f60", "\u0301", "'s", "_", "\r", "\n", "\r\n", "\U0001f600"]))
    return "".join(out)


def contractions(rng):
    endings = ["s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "Re", "rE", "VE", "vE", "M", "LL", "Ll", "lL", "D", "\u017f", "\u212a", "r", "l",
               "v", "x", "st", "tt", "sd", "s1", "\u017ft", "re\u0301", "", "1", " s", "LLs", "\u1e9e", "\ufb06"]
    marks_ = ["'", "'", "'", "'", "\u2019", "''", "`", "\u02bc", "\uff07", " '", "\n'"]
    out = []
    for _ in range(rng.randint(1, 6)):
        out.append(rng.choice(["I", "it", "we", "", " ", "DON", "1", "\u00e9", "?", "\u4f60", "they", "\u0301", "_", "\n", "O"]))
        out.append(rng.choice(marks_) + rng.choice(endings) + rng.choice(["", " ", "", "x", "'", "\n", "\u0301", "."]))
    return "".join(out)


def markers(rng):
    """Real special tokens and look-alikes: cut, doubled, nested, spaced."""
    out = []
    for _ in range(rng.randint(1, 7)):
        m = rng.choice(MARKERS)
        cut = rng.randint(0, len(m))
        out.append(rng.choice([m, m, m, m, m[:cut], m[cut:], m[:cut] + m, m.upper(), m.replace("|", "\uff5c"), m[:cut] + "\u0301" + m[cut:],
                               m[:cut] + rng.choice(MARKERS) + m[cut:]]))
        out.append(rng.choice(["", "", "", " ", "  ", "\n", "\n\n", "\t", "\u3000", "\u200b", "a", "Z", "1", "_", "!", "\u0301", "\u00e9", "user", " user", "\u4f60", "-", "\u2028"]))
    return "".join(out)


def code(rng):
    lines = []
    for _ in range(rng.randint(1, 8)):
        line = rng.choice(CODE) if rng.randint(0, 2) else rng.choice(CORPUS["text"])
        lines.append(rng.choice(["", "", "  ", "    ", "\t", "\t\t", " "]) + line + rng.choice(["", "", " ", "  "]))
    return rng.choice(["\n", "\n", "\r\n", "\n\n", "\r"]).join(lines) + rng.choice(["", "\n"])


def runs(rng):
    """Long runs of one class, with a seam somewhere."""
    atom = rng.choice(["a", "A", "ab", "\u00e9", "e\u0301", "\u4f60", "1", "12", "\u0661", " ", "\n", "\r\n", "\t", "!", "-=", "'", "'s", "\u3000", "\U0001f600",
                       "\u0301", "\uac00", "\u1100\u1161", "\ufeff", "aa ", " a", "<|im_end|>", "<|", "zzz", "the ", "\u00a0", "aaaa", "_"])
    text = atom * rng.choice([2, 3, 7, 15, 16, 17, 31, 64, 100, 255, 256, 257, 300])
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(["", "", "x", " ", "\n", "5", "."]) + text[at:]


def outside(rng):
    """Private use, unassigned, noncharacters, variation selectors, tags."""
    pool = [0xE000, 0xF8FF, 0xF0000, 0xFFFFD, 0x10FFFD, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF, 0x378, 0x5FF, 0x2FE0, 0x50000, 0xDFFFF,
            0xFE0F, 0xE0100, 0xE0041, 0x61, 0x20, 0x31]
    return "".join(chr(rng.choice(pool + RECENT)) for _ in range(rng.randint(1, 12)))


def mutated(rng):
    """Another kind's string with pieces moved, lost and doubled."""
    text = list(rng.choice(KINDS[:-2])(rng))
    for _ in range(rng.randint(1, 4)):
        i, j = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        text = rng.choice([text[:i] + text[j:], text[:j] + text[i:], text[i:] + text[:i], text[:i] + list(rng.choice(PUNCTUATION + " \n\t")) + text[i:]])
    return "".join(text)


def joined(rng):
    return "".join(rng.choice(KINDS[:-1])(rng) for _ in range(rng.randint(2, 4)))


KINDS = [words, natural, anything, marks, jamo, emoji, numbers, controls, spaces, contractions, markers, code, runs, outside, mutated, joined]


def load_corpus():
    texts = {name: (DATA / "corpus" / f"words.{name}.txt").read_text().split() for name in ("en", "zh", "other")}
    return texts | {"text": (DATA / "corpus" / "text.txt").read_text().splitlines()}


CORPUS = load_corpus()


def strings(seed, count=10000):
    """`count` strings of every kind in turn."""
    rng = random.Random(seed)
    return [KINDS[i % len(KINDS)](rng) for i in range(count)]


def big_strings(size=1 << 20):
    """A megabyte each of what is slow in a careless tokenizer."""
    return ["a" * size, " " * size, "ab" * (size // 2), "a " * (size // 2), "\n" * size, "e\u0301" * (size // 3), "\u0301" * (size // 2),
            "!" * size, "1" * size, "\u4f60" * (size // 3), "<|im_end|" * (size // 9), "<|im_end|>" * (size // 10), "'" * size]


def code_points():
    """Every code point that a string can hold."""
    return [*range(0xD800), *range(0xE000, 0x110000)]


# Ranges of one kind and nothing else: every 61st of them stands for the rest in contexts.
BULK = [(0x3400, 0x9FFF), (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0x12000, 0x12543), (0x13460, 0x143FA), (0x14400, 0x14646),
        (0x17000, 0x18CD5), (0x1D800, 0x1DA8B), (0x20000, 0xDFFFF), (0xE0200, 0x10FFFF)]


def sweep_alone():
    """Each code point of the planes that hold characters, by itself."""
    return [chr(c) for c in code_points() if c < 0x40000 or 0xE0000 <= c < 0xE1000]


def sweep_context(per_string=16):
    """Code points between letters, digits, spaces and marks, some to a string."""
    points = [c for c in code_points() if c % 61 == 0 or not any(first <= c <= last for first, last in BULK)]
    contexts = [f"a{c}b {c}1{c}\n{c}{c} {c}\u0301e{c}\u0323'{c}." for c in map(chr, points)]
    return ["".join(contexts[at:at + per_string]) for at in range(0, len(contexts), per_string)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--big", action="store_true", help="the megabyte strings instead")
    parser.add_argument("--sweep", action="store_true", help="every code point alone and in contexts instead")
    args = parser.parse_args()
    chosen = big_strings() if args.big else [*sweep_alone(), *sweep_context()] if args.sweep else strings(args.seed, args.count)
    for text in chosen:
        print(json.dumps(text))
