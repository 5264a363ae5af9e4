"""Small servers that speak the wires of other programs, for the end-to-end tests. Standard library only; each answers
every request the same way and keeps the requests it got. They know nothing of the programs under test."""
import http.server
import json
import socketserver
import ssl
import threading
import time


class WireServer:
    """Serves `respond(handler, path, body)` on loopback; `requests` holds (path, headers, JSON body) of all that came."""

    def __init__(self, respond, host="127.0.0.1", context=None):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # each event leaves when it is written

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append((self.path, dict(self.headers.items()), body))
                respond(self, self.path, body)

            def log_message(self, *_):
                pass

        class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def get_request(self):
                connection, address = super().get_request()
                if context is None:
                    return connection, address
                # The handshake belongs to the connection's own thread: a client that fails it must not stop the others.
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass

        self.server = Threaded((host, 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if context else ''}://{host}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def send_parts(handler, content_type, parts, gap_s=0.003):
    """A chunked answer, one chunk per part."""
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in parts:
        data = part.encode()
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.flush()
        time.sleep(gap_s)
    handler.wfile.write(b"0\r\n\r\n")


def send_json(handler, value, status=200, headers=()):
    data = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    for name, text in headers:
        handler.send_header(name, text)
    handler.end_headers()
    handler.wfile.write(data)


def words(count):
    return [f" w{i}" for i in range(count)]


def sse(values, end=None):
    return [f"data: {json.dumps(value)}\n\n" for value in values] + ([f"data: {end}\n\n"] if end else [])


def ollama(handler, path, body):
    n = body["options"]["num_predict"]
    final = {"model": body["model"], "done": True, "done_reason": "length", "prompt_eval_count": 11, "eval_count": n}
    if path == "/api/chat":
        piece = lambda text, **more: {"model": body["model"], "message": {"role": "assistant", "content": text}, "done": False, **more}
    else:
        piece = lambda text, **more: {"model": body["model"], "response": text, "done": False, **more}
    if not body["stream"]:
        return send_json(handler, piece("".join(words(n))) | final)
    lines = [piece(word) for word in words(n)] + [piece("") | final]
    send_parts(handler, "application/x-ndjson", [json.dumps(line) + "\n" for line in lines])


def triton(handler, path, body):
    if path.endswith("/generate"):
        return send_json(handler, {"model_name": "ensemble", "model_version": "1", "text_output": "".join(words(body["max_tokens"]))})
    events = [{"model_name": "ensemble", "model_version": "1", "text_output": word} for word in words(body["max_tokens"])]
    send_parts(handler, "text/event-stream; charset=utf-8", sse(events))


class Thinker:
    """OpenAI chat that thinks before it speaks; notes how long each took to, in milliseconds."""

    def __init__(self, pause_s):
        self.pause_s = pause_s
        self.thought_ms = []

    def __call__(self, handler, _, body):
        n = body["max_completion_tokens"] if "max_completion_tokens" in body else body["max_tokens"]
        piece = lambda delta, reason=None: f'data: {json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})}\n\n'
        usage = f'data: {json.dumps({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": n}})}\n\n'

        def parts():
            yield piece({"reasoning_content": "hm"})
            since = time.monotonic()
            time.sleep(self.pause_s)
            self.thought_ms.append((time.monotonic() - since) * 1e3)
            yield from (piece({"content": word}) for word in words(n - 1))
            yield from (piece({}, "length"), usage, "data: [DONE]\n\n")
        send_parts(handler, "text/event-stream", parts())


def sglang(handler, _, body):
    n = body["sampling_params"]["max_new_tokens"]
    step = lambda i: {"text": "".join(words(i)), "meta_info": {"prompt_tokens": 5, "completion_tokens": i,
                                                               "finish_reason": {"type": "length", "length": n} if i == n else None}}
    if not body.get("stream"):
        return send_json(handler, step(n))
    send_parts(handler, "text/event-stream", sse([step(i) for i in range(1, n + 1)], end="[DONE]"))


def llama_cpp(handler, _, body):
    n = body["n_predict"]
    events = [{"index": 0, "content": word, "stop": False, "tokens_predicted": i + 1, "tokens_evaluated": 6}
              for i, word in enumerate(words(n))]
    final = {"index": 0, "content": "", "stop": True, "stop_type": "limit", "model": "m", "tokens_predicted": n, "tokens_evaluated": 6}
    if not body["stream"]:
        return send_json(handler, final | {"content": "".join(words(n))})
    send_parts(handler, "text/event-stream", sse(events + [final]))


def bare(handler, _, body):
    grown = [{"text": [body["prompt"] + "".join(words(i))]} for i in range(1, body["max_tokens"] + 1)]
    if not body["stream"]:
        return send_json(handler, grown[-1])
    send_parts(handler, "text/plain", [json.dumps(line) + "\n" for line in grown])
