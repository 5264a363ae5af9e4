"""The Markdown of rivals_benchmark.py's figures: tables of medians, what the tools say of themselves, and where a rival is better."""
import statistics

METRICS = [(m, q) for m in ("ttft", "tpot") for q in ("p50", "p99")]


def markdown(result, raw_name):
    finished = [r for r in result["runs"] if "error" not in r]
    streams = [r for r in finished if r["part"] == "streams"]
    summary = {(size, tool): summarized(streams, finished, size, tool)
               for size in sorted({r["streams"] for r in streams}) for tool in result["versions"]
               if any(r["streams"] == size and r["tool"] == tool for r in streams)}
    parts = ["# loadgen beside other load generators", head(result, raw_name)]
    for size in sorted({size for size, _ in summary}):
        parts += [f"## {size:,} streams at once", table_of_size({t: s for (n, t), s in summary.items() if n == size})]
    rates = best_rates([r for r in result["runs"] if r["part"] == "rates"])
    if rates:
        parts += ["## Highest honest rate", rates_text(rates)]
    parts += ["## Where a rival was better", better(summary, rates), "## How each was run", how(result), gaps(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(result, raw_name):
    m = result["machine"]
    loads = " / ".join(f"{r[0]:.1f}" for r in (result["load_average_before"], result["load_average_after"]))
    return (f"Command: `{result['command']}`. Date: {result['date']}. Machine: {m['cpu']}, {m['cores']} cores, Linux {m['kernel']}; "
            f"client on one core, server on the other; load average before / after: {loads} (the runs themselves included). "
            f"Raw figures: [{raw_name}]({raw_name}).\n\n"
            "Cells are reported / true (error), milliseconds, medians over the repeats: *reported* is the tool's own figure, *true* is "
            "refserver's truth log of the same requests, from the kernel's receive stamp of the request to the write of a token. TPOT "
            "is per request, first to last token over the tokens between. CPU is per request, of the tool's whole process tree, "
            "without what it takes for a single request (start-up). Nobody warmed up.")


def summarized(streams, finished, size, tool):
    rows = [r for r in streams if r["streams"] == size and r["tool"] == tool]
    start = [r["cpu_s"] for r in finished if r["part"] == "startup" and r["tool"] == tool]
    cpu_ms = statistics.median((r["cpu_s"] - (start[0] if start else 0)) / r["true"]["requests"] * 1e3 for r in rows)
    out = {"repeats": len(rows), "cpu_ms": cpu_ms if cpu_ms > 0 else None,  # none: lost in the start-up's own spread
           "failed": sum(max(r["reported"]["failed"], r["true"]["requests"] - r["true"]["ok"]) for r in rows),
           "unlike": sum(r["reported"]["requests"] != r["true"]["requests"] for r in rows),
           "says": sorted({s for r in rows for s in r["reported"]["says"]}), "silent": sum(not r["reported"]["says"] for r in rows)}
    for metric, quantile in METRICS:
        pairs = [(r["reported"][metric][quantile], r["true"][metric][quantile]) for r in rows
                 if (r["reported"][metric] or {}).get(quantile) is not None and r["true"].get(metric)]
        out[metric, quantile] = None if not pairs else {
            "reported": statistics.median(p[0] for p in pairs), "true": statistics.median(p[1] for p in pairs),
            "error": statistics.median(p[0] - p[1] for p in pairs), "worst": max((p[0] - p[1] for p in pairs), key=abs)}
    return out


def table_of_size(by_tool):
    lines = ["| tool | TTFT p50 | TTFT p99 | TPOT p50 | TPOT p99 | worst TTFT p99 error | CPU | failed |", "|---" * 8 + "|"]
    for tool, s in by_tool.items():
        cells = [cell(s[key]) for key in METRICS]
        worst = f"{s['ttft', 'p99']['worst']:+.2f}" if s["ttft", "p99"] else "–"
        cpu = f"{s['cpu_ms']:.2f} ms" if s["cpu_ms"] else "–"
        lines.append(f"| {tool} | {' | '.join(cells)} | {worst} | {cpu} | {s['failed']} |")
    lines += ["", "What they say of their own validity:", ""]
    for tool, s in by_tool.items():
        silent = f"nothing in {s['silent']} of {s['repeats']} runs" if s["silent"] else ""
        lines.append(f"- {tool}: " + ("; ".join(filter(None, [silent, " / ".join(s["says"])]))))
        if s["unlike"]:
            lines.append(f"  (in {s['unlike']} runs its number of requests is not the server's)")
    return "\n".join(lines)


def cell(pair):
    return f"{pair['reported']:.2f} / {pair['true']:.2f} ({pair['error']:+.2f})" if pair else "–"


def best_rates(rows):
    """{tool: (highest honest row or None, lowest dishonest row or None)}"""
    out = {}
    for tool in dict.fromkeys(r["tool"] for r in rows):
        honest = {r["rate"]: r for r in rows if r["tool"] == tool and r["honest"]}
        failing = min((r for r in rows if r["tool"] == tool and r["rate"] not in honest), key=lambda r: r["rate"], default=None)
        below = [r for rate, r in honest.items() if not failing or rate < failing["rate"]]
        out[tool] = (max(below, key=lambda r: r["rate"], default=None), failing)
    return out


def rates_text(rates):
    lines = ["One-token streams, true TTFT 50 ms, evenly spaced (in steps this short chance alone would move a Poisson rate by some "
             "4 %). Honest: at least 95 % of the rate arrived, nothing failed, "
             "the tool does not call its run invalid, and the reported TTFT p99 is within 5 ms and 10 % of the true one.", "",
             "| tool | honest up to | TTFT p99 there | CPU per request there | server's core busy | first that failed, and why |",
             "|---" * 6 + "|"]
    for tool, (best, failing) in rates.items():
        why = f"{failing['rate']:,}/s: {failing['why_not']}" if failing else "none of the steps"
        if not best:
            lines.append(f"| {tool} | – | – | – | – | {why} |")
            continue
        pair = {"reported": best["reported"]["ttft"]["p99"], "true": best["true"]["ttft"]["p99"]}
        pair["error"] = pair["reported"] - pair["true"]
        sending_s = best["true"]["requests"] / best["true"]["rate"]
        lines.append(f"| {tool} | {best['rate']:,}/s | {cell(pair)} | {best['cpu_s'] / best['true']['requests'] * 1e3:.2f} ms | "
                     f"{best['server_cpu_s'] / sending_s:.0%} | {why} |")
    return "\n".join(lines + ["", "CPU here includes start-up. Where the server's core is nearly full, the rate says as much of the "
                                  "server as of the tool."])


def better(summary, rates):
    """Every comparison that loadgen does not win."""
    lines = []
    for size in sorted({size for size, _ in summary}):
        ours = summary.get((size, "loadgen"))
        if not ours:
            continue
        for (n, tool), s in summary.items():
            if n != size or tool == "loadgen":
                continue
            lines += [f"- {size:,} streams, error of {m.upper()} {q}: {tool} {s[m, q]['error']:+.3f} ms, "
                      + (f"loadgen {ours[m, q]['error']:+.3f} ms" if ours[m, q] else "loadgen reports none")
                      for m, q in METRICS if s[m, q] and (not ours[m, q] or abs(s[m, q]["error"]) < abs(ours[m, q]["error"]))]
            if s["cpu_ms"] and ours["cpu_ms"] and s["cpu_ms"] < ours["cpu_ms"]:
                lines.append(f"- {size:,} streams, CPU per request: {tool} {s['cpu_ms']:.2f} ms, loadgen {ours['cpu_ms']:.2f} ms")
            if s["failed"] < ours["failed"]:
                lines.append(f"- {size:,} streams, requests failed: {tool} {s['failed']}, loadgen {ours['failed']}")
    reached = {tool: best["rate"] if best else 0 for tool, (best, _) in rates.items()}
    lines += [f"- honest rate: {tool} {rate:,}/s, loadgen {reached['loadgen']:,}/s" for tool, rate in reached.items()
              if "loadgen" in reached and rate > reached["loadgen"]]
    return "\n".join(lines) or "Nowhere in these tables."


def how(result):
    starts = {r["tool"]: r["cpu_s"] for r in result["runs"] if r["part"] == "startup"}
    lines = []
    for tool, version in result["versions"].items():
        command = next((r["command"] for r in result["runs"] if r["tool"] == tool and r["part"] == "streams"), None) or next(
            (r["command"] for r in result["runs"] if r["tool"] == tool and "command" in r), "")
        start = f" Start-up: {starts[tool]:.2f} s of CPU." if tool in starts else ""
        lines.append(f"- {tool} {version.removeprefix(tool).strip()}: {result['settings'][tool]}.{start}\n  `{command}`")
    return "\n".join(lines)


def gaps(result):
    lines = [f"- {tool}: {why}" for tool, why in result["absent"].items()]
    lines += [f"- {r['tool']}, {r['part']} {r['streams'] or r['rate']}: {' '.join(r['error'].split())}"
              for r in result["runs"] if "error" in r]
    lines += [f"- no time left for: {what}" for what in result["missing"]]
    return "## What did not run\n\n" + "\n".join(lines) if lines else ""
