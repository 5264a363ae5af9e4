#!/usr/bin/env python3
"""Checkpoints that compute, as users run them: `generate` and `bench` on the command line, the same tokens over HTTP.

What is generated is compared between the ways of asking for it; that it is right is shown by refserver's own tests against
tests/golden/transformer.
"""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from harness import BIN, Server

PROMPTS = ["What is a plumb line?", "Ein Lot ist eine Schnur", "def f(x):\n    return", "1 2 3 4 5 6 7 8 9 " * 12]


def refserver(*args, code=0, stdin=None):
    done = subprocess.run([str(a) for a in (BIN / "refserver", *args)], capture_output=True, text=True, timeout=100, input=stdin)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Transformer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="transformer-"))
        cls.qwen2, cls.llama = cls.dir / "qwen2", cls.dir / "llama"
        refserver("synth", "--arch", "qwen2", "--seed", 3, "--group-size", 32, "--out", cls.qwen2)
        refserver("synth", "--arch", "llama", "--seed", 4, "--group-size", 32, "--desc-act", "--out", cls.llama)
        cls.prompts = cls.dir / "prompts.jsonl"
        cls.prompts.write_text("".join(json.dumps(p) + "\n" for p in PROMPTS[:2]) +
                               "".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS[2:]))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def generate(self, folder, *flags):
        done = refserver("generate", "--model", folder, "--prompts", self.prompts, "--max-new-tokens", 20, "--ignore-eos", *flags)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_one_by_one_and_together(self):
        for folder in (self.qwen2, self.llama):
            together = self.generate(folder, "--batch", 4)
            self.assertEqual(together, self.generate(folder, "--batch", 1))
            self.assertEqual([a["prompt"] for a in together], PROMPTS)
            self.assertTrue(all(len(a["token_ids"]) == 20 and a["finish_reason"] == "length" for a in together))
            alone = refserver("generate", "--model", folder, "--max-new-tokens", 20, "--ignore-eos", PROMPTS[1])
            self.assertEqual(alone.stdout, together[1]["text"] + "\n")
            self.assertIn("20 tokens in", alone.stderr)

    def test_seeds(self):
        draw = ("--temperature", "1.0", "--top-p", "0.9", "--seed")
        first = self.generate(self.qwen2, *draw, 1, "--batch", 4)
        self.assertEqual(first, self.generate(self.qwen2, *draw, 1, "--batch", 2))
        self.assertNotEqual(first, self.generate(self.qwen2, *draw, 2))
        self.assertNotEqual(first, self.generate(self.qwen2))

    def test_chat_and_stdin(self):
        chat = refserver("generate", "--model", self.qwen2, "--chat", "-", "--max-new-tokens", 8, stdin="Hello")
        plain = refserver("generate", "--model", self.qwen2, "-", "--max-new-tokens", 8, stdin="Hello")
        count = lambda done: int(done.stderr.splitlines()[-1].split()[0])
        self.assertGreater(count(chat), count(plain))

    def test_what_cannot_be_done(self):
        missing = refserver("generate", "--model", self.dir / "none", "x", code=65)
        self.assertIn("is not a folder", missing.stderr)
        small = refserver("generate", "--model", self.qwen2, "--memory-mb", 1, "x", code=65)
        self.assertRegex(small.stderr, r"does not fit 1 MB: weights take \d+ MB, buffers \d+ MB, and \d+ tokens")
        long = refserver("generate", "--model", self.qwen2, "--context", 16, "word " * 40, code=65)
        self.assertIn("longer than the context", long.stderr)
        backend = refserver("generate", "--model", self.qwen2, "--backend", "abacus", "x", code=65)
        self.assertIn("no backend abacus, but", backend.stderr)
        self.prompts_file("bad.jsonl", '"good"\n{"inputs": 3}\n')
        bad = refserver("generate", "--model", self.qwen2, "--prompts", self.dir / "bad.jsonl", code=65)
        self.assertIn("bad.jsonl:2: expected a JSON string", bad.stderr)

    def prompts_file(self, name, text):
        (self.dir / name).write_text(text)

    def test_bench(self):
        out = self.dir / "bench.json"
        done = refserver("bench", "--model", self.qwen2, "--prompt", 24, "--decode", 6, "--batch", "1,3", "--runs", 2, "--compare",
                         "serial,static,continuous", "--no-kv-cache", "--cold-start", "--roofline", "--precision", "fast", "--out", out)
        report = json.loads(out.read_text())
        self.assertEqual([(r["how"], r["requests"]) for r in report["loads"]],
                         [(how, n) for n in (1, 3) for how in ("serial", "static", "continuous")] + [("no KV cache", 1)])
        for load in report["loads"]:
            self.assertEqual(len(load["runs"]["seconds"]), 2)
            self.assertAlmostEqual(load["seconds"], sum(load["runs"]["seconds"]) / 2)
            self.assertGreater(load["tokens_per_s"], 0)
            self.assertAlmostEqual(load["speed_up"], load["tokens_per_s"] / report["loads"][0]["tokens_per_s"])
        self.assertIn("over one", done.stdout)
        # 2 layers 128 wide: four matrices of 128 x 128 or half, three of 128 x 256; the head is stored with 16 bits.
        layer_macs = 2 * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * 256)
        head_macs = 128 * json.loads((self.qwen2 / "config.json").read_text())["vocab_size"]
        self.assertEqual((report["layer_macs_per_token"], report["head_macs_per_token"]), (layer_macs, head_macs))
        # 4 bits a weight and a scale of 16 for 32 of them, and nothing else: zero points in the middle are not kept.
        self.assertEqual(report["weight_bytes_per_step"], layer_macs // 2 + layer_macs // 32 * 2 + head_macs * 2)
        for load in report["loads"][:-1]:
            self.assertAlmostEqual(load["decode_gmac_per_s"], load["decode_tokens_per_s"] * (layer_macs + head_macs) / 1e9)
            self.assertAlmostEqual(load["decode_share_of_memory"], load["decode_weight_gb_per_s"] / load["memory_read_gb_per_s"])
            self.assertEqual(len(load["runs"]["memory_read_bytes_per_s"]), 2)
        self.assertGreater(report["cold_start_s"], 0)
        self.assertGreater(report["memory"]["resident"], report["memory"]["kv"])
        self.assertIn("| how ", done.stdout)

    def test_memory_is_what_was_planned(self):
        """Between a small load of a small model and a large load of a larger one; what both hold beside the plan drops out."""
        big = self.dir / "big"
        refserver("synth", "--arch", "qwen2", "--vocab-size", 262144, "--out", big)
        small = self.measured_memory(self.qwen2, "--prompt", 8, "--decode", 2, "--batch", 1)
        for head, least in (("stored", 30e6), ("int8", 60e6)):
            with self.subTest(head):
                large = self.measured_memory(big, "--prompt", 1000, "--decode", 24, "--batch", 16, "--lm-head", head)
                planned = sum(large[key] - small[key] for key in ("weights", "kv", "buffers"))
                held = large["resident_anonymous"] - small["resident_anonymous"]
                self.assertGreater(planned, least)
                self.assertGreater(held, 0.95 * planned)
                self.assertLess(held, 1.1 * planned + 4e6)
        shutil.rmtree(big)

    def measured_memory(self, model, *flags):
        out = self.dir / "memory.json"
        refserver("bench", "--model", model, "--runs", 1, *flags, "--out", out)
        return json.loads(out.read_text())["memory"]

    def test_served_tokens_are_those_of_the_command(self):
        expected = {"qwen2": self.generate(self.qwen2), "llama3": self.generate(self.llama)}
        flags = ("--engine", "cpu", "--model", f"qwen2={self.qwen2}", "--model", f"llama3={self.llama}", "--cpu-memory-mb", 400)
        with Server(*flags, models=()) as server:
            for model, answers in expected.items():
                for prompt, answer in zip(PROMPTS, answers):
                    body = {"model": model, "inputs": prompt,
                            "parameters": {"max_new_tokens": 20, "ignore_eos": True, "details": True}}
                    got = post(server.url + "/generate", body)
                    self.assertEqual([t["id"] for t in got["details"]["tokens"]], answer["token_ids"], (model, prompt))
                    self.assertEqual(got["generated_text"], answer["text"])
            chat = post(server.url + "/v1/chat/completions", {"model": "llama3", "max_tokens": 5, "temperature": 0,
                                                              "messages": [{"role": "user", "content": "Hello"}]})
            self.assertGreaterEqual(chat["usage"]["completion_tokens"], 1)

    def test_server_refuses_what_does_not_fit(self):
        both = ("--engine", "cpu", "--model", f"qwen2={self.qwen2}", "--model", f"llama3={self.llama}")
        done = subprocess.run([str(a) for a in (BIN / "refserver", "serve", "--port", 0, *both, "--cpu-memory-mb", 5)],
                              capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"\d+ MB of the 5 MB")
        bare = subprocess.run([str(BIN / "refserver"), "serve", "--port", "0", "--engine", "cpu", "--model", "qwen2"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(bare.returncode, 64)
        self.assertIn("needs its checkpoint", bare.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
