#!/usr/bin/env python3
"""One run by several processes: their requests are those of one process, merged numbers are theirs, and what is missing is said."""
import concurrent.futures
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import harness
from harness import Run, Server, load, loadgen, nearest_rank, run_dir, start_loadgen, until


def start_at():
    """Enough time for a busy machine to start a few processes; where one has to be there in time, run_together is better."""
    return int(time.time()) + 3


def shard_flags(url, out, index, count, *flags):
    return ("run", "--target", url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s", "--max-new-tokens", 4,
            "--shard", f"{index}/{count}", "--out", out, "--quiet", *flags)


def run_together(commands):
    """The outcome of each loadgen command. They begin at one instant, which is chosen once all wait for it."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "start"
        processes = [start_loadgen(*command, "--start-file", file) for command in commands]
        for process in processes:
            line = process.stderr.readline()
            assert f"waiting for {file}" in line, line + process.communicate()[1]
        file.write_text(f"{time.time() + 1:.3f}\n")
        with concurrent.futures.ThreadPoolExecutor(len(processes)) as pool:
            said = list(pool.map(lambda process: process.communicate(timeout=300), processes))
    return [Run(process.returncode, *output, None) for process, output in zip(processes, said)]


def run_shards(url, out, count, *flags, only=None):
    """All of them at once; the outcome of each."""
    return run_together([shard_flags(url, out, i, count, *flags) for i in (range(count) if only is None else only)])


def merge(out, *flags):
    result = loadgen("merge", out, "--out", out.parent / "merged", *flags)
    result.out = out.parent / "merged"
    return result


def plan_of(requests):
    """What was sent: number in the plan, entry, planned instant relative to the first request's (nanoseconds)."""
    return sorted((r["index"], r["entry"]) for r in requests)


class Shards(harness.Test):
    def test_lengths_drawn_for_each_request_are_those_of_one_process(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out, tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "lengths.txt").write_text("# tokens weight\n3 2\n17 1\n")
            scenario = pathlib.Path(folder) / "lengths.yaml"
            scenario.write_text(f"schema_version: 1\nname: lengths\ntarget: {server.url}\nroute: tgi-stream\nwarmup: 0\nrequests: 60\n"
                                "load: {mode: open, rate: 60}\nmix:\n"
                                "  - {name: a, model: qwen2, parameters: {max_new_tokens: 'histogram(lengths.txt)'}}\n"
                                "  - {name: b, model: llama3, parameters: {max_new_tokens: 'uniform(1, 30)'}}\n")
            alone = load(out.parent / "alone", scenario)
            self.assertIn(alone.code, (0, 4), alone)
            for run in run_together([("run", scenario, "--shard", f"{i}/2", "--out", out, "--quiet") for i in range(2)]):
                self.assertIn(run.code, (0, 4), run)
            several = merge(out)
            lengths = {r["index"]: (r["entry"], r["requested_tokens"]) for r in alone.requests}
            self.assertEqual({r["index"]: (r["entry"], r["requested_tokens"]) for r in several.requests}, lengths)
            self.assertEqual({n for entry, n in lengths.values() if entry == "a"}, {3, 17})
            self.assertGreater(len({n for entry, n in lengths.values() if entry == "b"}), 5)
            self.assertEqual(alone.summary["rates"]["osl_mismatch"], 0, "the server was asked for what the plan says")

    def test_a_file_says_when_to_start(self):
        """The start is chosen once both processes wait for it; half a number is not taken for one."""
        flags = ("--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s", "--max-new-tokens", 4, "--rate", 20, "--requests", 20)
        with Server(ttft="10ms", gap="2ms") as server, run_dir() as out, tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "start"
            shards = [start_loadgen("run", "--target", server.url, *flags, "--shard", f"{i}/2", "--out", out, "--quiet",
                                    "--start-file", file) for i in range(2)]
            for process in shards:
                self.assertIn(f"waiting for {file}", process.stderr.readline())
            start = start_at()
            file.write_text(f"{start}.25\n")
            for process in shards:
                _, errors = process.communicate(timeout=60)
                self.assertIn(process.returncode, (0, 4), errors)
            run = merge(out)
            self.assertIn(run.code, (0, 4), run)
            self.assertEqual(run.summary["shards"]["degraded"], [])
            self.assertEqual(run.summary["counts"]["measured"], 20)
            self.assertEqual(len(server.truth()), 20)
            with open(out / "shard-0" / "summary.json") as f:
                self.assertRegex(json.load(f)["wall_start"], r"\.25")

    def test_a_start_file_that_says_nothing_useful(self):
        flags = ("--route", "tgi", "--warmup", "0s", "--rate", 5, "--requests", 5)
        with Server() as server, run_dir() as out, tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "start"
            for text, words in (("soon\n", "must be seconds since 1970"), ("x" * 5000, "larger than"), (f"{int(time.time()) - 10}", "more than a second ago")):
                file.write_text(text)
                run = load(out, "--target", server.url, *flags, "--start-file", file)
                self.assertEqual(run.code, 75, run)
                self.assertIn(words, run.stderr)
                self.assertFalse(out.exists(), "it left nothing")
            file.unlink()
            process = start_loadgen("run", "--target", server.url, *flags, "--quiet", "--out", out, "--start-file", file)
            self.assertIn("waiting for", process.stderr.readline())
            process.terminate()
            _, errors = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 75, errors)
            for more, words in (((), "--out: is missing"), (("--out", out, "--start-at", "5000000000"), "excludes --start-at")):
                run = loadgen("run", "--target", server.url, *flags, "--start-file", file, *more)
                self.assertEqual(run.code, 64, run)
                self.assertIn(words, run.stderr)

    def test_any_number_of_shards_sends_the_plan_of_one_process(self):
        plans, offsets, measured = {}, {}, {}
        flags = ("--rate", 60, "--arrivals", "gamma", "--cv", 2, "--requests", 150, "--seed", 11)
        for count in (1, 3, 8):
            with Server(ttft="10ms", gap="2ms") as server, run_dir() as out:
                if count == 1:
                    run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s",
                               "--max-new-tokens", 4, *flags)
                    self.assertIn(run.code, (0, 4), run)
                else:
                    for run in run_shards(server.url, out, count, *flags):
                        self.assertIn(run.code, (0, 4), run)
                    run = merge(out)
                    self.assertIn(run.code, (0, 4), run)
                    self.assertEqual(run.summary["shards"]["degraded"], [])
                    self.assertEqual([s["status"] for s in run.summary["shards"]["merged"]], ["complete"] * count)
                requests = run.requests
                plans[count] = plan_of(requests)
                starts = {}
                for r in requests:  # each machine has its own clock; here they share one, so the plan begins at one instant
                    starts[r["index"]] = r["stamps"]["intended_ns"]
                first = min(starts.values())
                offsets[count] = {i: at - first for i, at in starts.items()}
                measured[count] = run.summary["counts"]["measured"]
                self.assertEqual(len(server.truth()), 150, "the server got each request once")
        self.assertEqual(measured, {1: 150, 3: 150, 8: 150})
        for count in (3, 8):
            self.assertEqual(plans[count], plans[1])
            # Every shard turns the common start into its own clock by itself: to microseconds, milliseconds if it was interrupted.
            for index, offset in offsets[count].items():
                self.assertAlmostEqual(offset, offsets[1][index], delta=50e6)

    def test_closed_loops_are_dealt_by_user(self):
        for count in (1, 3):
            with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
                runs = run_shards(server.url, out, count, "--concurrency", 7, "--requests", 100)
                for run in runs:
                    self.assertIn(run.code, (0, 4), run)
                run = merge(out)
                self.assertIn(run.code, (0, 4), run)
                self.assertEqual(sorted(r["index"] for r in run.requests), list(range(100)))
                self.assertEqual(run.summary["counts"]["ok"], 100)

    def test_latencies_keyed_by_the_request_are_those_of_one_process(self):
        told = {}
        for count in (1, 3, 8):
            with Server(ttft="10ms+exp(20ms)", gap="uniform(1ms,5ms)") as server, run_dir() as out:
                for run in run_shards(server.url, out, count, "--rate", 80, "--requests", 160, "--index-header", "x-sim-key"):
                    self.assertIn(run.code, (0, 4), run)
                run = merge(out)
                self.assertIn(run.code, (0, 4), run)
                self.assertEqual(run.summary["counts"]["ok"], 160)
                # What the server had in mind for each token, from the arrival of the request: equal to the nanosecond.
                told[count] = {int(t["client_id"].rsplit("-", 1)[1]): [due - t["recv_ns"] for due in t["due_ns"]]
                               for t in server.truth() if t.get("client_id")}
                self.assertEqual(len(told[count]), 160)
        self.assertEqual(told[3], told[1])
        self.assertEqual(told[8], told[1])
        self.assertGreater(len({tuple(v) for v in told[1].values()}), 150, "they do differ from request to request")

    def test_merged_percentiles_are_those_of_all_requests(self):
        with Server(ttft="20ms", gap="2ms") as server, run_dir() as out:
            for run in run_shards(server.url, out, 3, "--rate", 100, "--duration", "2s"):
                self.assertIn(run.code, (0, 4), run)
            run = merge(out)
            self.assertIn(run.code, (0, 4), run)
            ok = [r for r in run.requests if r["phase"] == "measure" and r["outcome"] == "ok"]
            s = run.summary
            self.assertEqual(s["metrics"]["e2e"]["count"], len(ok))
            for metric in ("ttft", "e2e", "e2e_sched"):
                expected = nearest_rank([r["metrics"][metric] for r in ok], 0.5)
                self.assertAlmostEqual(s["metrics"][metric]["p50"], expected, delta=expected * 0.0011 + 0.001)
            self.assertAlmostEqual(s["rates"]["offered_rate"], s["rates"]["planned_rate"], delta=0.01)
            log = (run.out / "run.hlog").read_text()
            self.assertIn("Tag=ttft", log)
            self.assertEqual({p.name for p in run.out.iterdir()},
                             {"summary.json", "report.html", "requests.jsonl", "run.hlog", "mix.hlog", "slowest.jsonl"})
            again = loadgen("merge", out, "--out", run.out)
            self.assertEqual(again.code, 73, again)


class Losses(harness.Test):
    def test_a_missing_shard_and_a_foreign_one(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            for run in run_shards(server.url, out, 3, "--rate", 50, "--requests", 60, "--gate", "errors <= 0", only=(0, 2)):
                self.assertIn(run.code, (0, 4), run)
            run = merge(out)
            self.assertIn(run.code, (4, 5), run)
            self.assertIn("shards 1 of 3 are missing", run.stdout.replace("\n", " "))
            self.assertEqual(run.summary["verdict"], "inconclusive")
            self.assertEqual(run.summary["shards"]["merged"][1]["status"], "missing")
            shutil.rmtree(run.out)
            judged = merge(out, "--allow-degraded")
            self.assertIn(judged.code, (4, 5), judged)
            self.assertEqual(judged.summary["verdict"], "pass")
            shutil.rmtree(judged.out)
            for run in run_shards(server.url, out, 3, "--rate", 50, "--requests", 61, "--gate", "errors <= 0", only=(1,)):
                self.assertIn(run.code, (0, 4), run)
            foreign = merge(out)
            self.assertEqual(foreign.code, 65, foreign)
            self.assertIn("not of one run", foreign.stderr)

    def test_a_second_attempt_at_a_shard_is_refused_and_a_late_one_too(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            flags = ("--rate", 50, "--requests", 20)
            for run in run_shards(server.url, out, 2, *flags, only=(0,)):
                self.assertIn(run.code, (0, 4), run)
            before = (out / "shard-0" / "shard.json").read_bytes()
            again = loadgen(*shard_flags(server.url, out, 0, 2, *flags), "--start-at", start_at())
            self.assertEqual(again.code, 73, again)
            self.assertEqual((out / "shard-0" / "shard.json").read_bytes(), before)
            late = loadgen(*shard_flags(server.url, out, 1, 2, *flags), "--start-at", int(time.time()) - 10)
            self.assertEqual(late.code, 75, late)
            self.assertFalse((out / "shard-1").exists(), "it left nothing")

    def test_a_terminated_shard_leaves_what_it_has_at_once(self):
        with Server(ttft="20s", gap="1ms") as server, run_dir() as out:
            process = start_loadgen("run", "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s",
                                    "--rate", 100, "--duration", "60s", "--shard", "0/2", "--start-at", int(time.time()) + 1,
                                    "--out", out, "--quiet")
            # Some hundred streams are open then, none of which will answer soon.
            self.assertTrue(until(lambda: server.metric("tgi_batch_current_size") > 100 or process.poll() is not None))
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            try:
                _, stderr = process.communicate(timeout=19)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            self.assertLess(time.monotonic() - asked, 19, "without waiting for answers")
            self.assertIn(process.returncode, (4, 5), stderr)
            run = merge(out)
            self.assertIn(run.code, (4, 5), run)
            self.assertEqual([s["status"] for s in run.summary["shards"]["merged"]], ["truncated", "missing"])

    def test_a_killed_shard_counts_with_its_last_checkpoint(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            process = start_loadgen("run", "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--warmup", "0s",
                                    "--max-new-tokens", 4, "--rate", 20, "--duration", "120s", "--shard", "1/2", "--start-at",
                                    int(time.time()) + 1, "--out", out, "--quiet")
            part = out / "shard-1" / "shard.part.json"
            until(lambda: part.exists() or process.poll() is not None)
            process.kill()
            process.communicate()
            self.assertTrue(part.exists())
            run = merge(out)
            self.assertIn(run.code, (4, 5), run)
            self.assertEqual([s["status"] for s in run.summary["shards"]["merged"]], ["missing", "truncated"])
            self.assertGreater(run.summary["counts"]["ok"], 20)


class Usage(harness.Test):
    def test_what_a_shard_needs(self):
        base = ("run", "--target", "http://127.0.0.1:1", "--route", "tgi", "--requests", 5)
        for flags, env, word in (
                (("--rate", 5, "--warmup", "0s", "--shard", "0/2"), {}, "--start-at: is missing"),
                (("--rate", 5, "--shard", "0/2", "--start-at", start_at()), {}, "--warmup: is missing"),
                (("--concurrency", 2, "--warmup", "0s", "--shard", "0/3", "--start-at", start_at()), {}, "2 users cannot"),
                (("--rate", 5, "--warmup", "0s"), {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, "from open-mpi"),
                (("--rate", 5, "--shard", "2/2"), {}, "must be k/N"),
                (("--rate", 5, "--start-at", "tomorrow"), {}, "seconds since 1970")):
            run = loadgen(*base, *flags, env=env)
            self.assertEqual(run.code, 64, run)
            self.assertIn(word, run.stderr)
        self.assertEqual(loadgen("merge").code, 64)
        self.assertEqual(loadgen("merge", "/nonexistent").code, 64)
        nothing = loadgen("merge", "/nonexistent", "--out", "/nonexistent/m")
        self.assertEqual(nothing.code, 65)
        self.assertIn("/nonexistent does not exist", nothing.stderr)
        with run_dir() as out:
            out.mkdir()
            empty = loadgen("merge", out, "--out", out / "m")
            self.assertEqual(empty.code, 65, empty)
            (out / "shard.json").write_text("{}")
            damaged = loadgen("merge", out, "--out", out / "m")
            self.assertEqual(damaged.code, 65, damaged)
            self.assertIn("not whole", damaged.stderr)


class Stages(harness.Test):
    def test_a_ramp_is_followed(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--max-new-tokens", 3,
                       "--rate-stages", "to 100 for 2s, at 20 for 1s", "--arrivals", "constant")
            self.assertIn(run.code, (0, 4), run)
            offsets = sorted(r["stamps"]["intended_ns"] for r in run.requests)
            seconds = [(at - offsets[0]) / 1e9 for at in offsets]
            counts = [sum(s <= t < s + 1 for t in seconds) for s in range(3)]
            for seen, planned in zip(counts, (25, 75, 20)):
                self.assertAlmostEqual(seen, planned, delta=1)
            self.assertEqual(run.summary["scenario"]["load"]["stages"][0], {"to": 100.0, "for_s": 2.0})

    def test_users_come_and_go_and_think(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--max-new-tokens", 2,
                       "--concurrency-stages", "at 6 for 1s, at 2 for 1s, at 0 for 500ms", "--think-time", "50ms")
            self.assertIn(run.code, (0, 4), run)
            begin = min(r["stamps"]["intended_ns"] for r in run.requests)
            users = {}
            for r in run.requests:
                users.setdefault(r["index"] % 6, []).append((r["stamps"]["intended_ns"] - begin) / 1e9)
            self.assertEqual(set(users), set(range(6)))
            for user, times in users.items():
                self.assertLessEqual(max(times), 1.01 if user >= 2 else 2.01, "nobody starts who has left")
                for before, after in zip(sorted(times), sorted(times)[1:]):
                    self.assertGreaterEqual(after - before, 0.05, "each waits its think time")
            dry = loadgen("run", "--target", server.url, "--route", "tgi", "--rate-stages", "to 100 for 2s, at 20 for 1s", "--dry-run")
            self.assertEqual(dry.code, 0, dry)
            self.assertIn("0 to 100 in 2s", dry.stdout)
            self.assertIn("about 120 measured", dry.stdout)


class Truth(harness.Test):
    def test_the_difference_to_the_servers_record_is_told(self):
        with Server(ttft="30ms", gap="5ms") as server, run_dir() as out:
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 8, "--requests",
                       200, "--warmup", "0s", "--max-new-tokens", 10, "--truth", server.truth_file, "--slowest", 5)
            self.assertIn(run.code, (0, 4), run)
            truth = run.summary["truth"]
            self.assertEqual((truth["matched"], truth["missing_in_truth"], truth["missing_in_run"]), (200, 0, 0))
            record = {int(t["client_id"].rsplit("-", 1)[1]): t for t in server.truth() if t.get("client_id")}
            first = {i: (t["achieved_ns"][0] - t["recv_ns"]) * 1e-6 for i, t in record.items()}
            self.assertAlmostEqual(truth["metrics"]["ttft"]["p50"]["true"], nearest_rank(first.values(), 0.5), places=6)
            own = [r["metrics"]["ttft"] for r in run.requests]
            self.assertAlmostEqual(truth["metrics"]["ttft"]["p50"]["measured"], nearest_rank(own, 0.5), places=6)
            errors = [abs(r["metrics"]["ttft"] - first[r["index"]]) for r in run.requests]
            self.assertAlmostEqual(truth["metrics"]["ttft"]["request_error"]["max"], max(errors), places=6)
            self.assertIn("against the truth", run.stdout)
            slowest = [json.loads(line) for line in (out / "slowest.jsonl").read_text().splitlines()]
            self.assertEqual(len(slowest), 5)
            took = sorted((r["metrics"]["e2e"] for r in run.requests), reverse=True)[:5]
            self.assertEqual([round(s["took_ms"], 6) for s in slowest], [round(t, 6) for t in took])
            self.assertEqual(len(slowest[0]["events"]), slowest[0]["chunks"])

    def test_what_is_not_in_the_record_is_counted(self):
        with Server(ttft="5ms", gap="1ms") as server, run_dir() as out:
            other = out.parent / "other.jsonl"
            other.write_text('{"client_id":"someone-1","recv_ns":1,"achieved_ns":[2],"outcome":"ok"}\nnot json\n')
            run = load(out, "--target", server.url, "--route", "tgi-stream", "--model", "qwen2", "--concurrency", 1, "--requests", 3,
                       "--warmup", "0s", "--max-new-tokens", 2, "--truth", other)
            self.assertIn(run.code, (0, 4), run)
            truth = run.summary["truth"]
            self.assertEqual((truth["matched"], truth["missing_in_truth"], truth["unreadable_lines"]), (0, 3, 1))
            self.assertIn("3 measured are not in the record", run.stdout)
            self.assertEqual(load(out.parent / "x", "--target", server.url, "--route", "tgi", "--concurrency", 1, "--requests", 1,
                                  "--warmup", "0s", "--truth", "/nonexistent").code, 1)


if __name__ == "__main__":
    harness.main()
