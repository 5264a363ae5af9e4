#!/usr/bin/env python3
"""Servers that none of the routes describes: the shipped templates, each against a server that speaks its wire, and
templates of a scenario's own."""
import json
import subprocess
import tempfile

import harness
import wire_servers
from harness import load, loadgen, run_dir
from wire_servers import WireServer

TOKENS = 6
PROMPT = 'Say "hi"\n\u4f60\u597d \\ {model}'

# endpoint, server, streamed, output tokens known from, their number as counted, input tokens, finish reason
CASES = [
    ("ollama-generate", wire_servers.ollama, True, "server_usage", 11, "length"),
    ("ollama-generate", wire_servers.ollama, False, "server_usage", 11, "length"),
    ("ollama-chat", wire_servers.ollama, True, "server_usage", 11, "length"),
    ("triton-generate-stream", wire_servers.triton, True, "chunks", None, ""),
    ("triton-generate", wire_servers.triton, False, "none", None, ""),
    ("sglang-generate", wire_servers.sglang, True, "server_usage", 5, "length"),
    ("llama-cpp-completion", wire_servers.llama_cpp, True, "server_usage", 6, "limit"),
    ("llama-cpp-completion", wire_servers.llama_cpp, False, "server_usage", 6, "limit"),
    ("prompt-max-tokens", wire_servers.bare, True, "chunks", None, ""),
]


def prompt_sent(body):
    """The one text of a request that holds the prompt."""
    if isinstance(body, dict):
        body = list(body.values())
    if isinstance(body, list):
        found = [prompt_sent(item) for item in body]
        return next((text for text in found if text), None)
    return body if isinstance(body, str) and "Say" in body else None


class Endpoints(harness.Test):
    def test_each_shipped_template_reads_its_servers_answers(self):
        for endpoint, respond, stream, source, input_tokens, reason in CASES:
            with self.subTest(endpoint=endpoint, stream=stream), WireServer(respond) as server, run_dir() as out:
                run = load(out, "--target", server.url, "--endpoint", endpoint, "--model", "ensemble", "--prompt", PROMPT,
                           "--stream" if stream else "--no-stream", "--concurrency", 2, "--requests", 4, "--warmup", "0s",
                           "--max-new-tokens", TOKENS)
                self.assertCode(run, 0)
                self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 4}, repr(run))
                self.assertEqual(run.summary["scenario"]["mix"][0]["endpoint"], endpoint)
                for request in run.requests:
                    self.assertEqual(request["token_source"], source)
                    self.assertEqual(request["output_tokens"], 0 if source == "none" else TOKENS)
                    self.assertEqual(request.get("input_tokens"), input_tokens)
                    self.assertEqual(request.get("finish_reason", ""), reason)
                if stream:
                    self.assertEqual(run.summary["metrics"]["ttft"]["count"], 4)
                for _, _, body in server.requests:
                    self.assertTrue(prompt_sent(body).endswith(PROMPT), body)

    def test_a_tokenizer_counts_where_the_server_does_not(self):
        with WireServer(wire_servers.triton) as server, run_dir() as out, tempfile.TemporaryDirectory() as folder:
            subprocess.run([harness.BIN / "refserver", "synth", "--arch", "qwen2", "--size", "tiny", "--out", f"{folder}/tiny"], check=True,
                           capture_output=True)
            for stream in ("--stream", "--no-stream"):
                run = load(out / stream, "--target", server.url, "--endpoint", "triton-generate-stream" if stream == "--stream" else "triton-generate",
                           stream, "--model", "ensemble", "--prompt", "hi", "--concurrency", 1, "--requests", 4, "--warmup", "0s",
                           "--max-new-tokens", TOKENS, "--tokenizer", f"{folder}/tiny")
                text = "".join(wire_servers.words(TOKENS))
                counted = subprocess.run([harness.BIN / "tokenize", "--tokenizer", f"{folder}/tiny"], input=json.dumps(text), check=True, text=True,
                                         capture_output=True).stdout
                self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 4}, repr(run))
                self.assertEqual({r["token_source"] for r in run.requests}, {"tokenizer"})
                self.assertEqual({r["output_tokens"] for r in run.requests}, {len(json.loads(counted))}, counted)
                row = next(c for c in run.summary["validity"]["checks"] if c["name"] == "token_source")
                self.assertEqual(row["status"], "SUSPECT", row)

    def test_a_prompt_that_is_repeated_is_not_counted(self):
        with WireServer(wire_servers.bare) as server, run_dir() as out, tempfile.TemporaryDirectory() as folder:
            subprocess.run([harness.BIN / "refserver", "synth", "--arch", "qwen2", "--size", "tiny", "--out", f"{folder}/tiny"], check=True,
                           capture_output=True)
            text = "".join(wire_servers.words(TOKENS))
            counted = subprocess.run([harness.BIN / "tokenize", "--tokenizer", f"{folder}/tiny"], input=json.dumps(text), check=True, text=True,
                                     capture_output=True).stdout
            for stream in ("--stream", "--no-stream"):
                run = load(out / stream, "--target", server.url, "--endpoint", "prompt-max-tokens", stream, "--prompt", PROMPT, "--concurrency", 1,
                           "--requests", 4, "--warmup", "0s", "--max-new-tokens", TOKENS, "--tokenizer", f"{folder}/tiny")
                self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 4}, repr(run))
                self.assertEqual({(r["token_source"], r["output_tokens"]) for r in run.requests}, {("tokenizer", len(json.loads(counted)))})

    def test_what_is_thought_first_is_no_output(self):
        thinker = wire_servers.Thinker(pause_s=0.08)
        with WireServer(thinker) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "openai-chat", "--model", "m", "--concurrency", 1, "--requests", 5, "--warmup", "0s",
                       "--max-new-tokens", TOKENS, "--gate", "min(ttfo) >= 80ms")
            self.assertCode(run, 0)
            self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 5}, repr(run))
            for request, thought_ms in zip(run.requests, thinker.thought_ms, strict=True):
                metrics, stamps = request["metrics"], request["stamps"]
                self.assertGreaterEqual(metrics["ttfo"] - metrics["ttft"], thought_ms)  # a client reads late, never early
                self.assertAlmostEqual(metrics["ttfo"], (stamps["first_output_ns"] - stamps["send_ns"]) / 1e6, places=3)
            self.assertGreaterEqual(run.summary["metrics"]["ttfo"]["min"], 80)
            self.assertEqual(run.summary["metrics"]["ttfo"]["count"], 5)
            self.assertIn("\n  ttfo ", run.stdout)
            self.assertIn("ttfo_p50=", (out / "points.lp").read_text())

    def test_a_template_of_a_scenarios_own(self):
        def respond(handler, path, body):
            if handler.headers["x-version"] != "2" or path != "/base/gen/a%2Fb" or body["n"] != 3 or "seed" in body:
                return wire_servers.send_json(handler, {"problem": {"what": f"unexpected {path} {body}"}}, 400)
            wire_servers.send_parts(handler, "application/octet-stream", [json.dumps({"out": [{"piece": "x"}]}) + "\n"] * 3 +
                                    [json.dumps({"out": [], "state": "finished"}) + "\n"])

        with WireServer(respond) as server, run_dir() as out:
            out.parent.mkdir(exist_ok=True)
            (out.parent / "mine.yaml").write_text("""
path: /gen/{model}
headers: {x-version: "2"}
body: {q: "Q: {prompt}\\nA:", n: "{max_tokens}", seed: "{seed}"}
answer:
  stream: ndjson
  text: /out/0/piece
  one_token_each: true
  error: /problem/what
  end: {at: /state, is: finished}
""")
            scenario = out.parent / "scenario.yaml"
            scenario.write_text(f"""
schema_version: 1
name: own
target: {server.url}/base
load: {{mode: closed, concurrency: 1}}
warmup: 0s
requests: 3
parameters: {{max_new_tokens: 3}}
mix:
  - {{name: mine, endpoint: mine.yaml, model: a/b, prompts: [hello]}}
""")
            run = load(out, scenario)
            self.assertCode(run, 0)
            self.assertEqual(run.summary["counts"]["outcomes"], {"ok": 3}, repr(run))
            self.assertEqual({r["token_source"] for r in run.requests}, {"server_stream"})
            self.assertRegex(server.requests[0][2]["q"], r"^Q: \[[0-9a-f]{16}\] hello\nA:$")

    def test_mistakes_are_found_before_anything_is_sent(self):
        run = loadgen("run", "--target", "http://127.0.0.1:1", "--endpoint", "olama-chat", "--concurrency", 1, "--requests", 1)
        self.assertEqual(run.code, 64)
        self.assertIn("did you mean 'ollama-chat'", run.stderr)

    def test_what_an_entry_expects(self):
        """A wrong answer is a failure of its own class, whatever else is right about it."""
        with WireServer(wire_servers.ollama) as server, run_dir() as out:
            out.parent.mkdir(exist_ok=True)
            scenario = out.parent / "scenario.yaml"
            scenario.write_text(f"""
schema_version: 1
name: expectations
target: {server.url}
endpoint: ollama-generate
model: m
load: {{mode: closed, concurrency: 2}}
warmup: 0s
requests: 60
parameters: {{max_new_tokens: 3}}
mix:
  - {{name: right, prompts: [a], expect: {{not_empty: true, matches: "^ w0 w1", finish_reason: [length], model: m}}}}
  - {{name: text, prompts: [a], expect: {{matches: "^w0"}}}}
  - {{name: reason, prompts: [a], expect: {{finish_reason: stop}}}}
  - {{name: model, prompts: [a], expect: {{model: other}}}}
""")
            run = load(out, scenario)
            self.assertCode(run, 0)
            for name, slice_ in run.summary["mix"].items():
                expected = {"ok"} if name == "right" else {"bad_content"}
                self.assertEqual(set(slice_["counts"]["outcomes"]), expected, name)
            self.assertGreater(run.summary["rates"]["error_rate"], 0.2)

    def test_the_length_of_answers_is_told_and_can_be_gated(self):
        """Servers that end early change the workload: the share is a number of the run, and a gate may ask for it."""
        answers = iter(range(10**9))

        def sometimes_short(handler, path, body):
            body["options"]["num_predict"] -= 2 if next(answers) % 2 == 0 else 0
            wire_servers.ollama(handler, path, body)

        with WireServer(sometimes_short) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--endpoint", "ollama-generate", "--model", "m", "--concurrency", 1, "--requests", 20,
                       "--warmup", "0s", "--max-new-tokens", 4, "--gate", "osl_mismatch < 10%", "--gate", "error_rate < 1%")
            self.assertCode(run, 2)
            counts = run.summary["counts"]
            self.assertEqual(run.summary["rates"]["osl_mismatch"], 0.5)
            self.assertEqual((counts["osl_mismatches"], counts["requested_tokens"], counts["output_tokens"]), (10, 80, 60))
            self.assertEqual([gate["status"] for gate in run.summary["gates"]], ["fail", "pass"])
            self.assertIn("60 tokens for 80", run.stdout)


if __name__ == "__main__":
    harness.main()
