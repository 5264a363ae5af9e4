#!/usr/bin/env python3
"""Every way to reach a server: TLS with good and bad certificates, proxies, names resolved by hand, headers with secrets.

The servers, the proxy and the certificates are made here (Python's ssl, the openssl program); loadgen is judged by its exit
code, its words and what arrived.
"""
import base64
import contextlib
import http.client
import http.server
import pathlib
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading

import harness
import wire_servers
from harness import load, loadgen, need, run_dir
from wire_servers import WireServer

OPENSSL = need("openssl", "openssl")
NO_PROXIES = {name: "" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")}
SECRET = "sk-0123456789-do-not-print"


class Certificates:
    """A CA, certificates it has signed, and one that nobody has."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="certificates-"))
        self.run("req", "-x509", *self.new_key("ca"), "-subj", "/CN=Test CA", "-days", "2")
        self.sign("server", "DNS:localhost,IP:127.0.0.1,IP:::1", "-days", "2")
        self.sign("other", "DNS:other.example", "-days", "2")
        self.sign("client", "DNS:client.example", "-days", "2")
        self.sign("expired", "DNS:localhost,IP:127.0.0.1", "-days", "-1")
        self.run("req", "-x509", *self.new_key("self"), "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")

    def new_key(self, name):
        return ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def sign(self, name, names, *more):
        (self.dir / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        self.run("req", *self.new_key(name)[:-1], f"{name}.csr", "-subj", f"/CN={name}")
        self.run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem",
                 "-extfile", f"{name}.ext", *more)

    def run(self, *args):
        subprocess.run([OPENSSL, *args], cwd=self.dir, check=True, capture_output=True)

    def __getitem__(self, name):
        return str(self.dir / name)

    def context(self, name, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self[f"{name}.pem"], self[f"{name}.key"])
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self[client_ca])
        return context


class ProxyServer:
    """An HTTP proxy: tunnels for CONNECT, absolute-form requests passed on. `seen` holds (method, what was asked for)."""

    def __init__(self, authorization=None):
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def allowed(self):
                outer.seen.append((self.command, self.path))
                if authorization is None or self.headers["proxy-authorization"] == authorization:
                    return True
                self.send_error(407)
                return False

            def do_CONNECT(self):
                self.close_connection = True
                if not self.allowed():
                    return
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host.strip("[]"), int(port))) as upstream:
                    self.send_response(200, "Connection established")
                    self.end_headers()
                    sides = {self.connection: upstream, upstream: self.connection}
                    while True:
                        for side in select.select(list(sides), [], [])[0]:
                            data = side.recv(65536)
                            if not data:
                                return
                            sides[side].sendall(data)

            def do_POST(self):
                if not self.allowed():
                    return
                body = self.rfile.read(int(self.headers["content-length"]))
                host, path = self.path.removeprefix("http://").split("/", 1)
                with contextlib.closing(http.client.HTTPConnection(host)) as upstream:
                    upstream.request("POST", "/" + path, body, {"content-type": "application/json"})
                    answer = upstream.getresponse()
                    data = answer.read()
                self.send_response(answer.status)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Threaded(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Relay:
    """Passes bytes on from another kind of address, an IPv6 port or a unix socket, to a server on 127.0.0.1. `seen`: connections."""

    def __init__(self, family, address, port):
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(64)
        self.to, self.seen = ("127.0.0.1", port), 0
        self.port = self.listener.getsockname()[1] if family == socket.AF_INET6 else None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self.listener.accept()
                self.seen += 1
                far = socket.create_connection(self.to)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(one, other), daemon=True).start()

    @staticmethod
    def copy(one, other):
        with one, contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def chat(handler, _, body):
    """A chat stream as OpenAI's, with usage; the key of the request comes back in an error when the prompt asks for it."""
    if "echo the key" in body["messages"][0]["content"]:
        return wire_servers.send_json(handler, {"error": {"message": f"bad key {handler.headers['authorization']}"}}, 401)
    piece = lambda text: {"model": body.get("model", ""), "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    n = body["max_tokens"]
    final = [{"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
             {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": n, "total_tokens": n + 3}}]
    wire_servers.send_parts(handler, "text/event-stream", wire_servers.sse([piece(w) for w in wire_servers.words(n)] + final, "[DONE]"))


class Network(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.certificates.dir)

    def drive(self, out, target, *more, env=None, requests=6):
        return load(out, "--target", target, "--route", "openai-chat", "--model", "m", "--max-new-tokens", 5, "--concurrency", 3,
                    "--requests", requests, "--warmup", "0s", *more, env=NO_PROXIES | (env or {}))

    def assertAllOk(self, run, count=6):
        self.assertCode(run, 0)
        self.assertEqual(run.summary["counts"]["outcomes"], {"ok": count}, repr(run))

    def test_a_trusted_certificate(self):
        with WireServer(chat, context=self.certificates.context("server")) as server, run_dir() as out:
            run = self.drive(out, server.url, "--ca-file", self.certificates["ca.pem"])
            self.assertAllOk(run)
            self.assertEqual(run.summary["scenario"]["tls"], {"verified": True, "own_ca": True, "client_certificate": False})
            self.assertEqual({r["output_tokens"] for r in run.requests}, {5})
            self.assertEqual(run.summary["generator"]["kernel_stamped_share"], 1, "records are stamped as plain bytes are")

    def test_certificates_that_must_be_refused(self):
        ca = ("--ca-file", self.certificates["ca.pem"])
        for name, flags, words in [("server", (), "not trusted"), ("self", ca, "not trusted"), ("expired", ca, "expired"),
                                   ("other", ca, "not for '127.0.0.1'")]:
            with self.subTest(name), WireServer(chat, context=self.certificates.context(name)) as server, run_dir() as out:
                run = self.drive(out, server.url, *flags)
                self.assertEqual(run.code, 69, repr(run))
                self.assertIn(words, run.stderr)
                self.assertEqual(server.requests, [])

    def test_insecure_takes_any_and_says_so(self):
        with WireServer(chat, context=self.certificates.context("self")) as server, run_dir() as out:
            run = self.drive(out, server.url, "--insecure")
            self.assertAllOk(run)
            self.assertFalse(run.summary["scenario"]["tls"]["verified"])
            self.assertIn("--insecure", run.stdout)

    def test_another_name_for_the_same_address(self):
        """--host names what the certificate is for; --resolve finds a name that no name service knows."""
        ca = ("--ca-file", self.certificates["ca.pem"])
        with WireServer(chat, context=self.certificates.context("other")) as server:
            with run_dir() as out:
                self.assertAllOk(self.drive(out, server.url, *ca, "--host", "other.example"))
                self.assertEqual({h["host"] for _, h, _ in server.requests}, {"other.example"})
            with run_dir() as out:
                self.assertAllOk(self.drive(out, f"https://other.example:{server.port}", *ca, "--resolve", f"other.example:{server.port}:127.0.0.1"))

    def test_a_client_certificate(self):
        ca = ("--ca-file", self.certificates["ca.pem"])
        with WireServer(chat, context=self.certificates.context("server", client_ca="ca.pem")) as server:
            with run_dir() as out:
                self.assertAllOk(self.drive(out, server.url, *ca, "--client-cert", self.certificates["client.pem"], "--client-key",
                                            self.certificates["client.key"]))
            with run_dir() as out:
                run = self.drive(out, server.url, *ca)  # TLS 1.3: the refusal comes after the handshake
                self.assertNotIn("ok", run.summary["counts"]["outcomes"] if run.code != 69 else {})
                self.assertEqual(len(server.requests), 6)
        run = loadgen("run", "--target", "https://127.0.0.1:1", "--route", "tgi", "--concurrency", 1, "--requests", 1, "--client-cert",
                      self.certificates["client.pem"], "--client-key", self.certificates["server.key"], env=NO_PROXIES)
        self.assertEqual(run.code, 69)
        self.assertIn("key values mismatch", run.stderr)

    def test_ipv6_and_unix_sockets_under_tls(self):
        ca = ("--ca-file", self.certificates["ca.pem"])
        context = self.certificates.context("server")
        with WireServer(chat, context=context) as server, tempfile.TemporaryDirectory() as folder:
            with Relay(socket.AF_INET6, ("::1", 0), server.port) as six, run_dir() as out:
                self.assertAllOk(self.drive(out, f"https://[::1]:{six.port}", *ca))
                self.assertGreater(six.seen, 0)
                self.assertEqual({h["host"] for _, h, _ in server.requests}, {f"[::1]:{six.port}"})
            path = pathlib.Path(folder) / "server.sock"
            with Relay(socket.AF_UNIX, str(path), server.port) as local, run_dir() as out:
                run = self.drive(out, f"unix+tls:{path}", *ca)  # localhost stands in the certificate
                self.assertAllOk(run)
                self.assertGreater(local.seen, 0)
                self.assertEqual({r["stamp_source"] for r in run.requests}, {"user"})
            with Relay(socket.AF_UNIX, str(path) + "2", server.port), run_dir() as out:
                run = self.drive(out, f"unix+tls:{path}2", *ca, "--host", "elsewhere.example")
                self.assertEqual(run.code, 69, repr(run))
                self.assertIn("not for 'elsewhere.example'", run.stderr)
        with WireServer(chat, context=self.certificates.context("other")) as server:
            with Relay(socket.AF_INET6, ("::1", 0), server.port) as six, run_dir() as out:
                run = self.drive(out, f"https://[::1]:{six.port}", *ca)
                self.assertEqual(run.code, 69, repr(run))
                self.assertIn("not for '::1'", run.stderr)

    def test_ipv6_and_unix_sockets_beside_proxies(self):
        ca = ("--ca-file", self.certificates["ca.pem"])
        with WireServer(chat) as plain, WireServer(chat, context=self.certificates.context("server")) as secure, ProxyServer() as proxy, \
                Relay(socket.AF_INET6, ("::1", 0), proxy.port) as proxy6, tempfile.TemporaryDirectory() as folder:
            with Relay(socket.AF_INET6, ("::1", 0), secure.port) as six, run_dir() as out:
                self.assertAllOk(self.drive(out, f"https://[::1]:{six.port}", *ca, env={"https_proxy": f"http://127.0.0.1:{proxy.port}"}))
                self.assertEqual(set(proxy.seen), {("CONNECT", f"[::1]:{six.port}")})
            proxy.seen.clear()
            with run_dir() as out:  # the proxy itself has an IPv6 address
                self.assertAllOk(self.drive(out, plain.url, env={"http_proxy": f"http://[::1]:{proxy6.port}"}))
                self.assertEqual(set(proxy.seen), {("POST", plain.url + "/v1/chat/completions")})
            proxy.seen.clear()
            path = pathlib.Path(folder) / "server.sock"
            for target, server in ((f"unix:{path}", plain), (f"unix+tls:{path}", secure)):
                path.unlink(missing_ok=True)
                with Relay(socket.AF_UNIX, str(path), server.port), run_dir() as out:
                    url = f"http://127.0.0.1:{proxy.port}"
                    self.assertAllOk(self.drive(out, target, *ca, env={"http_proxy": url, "https_proxy": url, "all_proxy": url}))
            self.assertEqual(proxy.seen, [], "no proxy can reach a socket of this machine")

    def test_source_addresses(self):
        with WireServer(chat) as server:
            with run_dir() as out:
                run = self.drive(out, server.url, "--source-address", "127.0.0.2,::1,127.0.0.3")
                self.assertAllOk(run)
                self.assertEqual(run.summary["scenario"]["source_addresses"], ["127.0.0.2", "::1", "127.0.0.3"])
                self.assertEqual({r["connection"] for r in run.requests} - {1, 2, 3}, set())
            for addresses, words in (("192.0.2.1", "192.0.2.1"), ("127.0.0.2,192.0.2.1", "192.0.2.1"), ("::1", "no source address is of that kind")):
                with run_dir() as out:
                    run = self.drive(out, server.url, "--source-address", addresses)
                    self.assertEqual(run.code, 69, repr(run))
                    self.assertIn(words, run.stderr)

    def test_tls_where_there_is_none(self):
        with WireServer(chat) as server, run_dir() as out:
            run = self.drive(out, server.url.replace("http:", "https:"), "--connect-timeout", "3s")
            self.assertEqual(run.code, 69, repr(run))
            self.assertIn("TLS", run.stderr)
            self.assertIn("http:// instead of https://", run.stderr)

    def test_proxies_of_the_environment(self):
        ca = ("--ca-file", self.certificates["ca.pem"])
        credentials = "Basic " + base64.b64encode(b"us er:pa:ss").decode()
        with WireServer(chat) as plain, WireServer(chat, context=self.certificates.context("server")) as secure:
            with ProxyServer(credentials) as proxy:
                url = f"http://us%20er:pa:ss@127.0.0.1:{proxy.port}"
                with run_dir() as out:
                    self.assertAllOk(self.drive(out, plain.url, env={"http_proxy": url}))
                    self.assertEqual(set(proxy.seen), {("POST", plain.url + "/v1/chat/completions")})
                    self.assertNothingHolds(out, "pa:ss", credentials)
                proxy.seen.clear()
                with run_dir() as out:
                    self.assertAllOk(self.drive(out, secure.url, *ca, env={"HTTPS_PROXY": url}))
                    self.assertEqual(set(proxy.seen), {("CONNECT", f"127.0.0.1:{secure.port}")})
                proxy.seen.clear()
                for flags, env in [(("--no-proxy",), {}), ((), {"no_proxy": "127.0.0.1"})]:
                    with run_dir() as out:
                        self.assertAllOk(self.drive(out, plain.url, *flags, env={"http_proxy": url} | env))
                self.assertEqual(proxy.seen, [])
                with run_dir() as out:
                    run = self.drive(out, secure.url, *ca, env={"https_proxy": f"http://127.0.0.1:{proxy.port}"})
                    self.assertEqual(run.code, 69, repr(run))
                    self.assertIn("407", run.stderr)
        run = loadgen("run", "--target", "http://127.0.0.1:1", "--route", "tgi", "--concurrency", 1, "--requests", 1,
                      env=NO_PROXIES | {"http_proxy": f"socks5://{SECRET}@h"})
        self.assertEqual(run.code, 64)
        self.assertIn("http_proxy", run.stderr)
        self.assertNotIn(SECRET, run.stderr)

    def assertNothingHolds(self, out, *secrets):
        for file in out.rglob("*"):
            if file.is_file():
                for secret in secrets:
                    self.assertNotIn(secret.encode(), file.read_bytes(), file)

    def test_secrets_of_headers_stay_out_of_everything_we_write(self):
        with WireServer(chat) as server, tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder) / "key"
            key.write_text(SECRET + "\n")
            for value, env in [("Bearer " + SECRET, {}), ("Bearer ${env:TEST_KEY}", {"TEST_KEY": SECRET}), ("Bearer ${file:%s}" % key, {})]:
                with self.subTest(value), run_dir() as out:
                    run = self.drive(out, server.url, "--header", "authorization: " + value, "--prompt", "hello", "--prompt", "echo the key",
                                     env=env, requests=30)
                    self.assertEqual(server.requests[-1][1]["authorization"], "Bearer " + SECRET)
                    self.assertEqual(set(run.summary["counts"]["outcomes"]), {"ok", "http_4xx"}, repr(run))
                    self.assertIn("bad key", (out / "requests.jsonl").read_text())
                    self.assertNothingHolds(out, SECRET)
                    self.assertNotIn(SECRET, run.stdout + run.stderr)
            for flags, env in [(("--api-key-file", key), {}), ((), {"LOADGEN_API_KEY": SECRET}),
                               (("--api-key-file", key), {"LOADGEN_API_KEY": "another key"})]:
                with self.subTest(flags=flags, env=env), run_dir() as out:
                    run = self.drive(out, server.url, *flags, "--prompt", "echo the key", env=env, requests=5)
                    self.assertEqual(server.requests[-1][1]["authorization"], "Bearer " + SECRET, run)
                    self.assertNothingHolds(out, SECRET)
                    self.assertNotIn(SECRET, run.stdout + run.stderr)
            with run_dir() as out:  # a header of its own wins over the environment
                self.drive(out, server.url, "--header", "authorization: Basic abc", env={"LOADGEN_API_KEY": SECRET}, requests=1)
                self.assertEqual(server.requests[-1][1]["authorization"], "Basic abc")
            for flags, env, says in [(("--api-key-file", key, "--header", "Authorization: x"), {}, "excludes --header"),
                                     (("--api-key-file", pathlib.Path(folder) / "nowhere"), {}, "cannot be read"),
                                     ((), {"LOADGEN_API_KEY": "two\nlines"}, "LOADGEN_API_KEY")]:
                run = loadgen("run", "--target", server.url, "--route", "tgi", "--concurrency", 1, "--requests", 1, *flags, env=env)
                self.assertEqual(run.code, 64, run)
                self.assertIn(says, run.stderr)
            run = loadgen("run", "--target", server.url, "--route", "tgi", "--concurrency", 1, "--requests", 1, "--header",
                          "authorization: Bearer ${env:NOT_SET_ANYWHERE}")
            self.assertEqual(run.code, 64)
            self.assertIn("NOT_SET_ANYWHERE", run.stderr)

    def test_connections_the_server_closes(self):
        """While they are idle, or after each answer and without a word of it; neither is an error of a request."""
        def closes_when_idle(handler, path, body):
            handler.connection.settimeout(0.1)
            chat(handler, path, body)

        def closes_at_once(handler, path, body):
            handler.close_connection = True
            chat(handler, path, body)

        with WireServer(closes_when_idle) as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "openai-chat", "--model", "m", "--max-new-tokens", 5, "--rate", 1,
                       "--arrivals", "constant", "--requests", 3, "--warmup", "0s", env=NO_PROXIES)
            self.assertAllOk(run, 3)
            self.assertEqual(len({r["connection"] for r in run.requests}), 3)
        with WireServer(closes_at_once) as server, run_dir() as out:
            run = self.drive(out, server.url, "--idle-timeout", "0s", requests=30)
            self.assertAllOk(run, 30)
            self.assertEqual(len({r["connection"] for r in run.requests}), 30)
            self.assertEqual(run.summary["scenario"]["timeouts_s"]["idle"], 0)

    def test_timeouts(self):
        silent = socket.create_server(("127.0.0.1", 0), backlog=64)
        with silent, run_dir() as out:
            run = self.drive(out, f"http://127.0.0.1:{silent.getsockname()[1]}", "--first-token-timeout", "200ms", requests=3)
            self.assertEqual(run.summary["counts"]["outcomes"], {"timeout_ttft": 3}, repr(run))
        with socket.create_server(("127.0.0.1", 0)) as mute, run_dir() as out:
            run = self.drive(out, f"https://127.0.0.1:{mute.getsockname()[1]}", "--connect-timeout", "300ms")
            self.assertEqual(run.code, 69, repr(run))
            self.assertIn("no handshake within the connect timeout", run.stderr)


if __name__ == "__main__":
    harness.main()
