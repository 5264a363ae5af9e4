#!/usr/bin/env python3
"""Checks that the pages do not lie: every relative link leads somewhere, every exit code is listed, every block of commands on
the pages below does what the page shows, or says why nobody tried.
"""
import re
import shutil
import time
import urllib.error
import urllib.request

import harness
from doc_blocks import Block, Reader, blocks, is_as_shown

RUN = ("docs/api.md", "docs/deploy.md", "docs/live.md", "docs/monitoring.md")

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")


def anchors(page):
    """The anchors a Markdown page has: its headings in lower case, words joined by dashes."""
    headings = re.findall(r"^#+\s+(.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def broken_links(page):
    for target, anchor in LINK.findall(page.read_text()):
        if re.match(r"\w+:", target):
            continue
        path = (page.parent / target) if target else page
        if not path.exists():
            yield f"{page.relative_to(harness.SOURCE)}: {target} does not exist"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"{page.relative_to(harness.SOURCE)}: {target} has no heading '{anchor}'"


def section(page, heading):
    """What stands below a heading of docs/, up to the next one."""
    text = (harness.SOURCE / "docs" / page).read_text()
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]


def first_words(table):
    """The names in the first column of a Markdown table, heading apart."""
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)]


def gate_error(gate):
    refused = harness.loadgen("run", "--target", "http://127.0.0.1:1", "--route", "tgi", "--rate", 1, "--duration", "1s", "--gate", gate)
    return refused.stderr


class DocsTest(harness.Test):
    def test_the_metrics_described_are_those_there_are(self):
        found = re.search(r"a metric, one of ([\w, ]+); or, of a machine or server, one of ([\w., ]+)", gate_error("p99(nonsense) < 1ms"))
        metrics, levels = (words.split(", ") for words in found.groups())
        self.assertIn("ttfo", metrics)
        self.assertCountEqual(first_words(section("metrics.md", "Metrics")), metrics)
        listed = re.search(r"^Metric names: (.*?)\.", (harness.SOURCE / "docs/summary-json.md").read_text(), re.M | re.S)[1]
        self.assertCountEqual(re.findall(r"`(\w+)`", listed), metrics)
        schema = (harness.SOURCE / "scenarios/schema.json").read_text()
        self.assertIn(f"({'|'.join(metrics)})", schema)
        with harness.Server(ttft="1ms", gap="1ms") as server, harness.run_dir() as out:
            run = harness.load(out, "--target", server.url, "--route", "tgi", "--model", "qwen2", "--concurrency", 1, "--requests", 1,
                               "--warmup", "0s")
            self.assertEqual(list(run.summary["metrics"]), metrics)
            outcomes = list(run.summary["counts"]["outcomes"])
            self.assertLessEqual(set(outcomes), set(re.findall(r"`(\w+)`", section("metrics.md", "Outcomes"))))
            checks = [check["name"] for check in run.summary["validity"]["checks"]]
            self.assertLessEqual(set(checks), set(first_words(section("metrics.md", "Validity"))))
        columns = [re.findall(r"`((?:gpu|server)\.\w+)`", line.split("|")[1]) for line in section("observing.md", "Gates").splitlines()
                   if line.startswith("| `")]
        self.assertEqual([name for names in columns for name in names], levels)

    def test_every_outcome_is_described(self):
        source = (harness.SOURCE / "loadgen/drive/request_record.cpp").read_text()
        outcomes = re.findall(r'"(\w+)"', re.search(r"outcome_count> words = \{(.*?)\}", source, re.S)[1])
        self.assertGreater(len(outcomes), 10)
        self.assertEqual(re.findall(r"`(\w+)`", section("metrics.md", "Outcomes").split("Failed requests")[0]), outcomes)
        self.assertEqual(set(first_words(section("endpoints.md", "How failures are told apart"))), set(outcomes))

    def test_links_lead_somewhere(self):
        pages = [harness.SOURCE / "README.md", *sorted((harness.SOURCE / "docs").rglob("*.md"))]
        self.assertGreater(len(pages), 3)
        self.assertEqual([finding for page in pages for finding in broken_links(page)], [])

    def test_every_exit_code_is_listed(self):
        listed = set(re.findall(r"^\| (\d+) \|", (harness.SOURCE / "docs/exit-codes.md").read_text(), re.M))
        for program in ("loadgen", "refserver"):
            codes = re.findall(r"= (\d+),", (harness.SOURCE / program / "exit_code.hpp").read_text())
            self.assertGreater(len(codes), 2)
            self.assertLessEqual(set(codes), listed, program)


class BlocksTest(harness.Test):
    """The reading of blocks itself: what is not run must not look as if it were."""

    def test_blocks_are_found_with_their_markers_and_outputs(self):
        page = "x\n```sh\na\nb\n```\n```json\n{}\n```\n\n<!-- untested: needs a GPU -->\n```sh\nc\n```\n\n```json\n{}\n```\n"
        self.assertEqual(blocks(page), [Block(2, "a\nb", None, "{}"), Block(11, "c", "<!-- untested: needs a GPU -->", None)])
        self.assertEqual([b.reason for b in blocks(page)], [None, "needs a GPU"])

    def test_outputs_are_compared_whole(self):
        self.assertTrue(is_as_shown('{"a":12,"b":[]}\n', '{"a":…,"b":[]}'))
        for wrong in ('{"a":12,"b":[1]}', 'x{"a":12,"b":[]}', '{"a":12,"b":[]}x', ""):
            self.assertFalse(is_as_shown(wrong, '{"a":…,"b":[]}'))

    def test_a_failing_command_fails(self):
        with Reader() as reader:
            self.assertRaises(AssertionError, reader.run, Block(1, "false | true\ntrue"))
            self.assertRaises(AssertionError, reader.run, Block(1, "false\ntrue"))
            self.assertEqual(reader.run(Block(1, "ls docs/api.md")), "docs/api.md\n")


class Examples(harness.Test):
    def test_every_block_is_run_or_says_why_not(self):
        for page in RUN:
            for block in blocks((harness.SOURCE / page).read_text()):
                where = f"{page}:{block.line}"
                if block.marker:
                    self.assertTrue(block.reason or block.tested_by, f"{where}: {block.marker}")
                if block.reason:
                    self.assertGreater(len(block.reason), 10, where)
                if block.tested_by:
                    self.assertTrue((harness.SOURCE / block.tested_by).is_file(), where)

    def follow(self, page, reader):
        """Runs what is to be run, in order; returns how many blocks that were."""
        ran = 0
        for block in blocks((harness.SOURCE / page).read_text()):
            if block.reason or block.tested_by:
                continue
            ran += 1
            if block.is_server:
                reader.start(block)
                wait_until_well(next(reversed(reader.ports.values())))
                continue
            missing = [w for w in ("curl", "docker-compose", "promtool") if w in block.commands and not shutil.which(w)]
            if missing:
                print(f"note: {page}:{block.line} not run, {missing[0]} is not installed")
                continue
            output = reader.run(block)
            if block.expected is not None:
                self.assertTrue(is_as_shown(output, block.expected), f"{page}:{block.line}: {block.commands}\n{output}")
        return ran

    def test_the_http_interface(self):
        with Reader() as reader, harness.Server(ttft="5ms", gap="1ms", models=("qwen2",)) as qwen2, \
                harness.Server(ttft="5ms", gap="1ms", models=("llama3",)) as llama3:
            reader.ports = {"8081": qwen2.url.rsplit(":", 1)[1], "8082": llama3.url.rsplit(":", 1)[1]}
            self.assertGreater(self.follow("docs/api.md", reader), 20)

    def test_the_http_interface_shows_every_route(self):
        text = (harness.SOURCE / "docs/api.md").read_text()
        table = (harness.SOURCE / "refserver/http/route_table.cpp").read_text()
        routes = set(re.findall(r'(?:PostRoute|GetRoute)\{"([^"]+)"', table))
        self.assertGreater(len(routes), 15)
        asked = set()
        for block in blocks(text):
            for path in re.findall(r"http://127\.0\.0\.1:8080(/[\w./-]*)?", block.commands):
                asked.add(path or "/health")
        self.assertEqual(routes - asked, set())

    def test_deploying(self):
        with Reader() as reader:
            self.assertGreater(self.follow("docs/deploy.md", reader), 2)


def wait_until_well(port):
    for _ in range(500):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).close()
            return
        except urllib.error.URLError:
            time.sleep(0.02)
    raise AssertionError(f"the server on port {port} is not well")


if __name__ == "__main__":
    harness.main()
