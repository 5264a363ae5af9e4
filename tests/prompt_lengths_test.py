#!/usr/bin/env python3
"""Prompts that are made up to a number of tokens: the server, which has the same tokenizer, counts as many in each."""
import json
import pathlib
import shutil
import subprocess
import tempfile

import harness
from harness import BIN, Server, load, loadgen, run_dir


class PromptLengths(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.dir.name) / "tiny"
        subprocess.run([BIN / "refserver", "synth", "--arch", "qwen2", "--size", "tiny", "--out", cls.folder], check=True, capture_output=True)
        cls.bytewise = cls.folder.with_name("bytewise")
        shutil.copytree(cls.folder, cls.bytewise)
        vocabulary = json.loads((cls.folder / "tokenizer.json").read_text())
        vocabulary["model"]["merges"] = []
        (cls.bytewise / "tokenizer.json").write_text(json.dumps(vocabulary))

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def send(self, server, out, *flags):
        run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s", "--max-new-tokens", 2,
                   "--concurrency", 4, "--requests", 60, *flags)
        self.assertIn(run.code, (0, 4), run)
        self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 60}, run)
        return run

    def test_each_prompt_has_exactly_the_tokens_that_were_drawn(self):
        with Server("--model", f"qwen2={self.folder}", ttft="2ms", gap="1ms", models=()) as server, run_dir() as out:
            run = self.send(server, out, "--prompt-tokens", "uniform(1, 700)", "--tokenizer", self.folder)
            requested = {r["index"]: r["requested_input_tokens"] for r in run.requests}
            self.assertGreater(len(set(requested.values())), 30)
            self.assertEqual(requested, {r["index"]: r["input_tokens"] for r in run.requests})
            counts = run.summary["counts"]
            self.assertEqual(counts["requested_input_tokens"], sum(requested.values()))
            self.assertEqual(counts["told_input_tokens"], sum(requested.values()))
            self.assertFalse(any("by the server's count" in w for w in run.summary["warnings"]), run.summary["warnings"])
            entry = run.summary["scenario"]["mix"][0]
            self.assertEqual((entry["prompt_tokens"], entry["tokenizer"]), ("uniform(1, 700)", str(self.folder)))
            again = self.send(server, out.parent / "again", "--prompt-tokens", "uniform(1, 700)", "--tokenizer", self.folder)
            self.assertEqual(requested, {r["index"]: r["requested_input_tokens"] for r in again.requests})
            truth = {int(t["client_id"].rsplit("-", 1)[1]): t["prompt_tokens"] for t in server.truth()}
            self.assertEqual(truth, requested)

    def test_another_vocabulary_is_noticed(self):
        """To a server whose tokens are single bytes the words are far longer than asked for: the run says so."""
        with Server("--model", f"qwen2={self.bytewise}", ttft="2ms", gap="1ms", models=()) as server, run_dir() as out:
            run = self.send(server, out, "--prompt-tokens", 100)
            counts = run.summary["counts"]
            self.assertEqual(counts["requested_input_tokens"], 6000)
            self.assertGreater(counts["told_input_tokens"], 3 * 6000)
            self.assertTrue(any("by the server's count" in w for w in run.summary["warnings"]), run.summary["warnings"])

    def test_a_scenario_names_its_tokenizer_once(self):
        scenario = pathlib.Path(self.dir.name) / "lengths.yaml"
        scenario.write_text("schema_version: 1\nname: lengths\ntarget: http://127.0.0.1:1\nroute: tgi\nload: {mode: closed, concurrency: 1}\n"
                            "requests: 1\ntokenizer: tiny\nmix:\n  - {name: a, prompt_tokens: 64}\n  - {name: b, prompt_tokens: 'normal(50, 0.2)'}\n")
        check = loadgen("check", scenario)
        self.assertEqual(check.code, 0, check)
        self.assertIn("64 tokens", check.stdout)
        self.assertIn("normal(50, 0.2) tokens", check.stdout)
        scenario.write_text(scenario.read_text().replace("tiny", "bytewise"))
        check = loadgen("check", scenario)
        self.assertEqual(check.code, 64, check)
        self.assertIn("has 0 words of one token", check.stderr)


if __name__ == "__main__":
    harness.main()
