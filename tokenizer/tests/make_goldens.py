#!/usr/bin/env python3
"""Writes data/<family>/golden.jsonl: strings with the ids, texts and spans Hugging Face's `tokenizers` gives for them.

One object a line: text; ids (with the post-processor's tokens) and ids_plain (without); decoded and decoded_keep (special tokens
left out and kept) of ids; spans, the offsets of each of ids in bytes of the text: always whole characters, without the marks that NFC composed, and trimmed of
white space where the post-processor says so.

usage: make_goldens.py      with `pip install tokenizers==0.23.3`
"""
import itertools
import json

from tokenizers import Tokenizer

from make_strings import CORPUS, DATA, strings
from make_tokenizers import FAMILIES

LONGEST = 120
COUNT = 320

# What every reader would try first; the same texts are checked against published ids with the real vocabularies.
PLAIN = ["", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", "Hello", " Hello", "  Hello", "   Hello", "    Hello", "    Hello\n    Hello",
         "Hello world", "Hello World", " Hello World!", "Hello, world!", " (", "\n =", "' era", "!!!!!!", "3", "33", "333", "3333", "33333",
         "333333333", "F\u00fchrer", "ied 4 \u00bd months", "w048 7tuijk dsdfhu", "C\u1eeda Vi\u1ec7t", "I'm sure they'd say it's OK, WE'LL see",
         "it'\u017f fine", "perpendicular perpendicular", "Plumbline plumbline zzz \u94c5\u5782\u7ebf", "1234567 and \u0661\u0662\u0663\u0664",
         "def main(args):\n    return {\"a\": [1, 2.5]}\n", "\u8bf7\u603b\u7ed3\u4ee5\u4e0b\u5185\u5bb9\uff1a\u4f60\u597d\uff0c\u4e16\u754c\uff01", "e\u0301 \u1100\u1161\u11a8 \u212b \u0958",
         "a \u00a0 b\u3000\u3000c\u2028d\u0085e\ufefff\u180eg", "\U0001f469\u200d\U0001f4bb \U0001f44d\U0001f3ff \U0001f1e9\U0001f1ea",
         "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
         "one<|endoftext|>two", "<tool_call>\n{}\n</tool_call>", "a <l> b <r> c <b> d", "sword word words word_ wordy \u00e9word word",
         "<o><o> <o <o>< o><s> <o><s>", "x <n> cafe\u0301 caf\u00e9 re\u0301sume\u0301 r\u00e9sum\u00e9", "aaaaaaa aa aaa", "a\u00a0b\n\n\nc  the  other", "a<r>\u2003 \u2003b \u2003\u2003 c",
         "a\u3000<l>\u00a0 <b>\u3000\u00a0b <b>\u2003"]


def chosen_strings():
    generated = [s for s in strings(seed=20261121, count=4000) if 0 < len(s) <= LONGEST]
    everyday = [line for line in CORPUS["text"] if line][:30]
    return list(dict.fromkeys([*PLAIN, *everyday, *generated]))[:COUNT]


def golden(tokenizer, text):
    encoding = tokenizer.encode(text)
    starts = [0, *itertools.accumulate(len(c.encode()) for c in text)]
    return {"text": text, "ids": encoding.ids, "ids_plain": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(encoding.ids), "decoded_keep": tokenizer.decode(encoding.ids, skip_special_tokens=False),
            "spans": [[starts[a], starts[b]] for a, b in encoding.offsets]}


if __name__ == "__main__":
    for family in FAMILIES:
        tokenizer = Tokenizer.from_file(str(DATA / family / "tokenizer.json"))
        lines = [json.dumps(golden(tokenizer, text), separators=(",", ":")) for text in chosen_strings()]
        (DATA / family / "golden.jsonl").write_text("\n".join(lines) + "\n")
        print(f"{family}: {len(lines)} strings, {sum(map(len, lines)) / 1000:.0f} kB")
