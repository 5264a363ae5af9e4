"""A strict reader of Prometheus' text format: what its own linter lets pass and then breaks queries is an error here."""
import collections
import math
import re

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
KINDS = ("counter", "gauge", "histogram", "summary")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Page:
    """`families`: name -> kind; `samples`: (name, frozenset of labels) -> value. Raises AssertionError on anything wrong."""

    def __init__(self, text):
        assert text == "" or text.endswith("\n"), "the last line has no end"
        assert "\r" not in text, "a carriage return"
        self.families, self.samples, self.helped = {}, {}, set()
        family = None
        for line in text.split("\n")[:-1]:
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                assert family not in self.helped, f"{family}: in two places"
                self.helped.add(family)
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == family and NAME.fullmatch(name) and kind in KINDS and name not in self.families, line
                self.families[name] = kind
            else:
                self._sample(line, family)
        for name, kind in self.families.items():
            if kind == "counter":
                assert name.endswith("_total"), f"{name}: a counter without _total"
            if kind == "histogram":
                self._check_histogram(name)
            assert not name.endswith(("_ms", "_milliseconds", "_mib")), f"{name}: not a base unit"

    def _sample(self, line, family):
        head, _, value = line.rpartition(" ")
        name = NAME.match(head)[0]
        kind = self.families[family]
        assert name in [family + suffix for suffix in SUFFIXES.get(kind, ("",))], f"{line}: not of {family}"
        rest = head[len(name):]
        labels = {}
        if rest:
            assert rest[0] == "{" and rest[-1] == "}", line[:200]
            at = 1
            while at < len(rest) - 1:
                found = LABEL.match(rest, at)
                assert found and found[1] not in labels, line[:200]
                labels[found[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
                at = found.end()
                if rest[at] == ",":
                    at += 1
                else:
                    assert at == len(rest) - 1, line[:200]
        key = (name, frozenset(labels.items()))
        assert key not in self.samples, f"twice: {line[:200]}"
        self.samples[key] = float(value)

    def histograms(self, name):
        """labels without le -> ([(edge, count at most)], sum, count)"""
        found = collections.defaultdict(lambda: [[], None, None])
        for (sample, labels), value in self.samples.items():
            own = frozenset(pair for pair in labels if pair[0] != "le")
            if sample == name + "_bucket":
                found[own][0].append((float(dict(labels)["le"]), value))
            elif sample == name + "_sum":
                found[own][1] = value
            elif sample == name + "_count":
                found[own][2] = value
        return found

    def _check_histogram(self, name):
        histograms = self.histograms(name)
        edges = {tuple(edge for edge, _ in buckets) for buckets, _, _ in histograms.values()}
        assert len(edges) == 1, f"{name}: buckets differ between series"
        for buckets, total, count in histograms.values():
            assert total is not None and count is not None, f"{name}: no sum or no count"
            assert [e for e, _ in buckets] == sorted(e for e, _ in buckets) and math.isinf(buckets[-1][0]), f"{name}: edges"
            assert [n for _, n in buckets] == sorted(n for _, n in buckets), f"{name}: not cumulative"
            assert buckets[-1][1] == count, f"{name}: +Inf is not the count"

    def edges(self, name):
        return [edge for edge, _ in next(iter(self.histograms(name).values()))[0]]

    def total(self, name, **labels):
        """The sum over every sample of that name with these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, own), value in self.samples.items() if sample == name and wanted <= own)

    def quantile_edge(self, name, quantile):
        """The bucket edge below which the quantile lies, over all series."""
        counts = collections.Counter()
        for buckets, _, _ in self.histograms(name).values():
            counts.update(dict(buckets))
        rank = max(1, math.ceil(quantile * counts[math.inf]))
        return min(edge for edge, count in counts.items() if count >= rank)
