#!/usr/bin/env python3
"""curl with the bodies people write: the README's own commands, TGI's documentation style, and the gateway's six bodies."""
import json
import re
import shlex
import subprocess

import harness
from harness import Server

SERVED = {"qwen2": "Qwen2-7B-Instruct-GPTQ-Int4", "llama3": "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4"}


class Curl(harness.Test):
    @classmethod
    def setUpClass(cls):
        harness.need("curl", "curl")
        cls.server = Server(ttft="5ms", gap="1ms")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def curl(self, *args):
        """(status, headers, body)"""
        done = subprocess.run(["curl", "-s", "-i", "--max-time", "20", *args], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, body = done.stdout.partition("\n\n") if "\r\n\r\n" not in done.stdout else done.stdout.partition("\r\n\r\n")
        return int(head.split()[1]), head.lower(), body

    def post(self, path, body):
        return self.curl(self.server.url + path, "-X", "POST", "-d", json.dumps(body), "-H", "Content-Type: application/json")

    def test_the_readmes_commands(self):
        text = (harness.SOURCE / "README.md").read_text().replace("\\\n", " ")
        commands = [line for line in text.splitlines() if line.startswith("curl ")]
        self.assertGreaterEqual(len(commands), 2)
        for command in commands:
            args = shlex.split(re.sub(r"http://127\.0\.0\.1:\d+", self.server.url, command))[1:]
            status, _, body = self.curl(*args)
            self.assertEqual(status, 200, command)
            self.assertIn(json.loads(body)["model"], SERVED.values())

    def test_the_six_gateway_bodies(self):
        for model in ("qwen2", "llama3"):
            for scenario in ("qa", "summarize", "rewrite"):
                for parameters in (None, {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 12}, {"max_tokens": 12}):
                    body = {"model_id": model, "scenario": scenario, "inputs": "什么是铅垂线？ What is a plumb line?"}
                    if parameters:
                        body["parameters"] = parameters
                    status, _, answer = self.post("/v1/generate", body)
                    self.assertEqual(status, 200, answer)
                    answer = json.loads(answer)
                    self.assertEqual(list(answer), ["generated_text", "model", "tokens"])
                    self.assertEqual(answer["model"], SERVED[model])
                    self.assertEqual(answer["tokens"], 12 if parameters else 100)

    def test_the_gateway_names_what_it_does_not_know(self):
        status, _, body = self.post("/v1/generate", {"model_id": "gpt-5", "inputs": "x"})
        self.assertEqual(status, 404)
        self.assertIn("gpt-5", body)
        status, _, body = self.post("/v1/generate", {"model_id": "qwen2", "scenario": "poem", "inputs": "x"})
        self.assertEqual(status, 422)
        self.assertIn("poem", body)

    def test_tgi_generate(self):
        status, head, body = self.post("/generate", {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}})
        self.assertEqual(status, 200)
        self.assertIn("x-generated-tokens: 20", head)
        self.assertEqual(list(json.loads(body)), ["generated_text"])
        status, _, body = self.post("/", {"inputs": "Hello", "parameters": {"max_new_tokens": 3, "details": True}})
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)[0]["details"]["generated_tokens"], 3)

    def test_tgi_stream(self):
        status, head, body = self.post("/generate_stream", {"inputs": "Hi", "parameters": {"max_new_tokens": 4, "details": True}})
        self.assertEqual(status, 200)
        self.assertIn("content-type: text/event-stream", head)
        events = [json.loads(e.removeprefix("data: ")) for e in body.strip().split("\n\n")]
        self.assertEqual([e["index"] for e in events], [1, 2, 3, 4])
        self.assertEqual([e["generated_text"] is None for e in events], [True, True, True, False])
        self.assertEqual(events[-1]["generated_text"], "".join(e["token"]["text"] for e in events))

    def test_openai_chat(self):
        request = {"model": "llama3", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
        status, _, body = self.post("/v1/chat/completions", request)
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["usage"]["completion_tokens"], 3)
        status, _, body = self.post("/v1/chat/completions", {**request, "stream": True, "stream_options": {"include_usage": True}})
        self.assertEqual(status, 200)
        events = body.strip().split("\n\n")
        self.assertEqual(events[-1], "data: [DONE]")
        self.assertEqual(json.loads(events[-2].removeprefix("data: "))["usage"]["completion_tokens"], 3)

    def test_the_small_routes(self):
        for path in ("/health", "/info", "/metrics", "/v1/models"):
            status, _, body = self.curl(self.server.url + path)
            self.assertEqual(status, 200, path)
        self.assertEqual(self.curl(self.server.url + "/nonsense")[0], 404)

    def test_errors_are_tgis(self):
        status, head, body = self.post("/generate", {"inputs": ""})
        self.assertEqual(status, 422)
        self.assertEqual(json.loads(body)["error_type"], "validation")
        status, head, body = self.curl(self.server.url + "/generate", "-d", "{bad", "-H", "content-type: application/json")
        self.assertEqual(status, 400)
        self.assertIn("text/plain", head)
        self.assertTrue(body.startswith("Failed to parse the request body as JSON: "), body)


if __name__ == "__main__":
    harness.main()
