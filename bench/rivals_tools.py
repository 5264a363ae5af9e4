"""The load generators that rivals_benchmark.py puts side by side: how each one is started for a job, and what it then reports.
A tool's figures are taken from its own report and are not computed here; milliseconds and requests per second. `says` is what
it says of its own validity, `invalid` that it calls the run no good."""
import dataclasses
import json
import pathlib
import re
import subprocess

from harness import BIN

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
MODEL = "qwen2"
PROMPT = "What is a plumb line?"


@dataclasses.dataclass(frozen=True)
class Job:
    """`requests` answers of `tokens` each: `streams` at once, or `rate` a second evenly spaced. One of the two is 0."""
    requests: int
    tokens: int
    streams: int = 0
    rate: int = 0


class Loadgen:
    name = "loadgen"
    settings = ("one I/O thread, as it has one core; --record summary, so that no line is written per request; no progress display. "
                "Percentiles are its summary's, by the kernel's receive stamps")
    good_exits = (0, 4)  # 4: it calls its own run INVALID, which is an answer

    def places(self):
        return {}

    def version(self):
        return subprocess.run([BIN / "loadgen", "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def command(self, job, url, out):
        load = ["--concurrency", job.streams] if job.streams else ["--rate", job.rate, "--arrivals", "constant"]
        return [BIN / "loadgen", "run", "--target", url, "--route", "openai-chat", "--stream", "--model", MODEL, "--prompt", PROMPT,
                "--max-new-tokens", job.tokens, *load, "--requests", job.requests, "--warmup", "0s", "--threads", 1,
                "--record", "summary", "--quiet", "--out", out / "run"], {}

    def report(self, out, _):
        summary = json.loads((out / "run" / "summary.json").read_text())
        counts, validity = summary["counts"], summary["validity"]
        return {"ttft": percentiles(summary["metrics"]["ttft"], "p50", "p99"),
                "tpot": percentiles(summary["metrics"]["tpot"], "p50", "p99"), "requests": counts["measured"],
                "failed": counts["measured"] - counts["ok"], "rate": summary["rates"]["achieved_rate"],
                "invalid": validity["status"] == "INVALID",
                "says": [validity["status"] + "".join(f"; {reason}" for reason in validity["reasons"])]}


class Venv:
    """A tool from PyPI in a virtual environment of its own."""
    good_exits = (0,)

    def __init__(self, folder, tokenizer):
        self.bin, self.tokenizer = pathlib.Path(folder).resolve() / "bin", tokenizer

    def places(self):
        """Names for what only this machine has, in the commands that are shown."""
        return {f"{self.bin}/": "", str(self.tokenizer): "TOKENIZER"}

    def version(self):
        code = f"import importlib.metadata as m; print(m.version('{self.name}'))"
        return subprocess.run([self.bin / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Guidellm(Venv):
    name = "guidellm"
    settings = ("one worker process (GUIDELLM__MAX_WORKER_PROCESSES=1), as it has one core: its ten by default only compete for it; "
                "prompts from a file, as making them takes of that core too; HTTP/1.1; no request bodies kept (sample_size=0); console "
                "off; token counts of the server")

    def command(self, job, url, out):
        load = (f"kind=concurrent,streams={job.streams}" if job.streams else f"kind=constant,rate={job.rate}")
        row = json.dumps({"prompt": PROMPT, "output_tokens_count": job.tokens}) + "\n"
        (out / "prompts.jsonl").write_text(row * job.requests)
        return [self.bin / "guidellm", "run", "--backend", f"kind=openai_http,target={url},model={MODEL},http2=false", "--profile", load,
                "--constraint", f"kind=max_requests,count={job.requests}",
                "--data", f"kind=json_file,path={out / 'prompts.jsonl'}",
                "--tokenizer", f"kind=huggingface_auto,model={self.tokenizer}", "--metrics", "kind=generative,sample_size=0",
                "--output", f"kind=json,path={out / 'report.json'}", "--disable-console"
                ], {"GUIDELLM__MAX_WORKER_PROCESSES": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

    def report(self, out, _):
        run = json.loads((out / "report.json").read_text())["benchmarks"][0]
        metrics, made = run["metrics"], run["scheduler_metrics"]["requests_made"]
        return {"ttft": percentiles(metrics["time_to_first_token_ms"]["successful"]["percentiles"], "p50", "p99"),
                "tpot": percentiles(metrics["inter_token_latency_ms"]["successful"]["percentiles"], "p50", "p99"),
                "requests": made["total"], "failed": made["total"] - made["successful"],
                "rate": metrics["requests_per_second"]["successful"]["mean"], "says": [w["message"] for w in run["warnings"]]}


class Aiperf(Venv):
    name = "aiperf"
    settings = ("workers and record processors as it chooses them (one and one here); no display, no telemetry of GPUs or server, "
                "no records per request; token counts of the server; prompts made before the run")

    def command(self, job, url, out):
        load = (["--concurrency", job.streams] if job.streams else ["--request-rate", job.rate, "--arrival-pattern", "constant"])
        return [self.bin / "aiperf", "profile", "-m", MODEL, "-u", url, "--endpoint-type", "chat", "--streaming",
                "--tokenizer", self.tokenizer, "--use-server-token-count", *load, "--request-count", job.requests, "--isl", 8,
                "--osl", job.tokens, "--extra-inputs", "ignore_eos:true", "--num-dataset-entries", 64, "--export-level", "summary",
                "--no-gpu-telemetry", "--no-server-metrics", "--ui", "none", "--output-artifact-dir", out / "artifacts"], {}

    def report(self, out, _):
        report = json.loads((out / "artifacts" / "profile_export_aiperf.json").read_text())
        done, answered = report["completed_request_count"]["avg"], report["request_count"]["avg"]
        overheads = [float(ms) for ms in re.findall(r"taking too long to run\. Overhead: ([0-9.]+)ms",
                                                    (out / "artifacts" / "logs" / "aiperf.log").read_text())]
        return {"ttft": percentiles(report["time_to_first_token"], "p50", "p99"),
                "tpot": percentiles(report.get("inter_token_latency"), "p50", "p99"), "requests": round(done),
                "failed": round(done - answered), "rate": report["request_throughput"]["avg"],
                "says": [f"its log: event loop slow {len(overheads)} times, at most {max(overheads):.0f} ms"] if overheads else []}


class Locust(Venv):
    name = "locust"
    settings = ("bench/peers/locustfile.py: FastHttpUser, one process, as it has one core; TTFT and TPOT as custom metrics; kept to "
                "0.01 ms instead of two digits; a rate is kept by twice the users that answers of 50 ms need, started spread out")

    def __init__(self, folder, _):
        super().__init__(folder, None)

    def command(self, job, url, out):
        users = job.streams or max(1, job.rate // 10)
        return [self.bin / "locust", "-f", PEERS / "locustfile.py", "--headless", "--only-summary", "--json-file", out / "report",
                "-H", url, "-u", users, "-r", users], {
                    "PLUMBLINE_REQUESTS": job.requests, "PLUMBLINE_TOKENS": job.tokens, "PLUMBLINE_RATE": job.rate}

    def report(self, out, log):
        rows = {row["name"]: row for row in json.loads((out / "report.json").read_text())}
        chat = rows["chat"]
        seconds = chat["last_request_timestamp"] - chat["start_time"]
        return {"ttft": self.counted(rows.get("TTFT")), "tpot": self.counted(rows.get("TPOT")), "requests": chat["num_requests"],
                "failed": chat["num_failures"], "rate": chat["num_requests"] / seconds if seconds else None,
                "says": sorted(set(re.findall(r"CPU usage (?:above|was)[^!]*!", log)))}

    @staticmethod
    def counted(row):
        """Percentiles of the counts by which Locust keeps times, by its own rule."""
        if not row:
            return None
        found = {}
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            below, wanted = row["num_requests"], int(row["num_requests"] * share)
            for value, count in sorted(((float(v), n) for v, n in row["response_times"].items()), reverse=True):
                below -= count
                if below <= wanted:
                    found[name] = value
                    break
        return found


def percentiles(values, p50, p99):
    """{p50, p99} in milliseconds; None where the tool has no such metric."""
    return {"p50": values[p50], "p99": values[p99]} if values else None
