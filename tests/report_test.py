#!/usr/bin/env python3
"""Opens a run's report.html in headless Chromium: every chart must be drawn and the console must stay silent.

usage: report_test.py [REPORT.html]      without a file it makes a run with the programs in PLUMBLINE_BIN first
Exit 77: no Chromium on this machine. The page itself counts the pixels its data coloured (data-charts).
"""
import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CHARTS = ("ttft-time", "e2e-time", "requests-time", "tokens-time", "percentiles", "histogram")
FEWEST_PIXELS = 40  # a drawn line has hundreds; axes and legends count for nothing but a few


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    print("skipped: no Chromium on this machine (apt-get install chromium)")
    sys.exit(77)


def open_page(chromium, page, scratch):
    """The page's DOM after its scripts ran, and what it wrote to the console."""
    command = [chromium, "--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--no-sandbox",
               "--disable-background-networking", f"--user-data-dir={scratch}/profile", "--enable-logging=stderr",
               "--v=0", "--window-size=1280,2400", "--dump-dom", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=90)
    if done.returncode != 0:
        raise RuntimeError(f"chromium ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def faults_of(dom, console):
    faults = [f"console: {line}" for line in console]
    root = re.search(r"<html[^>]*>", dom)
    root = root.group(0) if root else ""
    if 'data-ready="true"' not in root:
        faults.append("the page did not finish: data-ready is missing")
    found = re.search(r'data-charts="([^"]*)"', root)
    pixels = json.loads(html.unescape(found.group(1))) if found else {}
    for chart in CHARTS:
        if pixels.get(chart, 0) < FEWEST_PIXELS:
            faults.append(f"chart {chart}: {pixels.get(chart, 0)} coloured pixels, expected {FEWEST_PIXELS} or more")
    return faults, pixels


class Links(html.parser.HTMLParser):
    """Collects every attribute that would make a browser fetch something."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [f"<{tag} {name}={value!r}>" for name, value in attrs
                       if name in ("src", "href", "srcset", "action") and not (value or "").startswith("data:")]


def check_no_outside_resources(page):
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return [f"refers to something outside the page: {link}" for link in links.found]


def check_links(dom, page):
    """The drawn page links to every dashboard that the run's summary names; `page` is a run of ours."""
    links = json.loads((page.parent / "summary.json").read_text())["links"]
    shown = {html.unescape(url) for url in re.findall(r'<a [^>]*href="([^"]+)"', dom)}
    return [f"no link to {url}" for url in links.values() if url not in shown] + ([] if links else ["the run has no links"])


def self_check(chromium, page, scratch):
    """A page whose charts are broken must be found broken, or this test proves nothing."""
    broken = scratch / "broken.html"
    broken.write_text(page.read_text(encoding="utf-8").replace("new Chart(", "new NoSuchChart("), encoding="utf-8")
    faults, _ = faults_of(*open_page(chromium, broken, scratch))
    return [] if any("console" in f for f in faults) and any("chart" in f for f in faults) else [
        f"self-check: a page without charts was not found broken: {faults}"]


def make_run(scratch):
    programs = pathlib.Path(os.environ["PLUMBLINE_BIN"])
    server = subprocess.Popen(
        [programs / "refserver", "serve", "--port", "0", "--engine", "simulated", "--sim-ttft", "30ms", "--sim-gap", "2ms"],
        stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().rsplit(" ", 1)[-1].strip()
        out = scratch / "run"
        done = subprocess.run(
            [programs / "loadgen", "run", "--target", url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency",
             "8", "--duration", "3s", "--warmup", "1s", "--max-new-tokens", "16", "--quiet", "--grafana-url",
             "http://127.0.0.1:3000", "--out", out], timeout=60)
        if not (out / "report.html").exists():
            sys.exit(f"loadgen left no report.html (exit code {done.returncode})")
        return out / "report.html"
    finally:
        server.terminate()
        server.wait(timeout=20)


def main():
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        page = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else make_run(scratch)
        dom, console = open_page(chromium, page, scratch)
        faults, pixels = faults_of(dom, console)
        if len(sys.argv) == 1:
            faults += check_links(dom, page)
        faults += check_no_outside_resources(page) + self_check(chromium, page, scratch)
        for fault in faults:
            print("FAIL", fault)
        print(f"{page.name}: {page.stat().st_size // 1024} KiB, coloured pixels {pixels}")
        sys.exit(bool(faults))


if __name__ == "__main__":
    main()
