#!/usr/bin/env python3
"""Each way a request can fail, from a server that fails in just that way: every request ends in the one class made for it.

The servers are raw sockets: what they send is written out here byte by byte.
"""
import resource
import socket
import subprocess
import threading
import time

import harness
from harness import BIN, Run, Server, load, run_dir

N = 6
SSE = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
TOKEN = 'data:{"index":1,"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":null,"details":null}\n\n'
LAST = ('data:{"index":2,"token":{"id":2,"text":"b","logprob":-0.1,"special":false},"generated_text":"ab",'
        '"details":{"finish_reason":"length","generated_tokens":2,"seed":null,"input_length":3}}\n\n')
ERROR = 'data:{"error":"Request failed during generation: no memory","error_type":"generation"}\n\n'


def chunked(*parts, end=True):
    return SSE + "transfer-encoding: chunked\r\n\r\n" + "".join(f"{len(p.encode()):x}\r\n{p}\r\n" for p in parts) + ("0\r\n\r\n" if end else "")


def whole(status, body, content_type="application/json"):
    return f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}"


KEEP, CLOSE, RESET, SILENT = range(4)  # what the server does after its bytes

# class, bytes of the answer, what follows, more flags, error_type that is kept
CASES = [
    ("ok", chunked(TOKEN, LAST), KEEP, (), None),
    ("ok", SSE + "\r\n" + TOKEN + LAST, CLOSE, (), None),
    ("ok", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + chunked(TOKEN, LAST), KEEP, (), None),
    ("empty_output", chunked('data:{"index":0,"token":null,"generated_text":"","details":null}\n\n'), KEEP, (), None),
    ("stream_error", chunked(ERROR), KEEP, (), "generation"),
    ("stream_error", chunked(": keep-alive\n\n", ERROR), KEEP, (), "generation"),
    ("stream_error_partial", chunked(TOKEN, ERROR), KEEP, (), "generation"),
    ("truncated", chunked(TOKEN, end=False), CLOSE, (), None),
    ("truncated", chunked(TOKEN), KEEP, (), None),
    ("truncated", SSE, CLOSE, (), None),
    ("reset", "", CLOSE, (), None),
    ("reset", "", RESET, (), None),
    ("malformed", "SSH-2.0-OpenSSH_9.2\r\n", CLOSE, (), None),
    ("malformed", chunked("data: upstream connect error\n\n"), KEEP, (), None),
    ("malformed", whole(200, "<html>hello</html>", "text/html"), KEEP, (), None),
    ("malformed", SSE + "transfer-encoding: chunked\r\n\r\nzz\r\n", KEEP, (), None),
    ("malformed", SSE + "content-encoding: gzip\r\n\r\n" + TOKEN + LAST, CLOSE, (), None),
    ("malformed", "HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", KEEP, (), None),
    ("malformed", "HTTP/1.1 101 X\r\nupgrade: websocket\r\n\r\n", SILENT, (), None),
    ("overloaded", whole(429, '{"error":"Model is overloaded","error_type":"overloaded"}'), KEEP, (), "overloaded"),
    ("overloaded", whole(503, "no healthy upstream", "text/plain"), KEEP, (), None),
    ("http_4xx", whole(422, '{"error":"Input validation error: too long","error_type":"validation"}'), KEEP, (), "validation"),
    ("http_5xx", whole(500, '{"error":"Incomplete generation","error_type":"incomplete_generation"}'), KEEP, (), "incomplete_generation"),
    ("timeout_ttft", SSE + "\r\n", SILENT, ("--first-token-timeout", "250ms"), None),
    ("timeout_total", SSE + "\r\n" + TOKEN, SILENT, ("--timeout", "400ms"), None),
]


class RawServer:
    """Answers each request with the same bytes; `answered` counts them."""

    def __init__(self, answer, then):
        self.answer, self.then, self.answered = answer.encode(), then, 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection:
            try:
                while self.read_request(connection):
                    with self.lock:
                        self.answered += 1
                    connection.sendall(self.answer)
                    if self.then == SILENT:
                        self.over.wait(20)
                    if self.then == RESET:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    if self.then != KEEP:
                        return
            except OSError:
                pass

    @staticmethod
    def read_request(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return False
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        while len(body) < length:
            body += connection.recv(65536)
        return True


# What refserver does on purpose, and what a client can make of it. A reset may take what was not read yet with it.
FAULTS = {
    None: {"ok"},
    "stall": {"ok"},
    "slow_head": {"ok"},
    "missing_token": {"ok"},
    "doubled_token": {"ok"},
    "reset_before_answer": {"reset"},
    "reset_after_token": {"truncated", "reset"},
    "reset_inside_event": {"truncated", "reset"},
    "half_close": {"truncated"},
    "malformed_event": {"malformed"},
    "status_429": {"overloaded"},
    "status_503": {"overloaded"},
}


class Errors(harness.Test):
    def run_against(self, out, url, *more, requests=N):
        return load(out, "--target", url, "--route", "tgi-stream", "--max-new-tokens", 2, "--concurrency", 2, "--requests", requests,
                    "--warmup", "0s", *more)

    def test_each_failure_has_its_class(self):
        for outcome, answer, then, flags, error_type in CASES:
            with self.subTest(outcome=outcome, answer=answer[:60], then=then), RawServer(answer, then) as server, run_dir() as out:
                run = self.run_against(out, server.url, *flags)
                self.assertEqual(run.summary["counts"]["outcomes"], {outcome: N}, repr(run))
                self.assertEqual(server.answered, N, "no request is repeated")
                for request in run.requests:
                    self.assertEqual(request.get("error_type") or None, error_type)
                    self.assertEqual(bool(request.get("error")), outcome != "ok")
                rate = run.summary["rates"]["error_rate"]
                self.assertEqual(rate, 0 if outcome == "ok" else 1)

    def test_a_target_that_goes_away(self):
        """Pre-flight and the connections opened ahead find it; the requests do not."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)

        def accept_then_leave():
            kept = [listener.accept()[0] for _ in range(3)]  # pre-flight, and two opened ahead
            time.sleep(0.2)
            listener.close()
            for connection in kept:
                connection.close()

        threading.Thread(target=accept_then_leave, daemon=True).start()
        with run_dir() as out:
            run = self.run_against(out, f"http://127.0.0.1:{listener.getsockname()[1]}", requests=20)
            outcomes = run.summary["counts"]["outcomes"]
            self.assertLessEqual(set(outcomes), {"connect", "reset"}, repr(run))
            self.assertGreaterEqual(outcomes["connect"], 18 - 1, "all but those on the connections there were")

    def test_a_machine_without_descriptors_is_our_own_failure(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        with RawServer(SSE + "\r\n", SILENT) as server, run_dir() as out:
            done = subprocess.run([str(BIN / "loadgen"), "run", "--target", server.url, "--route", "tgi-stream", "--concurrency", "60",
                                   "--requests", "60", "--warmup", "0s", "--timeout", "1s", "--out", str(out), "--quiet"],
                                  capture_output=True, text=True, timeout=60, preexec_fn=limit)
            run = Run(done.returncode, done.stdout, done.stderr, out)
            self.assertEqual(run.code, 4, repr(run))
            self.assertGreater(run.summary["counts"]["outcomes"]["client_resource"], 0)
            self.assertEqual(run.summary["validity"]["status"], "INVALID")

    def test_faults_are_classed_as_the_server_knows_them(self):
        """Request by request: the fault that the server's own log has, and the class that loadgen found."""
        fields = {"stall": ", token: 3, time: 30ms", "slow_head": ", time: 1ms", "reset_before_answer": "", "status_429": "", "status_503": ""}
        rules = [f"  - {{fault: {fault}, every: {10 + i}{fields.get(fault, ', token: 3')}}}"
                 for i, fault in enumerate(fault for fault in FAULTS if fault)]
        with run_dir() as out:
            out.parent.mkdir(exist_ok=True)
            file = out.parent / "faults.yaml"
            file.write_text("rules:\n" + "\n".join(rules) + "\n")
            try:
                server = Server("--faults", file, ttft="10ms", gap="3ms")
            except RuntimeError as missing:
                self.skipTest(f"this refserver knows no --faults: {missing}")
            with server:
                run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--max-new-tokens", 8,
                           "--concurrency", 8, "--requests", 300, "--warmup", "0s", "--timeout", "60s")
                truth = {line["client_id"]: line for line in server.truth()}
            run_id = run.summary["run_id"]
            seen = {}
            for request in run.requests:
                line = truth[f"{run_id}-{request['index']}"]
                fault = line["fault"]
                self.assertIn(request["outcome"], FAULTS[fault], f"{line} {request}")
                seen[fault] = seen.get(fault, 0) + 1
                self.assertEqual(request.get("index_breaks", 0) > 0, fault in ("missing_token", "doubled_token"), f"{line} {request}")
            self.assertEqual(set(seen), set(FAULTS), seen)
            self.assertEqual(sum(run.summary["counts"]["outcomes"].values()), 300)


if __name__ == "__main__":
    harness.main()
