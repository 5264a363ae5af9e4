"""Prometheus pages: read into a dict, and served from a text by a small server of the test."""
import http.server
import re
import threading
import urllib.request

LINE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

DCGM = """\
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 83
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 12
# TYPE DCGM_FI_DEV_FB_USED gauge
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 7011
DCGM_FI_DEV_FB_USED{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 322
# TYPE DCGM_FI_DEV_FB_FREE gauge
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 5271
DCGM_FI_DEV_FB_FREE{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 11960
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 187.5
DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 31.25
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} @ENERGY_A@
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} @ENERGY_B@
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 61
DCGM_FI_DEV_GPU_TEMP{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 34
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="GPU-a",Hostname="node-1",modelName="A made-up GPU"} 2475
DCGM_FI_DEV_SM_CLOCK{gpu="1",UUID="GPU-b",Hostname="node-1",modelName="A made-up GPU"} 210
"""
SECOND_NODE = """\
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="2",UUID="GPU-c",Hostname="node-2",modelName="A made-up GPU"} 47
# TYPE DCGM_FI_DEV_FB_USED gauge
DCGM_FI_DEV_FB_USED{gpu="2",UUID="GPU-c",Hostname="node-2",modelName="A made-up GPU"} 5120
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="2",UUID="GPU-c",Hostname="node-2",modelName="A made-up GPU"} 99.5
"""


def parse(text):
    """(name, labels as a sorted tuple of pairs) -> value."""
    found = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            name, labels, number = match.groups()
            found[(name, tuple(sorted(LABEL.findall(labels or ""))))] = float(number)
    return found


def fetch(url):
    return parse(urllib.request.urlopen(url, timeout=10).read().decode())


class GpuPage:
    """Serves a page as NVIDIA's exporter writes it, of GPUs whose energy grows by 1 kJ and 100 J a reading. Context manager."""

    def __init__(self, text=DCGM):
        readings = [0]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                readings[0] += 1
                body = text.replace("@ENERGY_A@", str(5_000_000 + 1_000_000 * readings[0]))
                body = body.replace("@ENERGY_B@", str(7_000_000 + 100_000 * readings[0])).encode()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}/metrics"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
