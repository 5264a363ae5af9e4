#!/usr/bin/env python3
"""Checks that the pages do not lie about files: every relative link leads somewhere, every exit code is listed."""
import re

import harness

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


class DocsTest(harness.Test):
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


if __name__ == "__main__":
    harness.main()
