#!/usr/bin/env python3
"""`refserver gateway` in front of two refservers: who gets what, streams byte for byte, failures by class, hostile peers."""
import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import harness
from harness import Server, deaf_port, until


class Gateway:
    """A gateway on a free port; `backends` are name=url."""

    def __init__(self, *backends, flags=()):
        command = [harness.BIN / "refserver", "gateway", "--port", "0", "--health-interval", "50ms", *flags]
        for backend in backends:
            command += ["--backend", backend]
        self.log = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it one day
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.log.seek(0)
            raise RuntimeError(f"the gateway did not start: {line!r} {self.log.read()}")
        self.url = line.removeprefix("listening on ").strip()
        self.address = ("127.0.0.1", int(self.url.rsplit(":", 1)[1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        harness.end(self.process)
        self.process.stdout.close()
        self.log.close()
        return self.process.returncode

    def ask(self, method, path, body=None, headers=None):
        """(status, headers in lower case, body as bytes)"""
        return ask(self.url, method, path, body, headers)

    def metric(self, name, **labels):
        """The value of one sample, 0 where there is none."""
        page = self.ask("GET", "/metrics")[2].decode()
        wanted = name + ("{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else "")
        return next((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(wanted + " ")), 0)

    def await_metric(self, value, name, **labels):
        """True as soon as the sample has this value; a client reads an answer's end before the gateway has counted it."""
        return until(lambda: self.metric(name, **labels) == value)

    def await_health(self, status):
        return until(lambda: self.ask("GET", "/health")[0] == status)


def ask(url, method, path, body=None, headers=None):
    data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    host = urllib.parse.urlsplit(url).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, data, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def scripted(serve):
    """A listener whose connections are each given to `serve(socket)` in a thread; yields (url, list of connections)."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def loop():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            seen.append(peer)
            threading.Thread(target=handle, args=(peer,), daemon=True).start()

    def handle(peer):
        with contextlib.suppress(OSError):
            serve(peer)
        peer.close()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.close()


def read_head(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            raise OSError("closed")
        data += piece
    return data


class Routing(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.qwen2 = Server(ttft="5ms", gap="1ms", models=("qwen2",))
        cls.llama3 = Server(ttft="5ms", gap="1ms", models=("llama3",))
        cls.gateway = Gateway(f"qwen2={cls.qwen2.url}", f"llama3={cls.llama3.url}")
        assert cls.gateway.await_health(200)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.qwen2.__exit__()
        cls.llama3.__exit__()

    def test_answers_are_the_backends_own_byte_for_byte(self):
        for server, name in ((self.qwen2, "qwen2"), (self.llama3, "llama3")):
            for path, body in (("/generate", {"inputs": "hi", "parameters": {"max_new_tokens": 5, "details": True, "seed": 3}}),
                               ("/generate_stream", {"inputs": "hi", "parameters": {"max_new_tokens": 5, "seed": 3}}),
                               ("/tokenize", {"inputs": "hi"}),
                               ("/generate", {"inputs": "", "parameters": {}}),
                               ("/generate", {"inputs": 1}), ("/nowhere", {})):
                own = ask(server.url, "POST", path, body)
                for by_path in (True, False):
                    got = self.gateway.ask("POST", f"/{name}{path}" if by_path else path, body,
                                           {} if by_path else {"x-plumbline-model": name})
                    self.assertEqual((got[0], got[2]), (own[0], own[2]), (name, path))
                    self.assertEqual(got[1].get("content-type"), own[1].get("content-type"))

    def test_headers_reach_both_sides_but_for_those_of_a_connection(self):
        _, headers, _ = self.gateway.ask("POST", "/qwen2/generate", {"inputs": "a", "parameters": {"max_new_tokens": 2}},
                                         {"x-request-id": "mine", "connection": "keep-alive, x-secret", "x-secret": "1"})
        self.assertEqual(headers["x-request-id"], "mine")
        self.assertEqual(headers["x-generated-tokens"], "2")
        self.assertNotIn("connection", headers)

    def test_openai_bodies_go_to_their_model(self):
        for name in ("qwen2", "llama3"):
            body = {"model": name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
            status, _, answer = self.gateway.ask("POST", "/v1/chat/completions", body)
            self.assertEqual(status, 200, answer)
            self.assertEqual(json.loads(answer)["model"], name)
            self.assertEqual(json.loads(answer)["usage"]["completion_tokens"], 4)
            status, _, stream = self.gateway.ask("POST", "/v1/chat/completions", {**body, "stream": True})
            self.assertTrue(stream.endswith(b"data: [DONE]\n\n"), stream[-100:])

    def test_the_scenario_route_answers_as_refserver_itself(self):
        """Same prompt tokens, same answer: the backend's /generate got what its own /v1/generate would have made."""
        for server, name in ((self.qwen2, "qwen2"), (self.llama3, "llama3")):
            for scenario in ("qa", "summarize", "rewrite", None):
                for extra in ({}, {"details": True}):
                    for stream in (False, True):
                        body = {"model_id": name, "inputs": "什么是铅垂线？ What is it?", "stream": stream,
                                "parameters": {"max_tokens": 6, "seed": 7, "temperature": 0.7, **extra}}
                        if scenario:
                            body["scenario"] = scenario
                        own = ask(server.url, "POST", "/v1/generate", body)
                        got = self.gateway.ask("POST", "/v1/generate", body)
                        self.assertEqual((got[0], got[2]), (own[0], own[2]), (name, scenario, stream))
                        self.assertEqual(got[1].get("x-prompt-tokens"), own[1].get("x-prompt-tokens"))

    def test_what_names_no_model_is_told_how(self):
        for path, body in (("/generate", {"inputs": "a"}), ("/v1/chat/completions", {"model": "gpt", "messages": []}),
                           ("/v1/generate", {"model_id": "gpt", "inputs": "a"})):
            status, _, answer = self.gateway.ask("POST", path, body)
            self.assertEqual(status, 404)
            self.assertEqual(json.loads(answer)["error_type"], "model_not_found")
            self.assertIn("llama3", json.loads(answer)["error"])

    def test_health_models_and_metrics(self):
        self.assertEqual(json.loads(self.gateway.ask("GET", "/health")[2]), {"backends": {"qwen2": "up", "llama3": "up"}})
        ids = [m["id"] for m in json.loads(self.gateway.ask("GET", "/v1/models")[2])["data"]]
        self.assertEqual(ids, ["qwen2", "llama3"])
        before = {n: self.gateway.metric(f"refserver_gateway_{n}_total", backend="llama3") for n in ("input_tokens", "output_tokens")}
        ok = self.gateway.metric("refserver_gateway_requests_total", backend="llama3", outcome="ok")
        status, headers, _ = self.gateway.ask("POST", "/llama3/generate", {"inputs": "one two", "parameters": {"max_new_tokens": 9}})
        self.assertEqual(status, 200)
        self.assertTrue(self.gateway.await_metric(ok + 1, "refserver_gateway_requests_total", backend="llama3", outcome="ok"))
        self.assertEqual(self.gateway.metric("refserver_gateway_output_tokens_total", backend="llama3") - before["output_tokens"], 9)
        self.assertEqual(self.gateway.metric("refserver_gateway_input_tokens_total", backend="llama3") - before["input_tokens"],
                         int(headers["x-prompt-tokens"]))
        self.assertEqual(self.gateway.metric("refserver_gateway_internal_errors_total"), 0)

    def test_a_connection_is_kept_and_pipelined_requests_wait_their_turn(self):
        with socket.create_connection(self.gateway.address, timeout=30) as client:
            body = json.dumps({"inputs": "a", "parameters": {"max_new_tokens": 3}}).encode()
            one = b"POST /qwen2/generate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            client.sendall((one + body) * 3)
            data = b""
            while data.count(b'"generated_text"') < 3:
                piece = client.recv(65536)
                self.assertTrue(piece, data)
                data += piece
            self.assertEqual(data.count(b"HTTP/1.1 200"), 3)

    def test_loadgen_drives_it(self):
        with harness.run_dir() as out:
            run = harness.load(out, "--target", self.gateway.url, "--route", "gateway", "--model", "qwen2", "--stream",
                               "--rate", "30", "--duration", "1s", "--warmup", "0s", "--max-new-tokens", "6")
            self.assertCode(run, 0)
            measured = [r for r in run.requests if r["phase"] == "measure"]  # what is sent later is cut off in the end
            self.assertGreater(len(measured), 20)
            self.assertEqual({r["outcome"] for r in measured}, {"ok"})
            self.assertEqual({r["output_tokens"] for r in measured}, {6})


class Failures(harness.Test):
    BODY = {"inputs": "a", "parameters": {"max_new_tokens": 4}}

    def fault(self, gateway, status, kind, path="/m/generate"):
        got, _, body = gateway.ask("POST", path, self.BODY)
        self.assertEqual((got, json.loads(body)["error_type"]), (status, kind), body)
        self.assertTrue(gateway.await_metric(1, "refserver_gateway_requests_total", backend="m", outcome=kind))
        self.assertEqual(gateway.metric("refserver_gateway_in_flight", backend="m"), 0)

    def test_nobody_listens(self):
        with deaf_port() as port, Gateway(f"m=http://127.0.0.1:{port}") as gateway:
            self.fault(gateway, 502, "backend_unreachable")
            self.assertEqual(gateway.ask("GET", "/health")[0], 503)

    def test_a_silent_backend_times_out(self):
        def serve(peer):
            read_head(peer)
            peer.recv(1)

        with scripted(serve) as (url, _), Gateway(f"m={url}", flags=("--backend-timeout", "300ms")) as gateway:
            self.fault(gateway, 504, "timeout")

    def test_garbage_and_a_closed_connection_are_no_answer(self):
        for words in (b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000):
            def serve(peer, words=words):
                read_head(peer)
                peer.sendall(words)
            with scripted(serve) as (url, _), Gateway(f"m={url}") as gateway:
                self.fault(gateway, 502, "backend_broken")

    def test_nothing_is_tried_twice(self):
        """A backend that takes the request and closes sees it once."""
        posts = []

        def serve(peer):
            head = read_head(peer)
            if head.startswith(b"POST"):
                posts.append(head)

        with scripted(serve) as (url, _), Gateway(f"m={url}") as gateway:
            self.fault(gateway, 502, "backend_broken")
            time.sleep(0.3)
        self.assertEqual(len(posts), 1)

    def test_a_stream_that_breaks_is_cut_not_ended(self):
        event = b'data:{"index":1,"token":{"id":1,"text":"a"},"generated_text":null,"details":null}\n\n'

        def serve(peer):
            if read_head(peer).startswith(b"POST"):
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n"
                             % (len(event), event))

        for path in ("/m/generate_stream", "/v1/generate"):
            with scripted(serve) as (url, _), Gateway(f"m={url}") as gateway:
                body = {"model_id": "m", "stream": True, **self.BODY}
                with self.assertRaises(http.client.IncompleteRead) as caught:
                    gateway.ask("POST", path, body)
                self.assertEqual(caught.exception.partial, event)
                self.assertTrue(gateway.await_metric(1, "refserver_gateway_requests_total", backend="m", outcome="backend_broken"))

    def test_an_answer_that_is_none_of_generate_is_broken_on_the_scenario_route(self):
        def serve(peer):
            read_head(peer)
            peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        with scripted(serve) as (url, _), Gateway(f"m={url}") as gateway:
            status, _, body = gateway.ask("POST", "/v1/generate", {"model_id": "m", "inputs": "a"})
            self.assertEqual((status, json.loads(body)["error_type"]), (502, "backend_broken"))

    def test_a_client_that_leaves_cancels_at_the_backend(self):
        with Server(ttft="5ms", gap="20ms", models=("m",)) as server, Gateway(f"m={server.url}") as gateway:
            self.assertTrue(gateway.await_health(200))
            body = json.dumps({"inputs": "a", "parameters": {"max_new_tokens": 3000}}).encode()
            client = socket.create_connection(gateway.address, timeout=30)
            client.sendall(b"POST /m/generate_stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
                           b"%d\r\n\r\n" % len(body) + body)
            data = b""
            while data.count(b"data:") < 3:
                data += client.recv(65536)
            client.close()
            self.assertTrue(gateway.await_metric(1, "refserver_gateway_requests_total", backend="m", outcome="client_gone"))
            gateway.stop()
            [record] = server.truth()
            self.assertEqual(record["outcome"], "client_gone")

    def test_clients_may_leave_at_any_moment(self):
        """Cut in every part of a request, and in every part of a stream: nothing is left behind."""
        body = json.dumps({"inputs": "a", "parameters": {"max_new_tokens": 40}}).encode()
        request = (b"POST /m/generate_stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                   % len(body) + body)
        with Server(ttft="2ms", gap="1ms", models=("m",)) as server, Gateway(f"m={server.url}") as gateway:
            self.assertTrue(gateway.await_health(200))
            for cut in range(0, len(request) + 1, 5):
                with socket.create_connection(gateway.address, timeout=30) as client:
                    client.sendall(request[:cut])
            whole = 0
            for wanted in range(0, 6000, 120):
                with socket.create_connection(gateway.address, timeout=30) as client:
                    client.sendall(request)
                    left = wanted
                    while left > 0 and (piece := client.recv(left)):
                        left -= len(piece)
                        whole += b"0\r\n\r\n" in piece
                        if b"0\r\n\r\n" in piece:
                            break
            self.assertTrue(gateway.await_metric(0, "refserver_gateway_in_flight", backend="m"))
            self.assertTrue(gateway.await_metric(1, "refserver_gateway_connections"))  # the one that asks
            self.assertEqual(gateway.metric("refserver_gateway_internal_errors_total"), 0)
            ended = {o: gateway.metric("refserver_gateway_requests_total", backend="m", outcome=o) for o in ("ok", "client_gone")}
            self.assertGreaterEqual(ended["ok"], whole)
            self.assertGreater(ended["client_gone"], 0)

    def test_a_full_backend_gets_no_more(self):
        with Server(ttft="10s", models=("m",)) as server, Gateway(f"m={server.url}", flags=("--max-backend-requests", "2")) as gateway:
            self.assertTrue(gateway.await_health(200))
            held = [socket.create_connection(gateway.address, timeout=30) for _ in range(2)]
            body = json.dumps(self.BODY).encode()
            for client in held:
                client.sendall(b"POST /m/generate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                               % len(body) + body)
            self.assertTrue(gateway.await_metric(2, "refserver_gateway_in_flight", backend="m"))
            status, headers, answer = gateway.ask("POST", "/m/generate", self.BODY)
            self.assertEqual((status, json.loads(answer)["error_type"], headers["retry-after"]), (429, "busy", "1"))
            for client in held:
                client.close()
            self.assertTrue(gateway.await_metric(0, "refserver_gateway_in_flight", backend="m"))

    def test_health_follows_the_backends(self):
        port = harness.free_port()
        with Server(models=("b",)) as other, Gateway(f"m=http://127.0.0.1:{port}", f"b={other.url}") as gateway:
            self.assertTrue(until(lambda: json.loads(gateway.ask("GET", "/health")[2])["backends"] == {"m": "down", "b": "up"}))
            with Server(port=port, models=("m",)) as server:
                self.assertTrue(gateway.await_health(200))
                server.kill()
                self.assertTrue(gateway.await_health(503))
            self.assertEqual(gateway.metric("refserver_gateway_backend_up", backend="b"), 1)

    def test_hostile_clients_get_an_answer_or_a_closed_connection(self):
        with Server(models=("m",)) as server, Gateway(f"m={server.url}", flags=("--payload-limit", "1000")) as gateway:
            for words, status in ((b"\x00\xff\x00\r\n\r\n", b" 400 "), (b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", b" 431 "),
                                  (b"POST /m/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n", b" 413 "),
                                  (b"POST /m/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", b""),
                                  (b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n", b" 405 ")):
                with socket.create_connection(gateway.address, timeout=30) as client, contextlib.suppress(ConnectionError):
                    client.sendall(words)
                    client.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                    self.assertIn(status, answer.split(b"\r\n")[0], words[:60])
            self.assertEqual(gateway.metric("refserver_gateway_internal_errors_total"), 0)
            self.assertTrue(gateway.await_health(200))

    def test_a_client_that_reads_nothing_is_given_up_and_its_backend_let_go(self):
        """An endless answer is read no faster than the client takes it."""
        let_go = threading.Event()

        def serve(peer):
            if not read_head(peer).startswith(b"POST"):
                return
            try:
                peer.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while True:
                    peer.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            except OSError:
                let_go.set()

        with scripted(serve) as (url, _), Gateway(f"m={url}", flags=("--write-timeout", "500ms")) as gateway, \
                socket.create_connection(gateway.address, timeout=30) as client:
            client.sendall(b"POST /m/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            self.assertTrue(gateway.await_metric(1, "refserver_gateway_requests_total", backend="m", outcome="client_gone"))
            self.assertTrue(let_go.wait(60))

    def test_connections_are_limited_and_idle_ones_closed(self):
        with Server(models=("m",)) as server, \
                Gateway(f"m={server.url}", flags=("--max-connections", "2", "--idle-timeout", "5s")) as gateway:
            with contextlib.ExitStack() as stack:
                held = [stack.enter_context(socket.create_connection(gateway.address, timeout=30)) for _ in range(3)]
                self.assertEqual(held[2].recv(1), b"")  # closed at once, while the first two may speak
                held[0].sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
                self.assertIn(b" 200 ", held[0].recv(65536))
                self.assertEqual(held[1].recv(1), b"")  # idle

    def test_stops_when_told_and_lets_streams_finish(self):
        with Server(ttft="2s", gap="5ms", models=("m",)) as server, Gateway(f"m={server.url}") as gateway:
            self.assertTrue(gateway.await_health(200))
            got = []
            asking = threading.Thread(target=lambda: got.append(gateway.ask("POST", "/m/generate", self.BODY)))
            asking.start()
            self.assertTrue(gateway.await_metric(1, "refserver_gateway_in_flight", backend="m"))
            self.assertEqual(gateway.stop(), 0)
            asking.join()
            self.assertEqual(got[0][0], 200)

    def test_usage_errors_name_the_flag(self):
        for flags, words in (((), "--backend is required"), (("--backend", "x"), "--backend: 'x' is not NAME=URL"),
                             (("--backend", "a=http://h", "--backend", "a=http://g"), "is given twice"),
                             (("--backend", "a=http://h", "--family", "a=gpt"), "--family: 'gpt'"),
                             (("--backend", "a=http://h", "--backend-timeout", "soon"), "not a time")):
            done = subprocess.run([harness.BIN / "refserver", "gateway", *flags], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 64, done)
            self.assertIn(words, done.stderr + done.stdout)


class Health(harness.Test):
    def health(self, *args):
        return subprocess.run([harness.BIN / "refserver", "health", *args], capture_output=True, text=True, timeout=60)

    def test_says_by_exit_code_how_a_server_is(self):
        with Server(models=("m",)) as server:
            self.assertEqual(self.health(server.url).returncode, 0)
            self.assertEqual(self.health(server.url + "/info").returncode, 0)
            by_variable = subprocess.run([harness.BIN / "refserver", "health"], timeout=60,
                                         env={"PORT": server.url.rsplit(":", 1)[1]})
            self.assertEqual(by_variable.returncode, 0)
            gone = self.health(server.url + "/nowhere")
            self.assertEqual((gone.returncode, "says 404" in gone.stderr), (69, True))
        self.assertEqual(self.health(server.url).returncode, 69)

    def test_a_silent_server_is_not_waited_for(self):
        with scripted(lambda peer: peer.recv(1 << 20) and peer.recv(1)) as (url, _):
            begin = time.monotonic()
            self.assertEqual(self.health(url, "--timeout", "200ms").returncode, 69)
            self.assertLess(time.monotonic() - begin, 10)

    def test_usage_errors(self):
        for args in (("nonsense",), ("https://h",), ("http://h", "--timeout", "x")):
            self.assertEqual(self.health(*args).returncode, 64, args)


if __name__ == "__main__":
    harness.main()
