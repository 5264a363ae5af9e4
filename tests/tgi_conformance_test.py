#!/usr/bin/env python3
"""The program in its strict dialect, byte by byte against what TGI 3.3.7 sends: framing, shapes, errors, headers, metrics.

Answers are also checked against TGI's own OpenAPI file where that lies beside the checkout, apart from the points in which
TGI itself does not follow it.
"""
import http.client
import json
import re
import socket
import urllib.parse

import harness
from harness import Server

OPENAPI = harness.SOURCE.parent / "shared" / "reference" / "tgi-openapi.json"
MODEL = "Qwen2-7B-Instruct-GPTQ-Int4"
FINGERPRINT = '"system_fingerprint":"3.3.6-dev0-native"'
CORS = [("access-control-allow-origin", "*"), ("vary", "origin, access-control-request-method, access-control-request-headers")]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((v for k, v in self.headers if k == name), None)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        assert self.body.endswith("\n\n"), self.body
        return self.body[:-2].split("\n\n")


class Strict(harness.Test):
    flags = ("--strict-tgi", "--max-total-tokens", "4096")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags, ttft="2ms", gap="100us", models=("qwen2",))
        cls.port = urllib.parse.urlparse(cls.server.url).port

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def ask(self, method, path, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)
        try:
            connection.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read().decode())
        finally:
            connection.close()

    def post(self, path, body, **headers):
        text = body if isinstance(body, str) else json.dumps(body)
        return self.ask("POST", path, text, {"content-type": "application/json", **headers})

    def assert_error(self, reply, status, error, error_type):
        self.assertEqual((reply.status, reply.body), (status, '{"error":%s,"error_type":"%s"}' % (json.dumps(error), error_type)))
        self.assertEqual(reply.header("content-type"), "application/json")
        self.assertEqual([k for k, _ in reply.headers if k.startswith("x-")], [])


class Generating(Strict):
    def test_generate(self):
        reply = self.post("/generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 2}})
        self.assertEqual((reply.status, reply.body), (200, '{"generated_text":" t1 t2"}'))
        names = [k for k, _ in reply.headers]
        self.assertEqual(names, ["content-type", "x-compute-type", "x-compute-time", "x-compute-characters", "x-total-time",
                                 "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token", "x-prompt-tokens",
                                 "x-generated-tokens", "content-length", "access-control-allow-origin", "vary", "date"])
        self.assertRegex(reply.header("x-compute-time"), r"^0\.\d+$")
        self.assertEqual(reply.header("x-compute-characters"), "2")
        for name in names[4:11]:
            self.assertRegex(reply.header(name), r"^\d+$", name)

    def test_details_in_tgis_order(self):
        reply = self.post("/generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 1, "details": True, "do_sample": True,
                                                                       "seed": 7, "top_n_tokens": 1}})
        token = '{"id":1,"text":" t1","logprob":-0.125,"special":false}'
        self.assertEqual(reply.body, '{"generated_text":" t1","details":{"finish_reason":"length","generated_tokens":1,"seed":7,'
                                     '"prefill":[],"tokens":[%s],"top_tokens":[[%s]]}}' % (token, token))
        implied = self.post("/generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 1, "decoder_input_details": True}})
        self.assertEqual(implied.json["details"]["prefill"], [])

    def test_the_root_answers_an_array_with_the_prompt_unless_told_otherwise(self):
        body = {"inputs": "Hi", "parameters": {"max_new_tokens": 1}}
        self.assertEqual(self.post("/", body).body, '[{"generated_text":"Hi t1"}]')
        body["parameters"]["return_full_text"] = False
        self.assertEqual(self.post("/", body).body, '[{"generated_text":" t1"}]')
        self.assertTrue(self.post("/", {**body, "stream": True}).body.startswith('data: {"index":1,'))

    def test_native_stream_bytes(self):
        reply = self.post("/generate_stream", {"inputs": "Hi", "parameters": {"max_new_tokens": 2, "details": True}})
        length = len(self.post("/tokenize", {"inputs": "Hi"}).json)
        token = '"token":{"id":%d,"text":" t%d","logprob":-0.125,"special":false}'
        self.assertEqual(reply.body,
                         'data: {"index":1,' + token % (1, 1) + ',"generated_text":null,"details":null}\n\n'
                         'data: {"index":2,' + token % (2, 2) + ',"generated_text":" t1 t2","details":{"finish_reason":"length",'
                         '"generated_tokens":2,"seed":null,"input_length":%d}}\n\n' % length)
        self.assertEqual([h for h in reply.headers if h[0] != "date"],
                         [("content-type", "text/event-stream"), ("cache-control", "no-cache"),
                          ("x-compute-type", "cpu+simulated"), ("x-compute-characters", "2"), ("x-accel-buffering", "no"),
                          ("transfer-encoding", "chunked"), *CORS])

    def test_each_event_is_one_http_chunk(self):
        body = json.dumps({"inputs": "Hi", "parameters": {"max_new_tokens": 2}})
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as s:
            s.sendall(f"POST /generate_stream HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nconnection: close\r\n"
                      f"content-length: {len(body)}\r\n\r\n{body}".encode())
            raw = b""
            while part := s.recv(65536):
                raw += part
        _, _, chunks = raw.partition(b"\r\n\r\n")
        sizes = []
        while chunks:
            size, _, chunks = chunks.partition(b"\r\n")
            data, chunks = chunks[:int(size, 16)], chunks[int(size, 16) + 2:]
            sizes.append(data)
        self.assertEqual(len(sizes), 3)
        self.assertTrue(all(d.startswith(b"data: ") and d.endswith(b"\n\n") for d in sizes[:2]))
        self.assertEqual(sizes[2], b"")

    def test_stop_sequences_are_kept_and_finish_reasons_mapped(self):
        native = self.post("/generate", {"inputs": "Hi", "parameters": {"stop": ["t2"], "details": True}})
        self.assertEqual(native.json["generated_text"], " t1 t2")
        self.assertEqual(native.json["details"]["finish_reason"], "stop_sequence")
        chat = {"messages": [{"role": "user", "content": "Hi"}], "stop": ["t2"]}
        self.assertEqual(self.post("/v1/chat/completions", chat).json["choices"][0]["finish_reason"], "stop_sequence")
        completion = {"prompt": "Hi", "stop": ["t2"]}
        self.assertEqual(self.post("/v1/completions", completion).json["choices"][0]["finish_reason"], "stop_sequence")

    def test_unlimited_answers_run_to_the_end_of_the_context(self):
        reply = self.post("/generate", {"inputs": "Hi", "parameters": {"details": True}})
        self.assertGreater(reply.json["details"]["generated_tokens"], 1024)
        self.assertEqual(reply.json["details"]["finish_reason"], "length")

    def test_watermark_is_accepted(self):
        self.assertEqual(self.post("/generate", {"inputs": "Hi", "parameters": {"watermark": True, "max_new_tokens": 1}}).status, 200)

    def test_oddities_tgi_accepts(self):
        for body in ('{"inputs":"a","parameters":{"max_new_tokens":1}}}}', '["a",{"max_new_tokens":1}]',
                     '{"inputs":"a","x":{"y":[null]},"add_special_tokens":false,"parameters":{"max_new_tokens":1,"z":1}}'):
            self.assertEqual(self.post("/generate", body).body, '{"generated_text":" t1"}', body)


class OpenAi(Strict):
    def test_chat_whole(self):
        reply = self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "model": "tgi"})
        self.assertRegex(reply.body, r'^\{"object":"chat.completion","id":"","created":\d{10},"model":"' + MODEL + '",' + FINGERPRINT +
                         r',"choices":\[\{"index":0,"message":\{"role":"assistant","content":" t1"\},"logprobs":null,'
                         r'"finish_reason":"length"\}\],"usage":\{"prompt_tokens":\d+,"completion_tokens":1,"total_tokens":\d+\}\}$')

    def test_chat_logprobs_and_the_echoed_model(self):
        reply = self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "model": "dummy",
                                                   "logprobs": True, "top_logprobs": 2})
        self.assertIn('"logprobs":{"content":[{"token":" t1","logprob":-0.125,"top_logprobs":[{"token":" t1","logprob":-0.125},'
                      '{"token":" a2","logprob":-2.125}]}]}', reply.body)
        self.assertEqual(reply.json["model"], "dummy")

    def test_chat_stream_with_and_without_usage(self):
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}
        plain = self.post("/v1/chat/completions", body).events
        self.assertEqual(plain[-1], "data: [DONE]")
        self.assertEqual(len(plain), 3)
        shape = (r'^data: \{"object":"chat.completion.chunk","id":"","created":\d{10},"model":"' + MODEL + '",' + FINGERPRINT +
                 r',"choices":\[\{"index":0,"delta":\{"role":"assistant","content":" t%s"\},"logprobs":null,"finish_reason":%s\}\],'
                 r'"usage":null\}$')
        self.assertRegex(plain[0], shape % (1, "null"))
        self.assertRegex(plain[1], shape % (2, '"length"'))
        usage = self.post("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}}).events
        self.assertEqual(len(usage), 4)
        self.assertRegex(usage[2], r'"choices":\[\],"usage":\{"prompt_tokens":\d+,"completion_tokens":2,"total_tokens":\d+\}\}$')
        self.assertEqual(len(self.post("/v1/chat/completions", {**body, "stream_options": {}}).events), 3)

    def test_completions_stream(self):
        events = self.post("/v1/completions", {"prompt": "Hi", "max_tokens": 2, "stream": True}).events
        self.assertRegex(events[0], r'^data: \{"object":"text_completion","id":"","created":\d+,"choices":\[\{"index":0,"text":" t1",'
                         r'"logprobs":null,"finish_reason":""\}\],"model":"' + MODEL + '",' + FINGERPRINT + r'\}$')
        self.assertRegex(events[1], r'^data: \{"object":"text_completion","id":"","created":\d+,"model":"' + MODEL + '",' + FINGERPRINT +
                         r',"choices":\[\{"index":0,"text":" t2","logprobs":null,"finish_reason":"length"\}\],"usage":\{')
        self.assertEqual(events[2], "data: [DONE]")

    def test_several_prompts_in_turn_and_together(self):
        events = self.post("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 2, "stream": True}).events
        self.assertEqual([json.loads(e[6:])["choices"][0]["index"] for e in events[:-1]], [0, 1, 0, 1])
        whole = self.post("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 2})
        self.assertEqual(sorted(c["index"] for c in whole.json["choices"]), [0, 1])
        self.assertEqual(whole.json["usage"]["completion_tokens"], 4)
        self.assertIsNone(whole.header("x-compute-time"))

    def test_errors_inside_streams_always_say_422(self):
        reply = self.post("/v1/completions", {"prompt": "", "stream": True})
        self.assertEqual((reply.status, reply.body), (200, 'data: {"error":{"message":"Input validation error: `inputs` cannot be '
                                                           'empty","http_status_code":422}}\n\ndata: [DONE]\n\n'))

    def test_an_assistants_last_words_are_continued(self):
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well, "}]
        text = self.post("/chat_tokenize", {"messages": messages}).json["templated_text"]
        self.assertTrue(text.endswith("<|im_start|>assistant\nWell,"), text)

    def test_content_arrays_and_tool_messages(self):
        call = {"id": "0", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
                    {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": "0", "content": "7"}]
        text = self.post("/chat_tokenize", {"messages": messages}).json["templated_text"]
        self.assertIn("AB", text)
        self.assertIn('[{"id":"0","type":"function","function":{"description":null,"name":"f","arguments":"{\\"a\\":1}"}}]', text)


class Errors(Strict):
    def test_validation_texts(self):
        rows = [({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
                ({"best_of": 3}, "`best_of` must be > 0 and <= 2. Given: 3"),
                ({"temperature": 0}, "`temperature` must be strictly positive"),
                ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
                ({"frequency_penalty": -2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
                ({"top_p": 1}, "`top_p` must be > 0.0 and < 1.0"),
                ({"typical_p": 0}, "`typical_p` must be > 0.0 and < 1.0"),
                ({"top_k": 0}, "`top_k` must be strictly positive"),
                ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
                ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
                ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
                ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
                ({"truncate": 0}, "`truncate` must be strictly positive and less than 4095. Given: 0"),
                ({"grammar": {"type": "json", "value": {}}}, "grammar is not supported")]
        for parameters, text in rows:
            reply = self.post("/generate", {"inputs": "Hi", "parameters": parameters})
            self.assert_error(reply, 422, "Input validation error: " + text, "validation")
        self.assert_error(self.post("/generate", {"inputs": ""}), 422, "Input validation error: `inputs` cannot be empty", "validation")

    def test_the_first_failure_wins(self):
        reply = self.post("/generate", {"inputs": "", "parameters": {"top_k": 0, "temperature": 0}})
        self.assertIn("temperature", reply.body)

    def test_length_limits_count_at_most_one_segment(self):
        words = " a" * 3500
        counted = len(self.post("/tokenize", {"inputs": words}).json)
        reply = self.post("/generate", {"inputs": words, "parameters": {"max_new_tokens": 5000}})
        self.assert_error(reply, 422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: "
                          f"{counted} `inputs` tokens and 1024 `max_new_tokens`", "validation")
        truncated = self.post("/generate", {"inputs": words, "parameters": {"max_new_tokens": 3, "truncate": 5}})
        self.assertEqual(truncated.header("x-prompt-tokens"), "5")

    def test_streams_carry_their_errors_in_a_200(self):
        for parameters, text in (({"best_of": 2}, "`best_of` != 1 is not supported when streaming tokens"),
                                 ({"best_of": 0}, "`best_of` != 1 is not supported when streaming tokens"),
                                 ({"decoder_input_details": True},
                                  "`decoder_input_details` == true is not supported when streaming tokens")):
            reply = self.post("/generate_stream", {"inputs": "Hi", "parameters": parameters})
            self.assertEqual((reply.status, reply.body), (200, 'data: {"error":"Input validation error: %s","error_type":"validation"}\n\n' % text))

    def test_openai_refusals_before_a_stream_begins(self):
        self.assert_error(self.post("/v1/completions", {"prompt": "a", "suffix": "b", "stream": True}), 422,
                          "Suffix is not supported and can be achieved by preprocessing the prompt.", "suffix not supported")
        self.assert_error(self.post("/v1/completions", {"prompt": ["a"] * 5}), 422,
                          "Number of prompts exceeds the maximum allowed batch size of 4", "batch size exceeded")
        chat = {"messages": [{"role": "user", "content": "a"}], "stream": True}
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        self.assert_error(self.post("/v1/chat/completions", {**chat, "tools": [tool], "response_format": {"type": "regex", "value": "a"}}),
                          422, "Tool error: Grammar and tools are mutually exclusive", "tool_error")
        self.assert_error(self.post("/v1/chat/completions", {**chat, "tools": [tool], "tool_choice": "g"}), 422,
                          "Tool error: Tool with name g not found", "tool_error")
        inside = self.post("/v1/chat/completions", {**chat, "tools": [tool]})
        self.assertEqual(inside.status, 200)
        self.assertIn("grammar is not supported", inside.body)

    def test_body_layer(self):
        malformed, misshapen = "Failed to parse the request body as JSON: ", "Failed to deserialize the JSON body into the target type: "
        rows = [("/generate", "", 400, malformed + "EOF while parsing a value at line 1 column 0"),
                ("/generate", '{"inputs":"a",}', 400, malformed + "trailing comma at line 1 column 15"),
                ("/generate", "not json", 400, malformed + "expected ident at line 1 column 2"),
                ("/generate", "{}", 422, misshapen + "missing field `inputs` at line 1 column 2"),
                ("/generate", '{"inputs":"a","parameters":null}', 422,
                 misshapen + "parameters: invalid type: null, expected struct GenerateParameters at line 1 column 31"),
                ("/generate", '{"inputs":"a","parameters":{"max_new_tokens":20.0}}', 422, misshapen +
                 "parameters.max_new_tokens: invalid type: floating point `20.0`, expected u32 at line 1 column 49"),
                ("/v1/chat/completions", '{"model":"tgi"}', 422, misshapen + "missing field `messages` at line 1 column 15"),
                ("/v1/completions", '{"prompt":[]}', 422, misshapen +
                 "prompt: Empty array detected. Do not use an empty array for the prompt. at line 1 column 13"),
                ("/invocations", '{"x":1}', 422, misshapen + "data did not match any variant of untagged enum SagemakerRequest")]
        for path, body, status, text in rows:
            reply = self.post(path, body)
            self.assertEqual((reply.status, reply.body), (status, text))
            self.assertEqual(reply.header("content-type"), "text/plain; charset=utf-8")
        reply = self.ask("POST", "/generate", "{}", {"content-type": "text/plain"})
        self.assertEqual((reply.status, reply.body), (415, "Expected request with `Content-Type: application/json`"))
        reply = self.post("/generate", '{"inputs":"' + "a" * 2_000_000 + '"}')
        self.assertEqual((reply.status, reply.body), (413, "Failed to buffer the request body: length limit exceeded"))

    def test_generic_http(self):
        for method, path, status, allow in (("GET", "/nothing", 404, None), ("GET", "/generate", 405, "POST"),
                                            ("POST", "/health", 405, "GET,HEAD"), ("DELETE", "/", 405, "POST,GET,HEAD"),
                                            ("GET", "/v1/generate", 404, None), ("GET", "/debug/state", 404, None)):
            reply = self.ask(method, path)
            self.assertEqual((reply.status, reply.body, reply.header("allow")), (status, "", allow), path)
        preflight = self.ask("OPTIONS", "/any", headers={"origin": "http://x", "access-control-request-method": "POST"})
        self.assertEqual((preflight.status, preflight.body), (200, ""))
        self.assertEqual(preflight.header("access-control-allow-methods"), "GET,POST")
        self.assertEqual(preflight.header("access-control-allow-headers"), "content-type")
        self.assertEqual(self.ask("HEAD", "/info").body, "")


class Small(Strict):
    def test_info_and_models(self):
        self.assertEqual(self.ask("GET", "/info").body,
                         '{"model_id":"%s","model_sha":null,"model_pipeline_tag":null,"max_concurrent_requests":128,"max_best_of":2,'
                         '"max_stop_sequences":4,"max_input_tokens":4095,"max_total_tokens":4096,"validation_workers":2,'
                         '"max_client_batch_size":4,"router":"text-generation-router","version":"3.3.6-dev0","sha":null,'
                         '"docker_label":null}' % MODEL)
        self.assertEqual(self.ask("GET", "/v1/models").body,
                         '{"object":"list","data":[{"id":"%s","object":"model","created":0,"owned_by":"%s"}]}' % (MODEL, MODEL))

    def test_health(self):
        for path in ("/", "/health", "/ping"):
            reply = self.ask("GET", path)
            self.assertEqual((reply.status, reply.body, reply.header("content-type")), (200, "", None))

    def test_tokens_cover_the_text(self):
        text = "Hi there, 你好 😀!"
        tokens = self.post("/tokenize", {"inputs": text}).json
        self.assertEqual(list(tokens[0]), ["id", "text", "start", "stop"])
        self.assertEqual(tokens[-1]["stop"], len(text.encode()))
        chat = self.post("/chat_tokenize", {"messages": [{"role": "user", "content": "Hi"}]}).json
        self.assertEqual(list(chat), ["tokenize_response", "templated_text"])
        self.assertEqual("".join(t["text"] for t in chat["tokenize_response"]), chat["templated_text"])

    def test_vertex(self):
        reply = self.post("/vertex", {"instances": [{"inputs": "a", "parameters": {"max_new_tokens": 1}},
                                                    {"messages": [{"role": "user", "content": "b"}], "max_tokens": 2}]})
        self.assertEqual(reply.body, '{"predictions":[" t1"," t1 t2"]}')


class Counting(Strict):
    def test_the_page_counts_as_tgi_does(self):
        self.assertEqual(self.ask("GET", "/metrics").body, "")
        self.post("/generate", {"inputs": "a", "parameters": {"max_new_tokens": 1}})
        self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1})
        self.post("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 1})
        self.post("/tokenize", {"inputs": "a"})
        self.post("/generate", "{}")
        reply = self.ask("GET", "/metrics")
        self.assertEqual(reply.header("content-type"), "text/plain; charset=utf-8")
        self.assertIn("# TYPE tgi_request_count counter\ntgi_request_count 6\n\n", reply.body)
        self.assertIn("tgi_request_success 4\n", reply.body)
        bounds = re.findall(r'tgi_request_duration_bucket\{le="([^"]+)"\}', reply.body)
        self.assertEqual((len(bounds), bounds[0], bounds[-2:]), (36, "0.00015000000000000001", ["145.61096060497135", "+Inf"]))
        bounds = re.findall(r'tgi_request_input_length_bucket\{le="([^"]+)"\}', reply.body)
        self.assertEqual((len(bounds), bounds[0], bounds[-2]), (101, "40.95", "4095.0000000000005"))  # as TGI multiplies
        self.assertNotIn("e-", reply.body)


class Key(Strict):
    flags = ("--strict-tgi", "--api-key", "Key1", "--max-concurrent-requests", "1")

    def test_protected_and_open_routes(self):
        body = {"inputs": "a", "parameters": {"max_new_tokens": 1}}
        self.assertEqual(self.post("/generate", body, authorization="bearer KEY1").status, 200)
        for headers in ({}, {"authorization": "Key1"}, {"authorization": "Bearer Key2"}):
            reply = self.ask("POST", "/generate", "not json", headers)
            self.assertEqual((reply.status, reply.body), (401, ""))
        for path in ("/", "/health", "/ping", "/info", "/metrics", "/v1/models"):
            self.assertEqual(self.ask("GET", path).status, 200, path)
        self.assertEqual(self.post("/chat_tokenize", {"messages": []}).status, 200)

    def test_overload(self):
        key = {"content-type": "application/json", "authorization": "Bearer Key1"}
        body = json.dumps({"prompt": ["a", "b"], "max_tokens": 1})
        self.assert_error(self.ask("POST", "/v1/completions", body, key), 429, "Model is overloaded", "overloaded")
        stream = self.ask("POST", "/v1/completions", json.dumps({"prompt": ["a", "b"], "max_tokens": 1, "stream": True}), key)
        self.assertIn('data: {"error":{"message":"Model is overloaded","http_status_code":422}}\n\n', stream.body)


class Schema(Strict):
    """Only where TGI's own file is at hand."""

    def setUp(self):
        if not OPENAPI.exists():
            self.skipTest("TGI's OpenAPI file is not beside the checkout")
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        self.jsonschema = jsonschema
        self.schemas = self.nullable(json.loads(OPENAPI.read_text()))

    def nullable(self, node):
        """OpenAPI 3.0's `nullable` in JSON Schema's words."""
        if isinstance(node, list):
            return [self.nullable(n) for n in node]
        if not isinstance(node, dict):
            return node
        node = {k: self.nullable(v) for k, v in node.items() if k not in ("example", "format")}
        if node.pop("nullable", False):
            return {"anyOf": [node, {"type": "null"}]}
        return node

    def check(self, name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": self.schemas["components"]}
        self.jsonschema.Draft7Validator(schema).validate(value)

    def test_answers_follow_the_file(self):
        everything = {"max_new_tokens": 2, "details": True, "top_n_tokens": 2, "do_sample": True}
        self.check("GenerateResponse", self.post("/generate", {"inputs": "a", "parameters": everything}).json)
        self.check("GenerateResponse", self.post("/generate", {"inputs": "a", "parameters": {**everything, "best_of": 2}}).json)
        for event in self.post("/generate_stream", {"inputs": "a", "parameters": everything}).events:
            self.check("StreamResponse", json.loads(event[6:]))
        chat = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "logprobs": True, "top_logprobs": 2}
        self.check("ChatCompletion", self.post("/v1/chat/completions", chat).json)
        for event in self.post("/v1/chat/completions", {**chat, "stream": True}).events[:-1]:
            self.check("ChatCompletionChunk", json.loads(event[6:]))
        self.check("CompletionFinal", self.post("/v1/completions", {"prompt": "a", "max_tokens": 2}).json)
        events = self.post("/v1/completions", {"prompt": "a", "max_tokens": 2, "stream": True}).events
        self.check("Chunk", json.loads(events[0][6:]))
        self.check("CompletionFinal", json.loads(events[1][6:]))
        self.check("Info", self.ask("GET", "/info").json)
        self.check("TokenizeResponse", self.post("/tokenize", {"inputs": "a b"}).json)
        self.check("ChatTokenizeResponse", self.post("/chat_tokenize", chat).json)
        self.check("ErrorResponse", self.post("/generate", {"inputs": ""}).json)


del Strict  # has no tests of its own

if __name__ == "__main__":
    harness.main()
