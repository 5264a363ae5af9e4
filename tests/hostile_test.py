#!/usr/bin/env python3
"""Clients that mean ill, or just too many of them: memory stays bounded and others are answered meanwhile."""
import json
import re
import resource
import socket
import threading
import time
import urllib.parse

import harness
from harness import Server

FINE = json.dumps({"inputs": "a", "parameters": {"max_new_tokens": 1}})


class Hostile(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(ttft="1ms", gap="1ms")
        cls.port = urllib.parse.urlparse(cls.server.url).port

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, body, path="/generate"):
        """(status, seconds) of a request on a connection of its own."""
        raw = body if isinstance(body, bytes) else body.encode()
        start = time.monotonic()
        with self.connect() as s:
            s.sendall(b"POST %s HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                      % (path.encode(), len(raw)) + raw)
            answer = b""
            while part := s.recv(65536):
                answer += part
        return int(answer.split(b" ", 2)[1]), time.monotonic() - start

    def memory_mb(self):
        with open(f"/proc/{self.server.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def need_descriptors(self, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < count:
            self.skipTest(f"only {hard} file descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))

    def test_ten_thousand_requests_at_once_are_all_answered(self):
        self.need_descriptors(10_200)
        body = FINE.encode()
        request = (b"POST /generate HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\n"
                   b"content-length: %d\r\n\r\n" % len(body)) + body
        clients = [self.connect() for _ in range(10_000)]
        try:
            begin = time.monotonic()
            for s in clients:
                s.sendall(request[:-1])
            for s in clients:
                s.sendall(request[-1:])
            if time.monotonic() - begin > 20:
                self.skipTest("this machine is too busy to send them within the time that a server waits for a body")
            statuses = [s.recv(65536).split(b" ", 2)[1] for s in clients]
            self.assertLess(self.memory_mb(), 300)
        finally:
            for s in clients:
                s.close()
        self.assertEqual(set(statuses) - {b"200", b"429"}, set())
        self.assertGreaterEqual(statuses.count(b"200"), 128)  # the limit of the server's admission
        self.assertEqual(self.ask(FINE)[0], 200)

    def test_five_thousand_idle_connections_fit_in_100_mb(self):
        self.need_descriptors(5200)
        idle = [self.connect() for _ in range(5000)]
        try:
            self.assertEqual(self.ask(FINE)[0], 200)
            self.assertLess(self.memory_mb(), 100)
        finally:
            for s in idle:
                s.close()
        self.assertEqual(self.ask(FINE)[0], 200)

    def test_a_body_of_100_mb_is_refused_without_being_kept(self):
        before = self.memory_mb()
        with self.connect() as s:
            s.sendall(b"POST /generate HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n")
            try:
                for _ in range(1600):
                    s.sendall(b"a" * 65536)
            except OSError:
                pass  # cut, as it should be
            self.assertIn(b" 413 ", s.recv(100))
        self.assertLess(self.memory_mb(), before + 20)
        self.assertEqual(self.ask(FINE)[0], 200)

    def test_deep_json_and_bytes_that_are_no_text(self):
        self.assertEqual(self.ask('{"inputs":"a","x":' + "[" * 900_000 + "}")[0], 400)
        self.assertEqual(self.ask(b'{"inputs":"\xff\xfe"}')[0], 400)
        self.assertEqual(self.ask('{"inputs":"\\ud800"}')[0], 400)
        self.assertEqual(self.ask(FINE)[0], 200)

    def test_long_prompts_do_not_hold_up_short_ones(self):
        long = json.dumps({"inputs": "word " * 390_000, "parameters": {"max_new_tokens": 1, "truncate": 10}})
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask(long)[0])) for _ in range(6)]
        for thread in threads:
            thread.start()
        short = [self.ask(FINE) for _ in range(20)]
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [200] * 6)
        self.assertEqual({status for status, _ in short}, {200})
        self.assertLess(max(seconds for _, seconds in short), 5)

    def test_half_open_and_half_sent(self):
        held = []
        for text in (b"", b"POST /gen", b"POST /generate HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{"):
            for _ in range(100):
                held.append(self.connect())
                held[-1].sendall(text)
        self.assertEqual(self.ask(FINE)[0], 200)
        for s in held[::2]:
            s.shutdown(socket.SHUT_WR)
        self.assertEqual(self.ask(FINE)[0], 200)
        for s in held:
            s.close()


if __name__ == "__main__":
    harness.main()
