// Everything of the report that is text: badges, tiles, tables. Data from outside reaches the page through textContent only.
"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const run = report.summary;

const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const at = (id) => document.getElementById(id);
const grouped = new Intl.NumberFormat("en-US");
const count = (n) => grouped.format(n);
const significant = (x, digits = 3) =>
  new Intl.NumberFormat("en-US", { maximumSignificantDigits: Math.max(digits, x >= 1 ? Math.ceil(Math.log10(x + 1)) : 0) }).format(x);
const duration = (ms) => (ms >= 10000 ? [significant(ms / 1000, 4), "s"] : [significant(ms, 4), "ms"]);
const inMs = (ms) => (ms === null ? null : ms.toLocaleString("en-US", { minimumFractionDigits: ms < 100 ? 2 : 1, maximumFractionDigits: ms < 100 ? 2 : 1 }));
const rate = (x) => x.toLocaleString("en-US", { minimumFractionDigits: x >= 1000 ? 0 : x >= 10 ? 1 : 2, maximumFractionDigits: x >= 1000 ? 0 : x >= 10 ? 1 : 2 });
const percent = (share) => (share === 0 ? "0 %" : `${significant(share * 100)} %`);
const seconds = (s) => `${significant(s, 4)} s`;
/// First output differs from first token only where something was thought before it was said.
const saysNothingNew = (metric) =>
  metric === "ttfo" && ["count", "censored", "mean"].every((key) => run.metrics.ttfo[key] === run.metrics.ttft[key]);
const unique = (list) => [...new Set(list.filter(Boolean))];

// ---- tables ----

/// Columns are {head, cell(row), text?, wrap?}; a cell is a string, null (too few values) or an element.
function table(id, rows, columns, empty) {
  if (rows.length === 0) return at(id).append(element("div", empty, "empty"));
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const column of columns) head.append(element("th", column.head, column.text ? "text" : ""));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const column of columns) {
      const value = column.cell(row);
      const cell = element("td", undefined, [column.text ? "text" : "", column.wrap ? "wrap" : "", column.sub ? "sub" : ""].join(" ").trim());
      if (value === null) cell.append(element("span", "n too small", "few"));
      else cell.append(value);
      line.append(cell);
    }
  }
  at(id).append(made);
}

const tones = { pass: "good", fail: "poor", inconclusive: "doubt", none: "plain", VALID: "good", SUSPECT: "doubt", INVALID: "poor" };
const marks = { pass: "✓ pass", fail: "✗ fail", inconclusive: "? inconclusive", VALID: "✓ valid", SUSPECT: "! suspect", INVALID: "✗ invalid" };
const status = (word) => element("span", marks[word], `tone ${tones[word]}`);
const floors = { p50: 1, p90: 64, p95: 130, p99: 662, p99_9: 6636, p99_upper: 662 };
function percentile(metric, key) {
  const values = metric.count + metric.censored;
  if (values === 0) return "–";
  return metric[key] === null && values >= (floors[key] ?? 1) ? "timed out" : inMs(metric[key]);
}

// ---- header ----

function badge(name, word, tone) {
  const made = element("div", undefined, `badge ${tone}`);
  made.append(element("small", name), element("b", word));
  at("badges").append(made);
}

function writeHeader() {
  at("name").textContent = run.scenario.name || "unnamed run";
  const started = new Date(run.wall_start);
  const date = started.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
  at("subtitle").textContent = `${date} UTC · run ${run.run_id}`;
  const verdict = { pass: "PASS", fail: "FAIL", inconclusive: "INCONCLUSIVE", none: "NO GATES" }[run.verdict];
  badge("Verdict", verdict, tones[run.verdict]);
  badge("Generator", run.validity.status, tones[run.validity.status]);
}

function describeLoad() {
  const load = run.scenario.load;
  const most = load.stages ? "up to " : "";
  const think = load.think_time ? `, think time ${load.think_time}` : "";
  const uneven = load.shape ? ` of CV ${significant(1 / Math.sqrt(load.shape))}` : "";
  return load.kind === "closed"
    ? `${most}${count(load.concurrency)} requests kept in flight (closed loop${think})`
    : `${most}${significant(load.rate, 4)} requests per second, ${run.scenario.arrivals} arrivals${uneven} (open loop, seed ${run.scenario.seed})`;
}

function describeExclusions() {
  const c = run.counts;
  const parts = [];
  if (c.warmup) parts.push(`${count(c.warmup)} warm-up requests`);
  if (c.drain) parts.push(`${count(c.drain)} sent to keep the load up while the last measured ones ended`);
  if (c.cancelled) parts.push(`${count(c.cancelled)} measured requests that were cut off by the end of the run`);
  return parts.length ? `Left out of latencies and error rate: ${parts.join(", ")}.` : "No request was left out.";
}

function writeMeasured() {
  const c = run.counts, window = run.phases.measure;
  const models = unique(run.scenario.mix.map((entry) => entry.model));
  const where = run.targets.join(", ") + (run.server_version ? ` (${run.server_version})` : "");
  const clock = (iso) => iso.slice(11, 19);
  const length = window.end_s - window.begin_s;
  at("measured").textContent =
    `${count(c.measured)} requests were measured in a window of ${seconds(length)}, from ${clock(window.begin)} to ${clock(window.end)} UTC, ` +
    `after ${seconds(run.phases.warmup.end_s - run.phases.warmup.begin_s)} of warm-up: ${describeLoad()} against ${where}` +
    `${models.length ? `, ${models.length > 1 ? "models" : "model"} ${models.join(" and ")}` : ""}. ` +
    `${count(c.ok)} succeeded, ${count(c.failed)} failed. ${describeExclusions()} ` +
    `Latencies count from the moment a request's first byte is sent` +
    `${run.scenario.load.kind === "open" ? "; those called “from schedule” count from the moment it was planned." : "."}`;
}

function writeAlerts() {
  const alert = (text, tone) => at("alerts").append(element("div", text, `alert ${tone}`));
  if (run.interrupted) alert("Partial result: the run was interrupted before its planned end.", "poor");
  for (const reason of run.validity.reasons) alert(reason, tones[run.validity.status]);
  for (const warning of run.warnings.filter((w) => !w.startsWith("the run was interrupted"))) alert(warning, "doubt");
}

function tile(name, value, unit, note, tone) {
  const made = element("div", undefined, `tile ${tone || ""}`);
  const number = element("b", value, tone ? "tone" : "");
  if (unit) number.append(element("small", unit));
  made.append(element("span", name), number, element("i", note || "\u00a0"));
  at("tiles").append(made);
}

function latencyTile(name, metric, key, note) {
  if (metric.count + metric.censored === 0) return tile(name, "–", "", "no value in this run");
  if (metric[key] === null) return tile(name, "–", "", metric.count + metric.censored >= floors[key] ? `among ${count(metric.censored)} timeouts` : `${count(metric.count)} values are too few`);
  tile(name, ...duration(metric[key]), note);
}

function writeTiles() {
  const { rates, counts, metrics: m } = run;
  const upper = (metric) => (metric.p99_upper === null ? "" : `99 % sure: ≤ ${duration(metric.p99_upper).join(" ")}`);
  tile("Requests per second", rate(rates.request_throughput), "", `${count(counts.ok)} succeeded`);
  tile("Output tokens per second", rate(rates.output_token_throughput), "", `${count(counts.output_tokens)} tokens`);
  tile("In flight", rate(rates.concurrency_mean), "mean", `${count(rates.concurrency_max)} at most`);
  tile("Errors", percent(rates.error_rate ?? 0), "", `${count(counts.failed)} of ${count(counts.ok + counts.failed)} requests`, counts.failed ? "poor" : "");
  const open = run.scenario.load.kind === "open";
  const [ttft, e2e] = open ? [m.ttft_sched, m.e2e_sched] : [m.ttft, m.e2e];
  const from = open ? ", from schedule" : "";
  latencyTile(`First token p50${from}`, ttft, "p50", `mean ${inMs(ttft.mean)} ms`);
  latencyTile(`First token p99${from}`, ttft, "p99", upper(ttft));
  latencyTile("Per output token p50", m.tpot, "p50", m.tpot.p99 === null ? "" : `p99 ${duration(m.tpot.p99).join(" ")}`);
  latencyTile(`End to end p99${from}`, e2e, "p99", `p50 ${e2e.p50 === null ? "–" : duration(e2e.p50).join(" ")}`);
}

// ---- sections ----

function gateValue(gate) {
  if (gate.value === null) return gate.status === "inconclusive" ? "–" : "timed out";
  if (/error_rate/.test(gate.gate)) return percent(gate.value);
  if (gate.unit === "ms") return duration(gate.value).join(" ");
  return gate.unit ? `${significant(gate.value, 4)} ${gate.unit}` : significant(gate.value, 4);
}

function writeTables() {
  table("gates", run.gates, [
    { head: "", cell: (g) => status(g.status), text: true },
    { head: "Gate", cell: (g) => element("code", g.gate), text: true },
    { head: "Measured", cell: gateValue },
    { head: "Note", cell: (g) => g.note, text: true, wrap: true, sub: true },
  ], "This scenario states no gates.");

  const rows = run.scenario.mix.map((entry) => ({ entry, ...run.mix[entry.name] }));
  table("mix", rows, [
    { head: "Entry", cell: (r) => r.entry.name },
    { head: "Model", cell: (r) => r.entry.model || "–", text: true, sub: true },
    { head: "Route", cell: (r) => r.entry.route, text: true, sub: true },
    { head: "Share", cell: (r) => percent(r.entry.share) },
    { head: "OK", cell: (r) => count(r.counts.ok) },
    { head: "Failed", cell: (r) => (r.counts.failed ? element("span", count(r.counts.failed), "tone poor") : "0") },
    { head: "Req/s", cell: (r) => rate(r.rates.request_throughput) },
    { head: "Tok/s", cell: (r) => rate(r.rates.output_token_throughput) },
    { head: "TTFT p50", cell: (r) => percentile(r.metrics.ttft, "p50") },
    { head: "p99", cell: (r) => percentile(r.metrics.ttft, "p99") },
    { head: "TPOT p50", cell: (r) => percentile(r.metrics.tpot, "p50") },
    { head: "E2E p50", cell: (r) => percentile(r.metrics.e2e, "p50") },
    { head: "p99", cell: (r) => percentile(r.metrics.e2e, "p99") },
  ], "The mix is empty.");

  const metrics = Object.entries(run.metrics).filter(([name, m]) => m.count + m.censored > 0 && !saysNothingNew(name));
  const column = (head, key) => ({ head, cell: ([, m]) => percentile(m, key) });
  table("metrics", metrics, [
    { head: "Metric", cell: ([name]) => element("code", name) },
    { head: "Values", cell: ([, m]) => count(m.count) },
    { head: "Timed out", cell: ([, m]) => (m.censored ? element("span", count(m.censored), "tone poor") : "0") },
    column("Mean", "mean"), column("Std", "std"), column("Min", "min"), column("p50", "p50"), column("p90", "p90"),
    column("p95", "p95"), column("p99", "p99"), column("p99.9", "p99_9"), column("Max", "max"), column("p99 at most", "p99_upper"),
  ], "No latency was measured.");

  table("checks", run.validity.checks, [
    { head: "", cell: (c) => (c.measured === "not measured" ? element("span", "– not measured", "few") : status(c.status)), text: true },
    { head: "Check", cell: (c) => element("code", c.name), text: true },
    { head: "Measured", cell: (c) => (c.measured === "not measured" ? "" : c.measured), text: true },
    { head: "Asked for", cell: (c) => c.limits, text: true, sub: true },
  ], "Nothing was checked.");

  const outcomes = Object.entries(run.counts.outcomes).map(([name, n]) => ["outcome", name, n]);
  const reasons = Object.entries(run.counts.finish_reasons).map(([name, n]) => ["finish reason", name, n]);
  const errors = Object.entries(run.counts.errors).sort((a, b) => b[1] - a[1]).map(([text, n]) => ["error", text, n]);
  table("errors", [...outcomes, ...reasons, ...errors], [
    { head: "", cell: (r) => r[0], sub: true },
    { head: "What", cell: (r) => r[1], text: true, wrap: true },
    { head: "Requests", cell: (r) => count(r[2]) },
  ], "No measured request ended.");
}

/// One row per metric of each GPU and each model of a server, over the readings in the window.
function writeObserved(o) {
  const failures = o.sources.filter((s) => !s.open || s.failed).map((s) => `${s.name}: ${s.open ? `${count(s.failed)} looks failed, ` : ""}${s.first_error}`);
  const notes = o.sources.flatMap((s) => s.notes.map((note) => `${s.name}: ${note}`));
  const cost = o.joules_per_output_token === null ? [] : [`${significant(o.joules_per_output_token, 4)} J per output token, over ${count(o.output_tokens)} tokens`];
  at("observed-note").textContent = [`Readings once a second, those in the window of ${seconds(o.window_s)} alone.`, ...cost, ...notes, ...failures].join(" · ");
  const says = (s) => Object.values(s.metrics).some((m) => m.max || m.increase);
  const named = (subjects, name) => subjects.filter(says).flatMap((s) => Object.entries(s.metrics).map(([metric, m]) => ({ subject: name(s), metric, ...m })));
  const rows = [
    ...named(o.gpus, (g) => `GPU ${g.gpu}${g.name ? `, ${g.name}` : ""}${g.host ? ` of ${g.host}` : ""}`),
    ...named(o.servers, (s) => (s.model ? `${s.model} of ${s.target}` : s.target)),
  ];
  const cell = (value) => (value === null || value === undefined ? "–" : significant(value, 5));
  table("observed", rows, [
    { head: "Of", cell: (r) => r.subject, text: true },
    { head: "Metric", cell: (r) => element("code", r.metric), text: true },
    { head: "Readings", cell: (r) => count(r.count) },
    { head: "Mean", cell: (r) => cell(r.mean) },
    { head: "Min", cell: (r) => cell(r.min) },
    { head: "Max", cell: (r) => cell(r.max) },
    { head: "Grew by", cell: (r) => cell(r.increase) },
    { head: "Last", cell: (r) => cell(r.last) },
  ], "No source gave a reading in the window.");
}

/// Sections that not every run has.
function writeExtras() {
  const precise = (ms) => (ms === null || ms === undefined ? "–" : ms.toLocaleString("en-US", { minimumFractionDigits: 3, maximumFractionDigits: 3 }));
  const show = (id) => at(`${id}-section`).removeAttribute("hidden");
  if (run.truth) {
    show("truth");
    const t = run.truth;
    at("truth-note").textContent =
      `Milliseconds, beside the server's own record (${t.source}): ${count(t.matched)} requests matched by id, ` +
      `${count(t.missing_in_truth)} measured ones are not in it, ${count(t.missing_in_run)} of it were not measured.`;
    const rows = Object.entries(t.metrics).flatMap(([name, m]) =>
      Object.entries(m).filter(([, v]) => v && v.measured !== undefined).map(([statistic, v]) => ({ name, statistic, ...v, off: m.request_error })));
    table("truth", rows, [
      { head: "Metric", cell: (r) => element("code", `${r.name} ${r.statistic.replace("_", ".")}`), text: true },
      { head: "Measured", cell: (r) => precise(r.measured) },
      { head: "True", cell: (r) => precise(r.true) },
      { head: "Difference", cell: (r) => precise(r.error) },
      { head: "Single requests off by: p50", cell: (r) => precise(r.off.p50) },
      { head: "p99", cell: (r) => precise(r.off.p99) },
      { head: "max", cell: (r) => precise(r.off.max) },
    ], "No request of this run is in the server's record.");
  }
  if (report.slowest.length) {
    show("slowest");
    const cell = (ms) => (ms === null ? "–" : inMs(ms));
    table("slowest", report.slowest, [
      { head: "Request", cell: (r) => count(r.index) },
      { head: "Entry", cell: (r) => r.entry, text: true },
      { head: "Outcome", cell: (r) => r.outcome, text: true, sub: true },
      { head: "Took", cell: (r) => cell(r.took_ms) },
      { head: "Sent late", cell: (r) => cell(r.late_ms) },
      { head: "Connect", cell: (r) => cell(r.connect_ms) },
      { head: "First token", cell: (r) => cell(r.first_token_ms) },
      { head: "Tokens", cell: (r) => count(r.tokens) },
      { head: "After the first", cell: (r) => cell(r.last_token_ms) },
      { head: "Longest pause", cell: (r) => (r.longest_gap ? `${inMs(r.longest_gap.ms)} after event ${r.longest_gap.after_event}` : "–") },
      { head: "Read late by", cell: (r) => cell(r.recv_delay_max_ms) },
    ], "");
  }
  if (run.observed) {
    show("observed");
    writeObserved(run.observed);
  }
  if (run.shards.merged) {
    show("shards");
    table("shards", run.shards.merged, [
      { head: "Shard", cell: (s) => String(s.index) },
      { head: "Status", cell: (s) => (s.status === "complete" ? s.status : element("span", s.status, "tone poor")), text: true },
      { head: "Host", cell: (s) => s.host, text: true },
      { head: "Measured", cell: (s) => count(s.measured) },
      { head: "Lateness p99", cell: (s) => precise(s.lateness_p99_ms) },
      { head: "Start error", cell: (s) => precise(s.start_error_ms) },
      { head: "Generator", cell: (s) => (s.validity ? status(s.validity) : "–"), text: true },
    ], "");
  }
}

/// One link per dashboard; null without any. Only http addresses become links.
function links() {
  const found = Object.entries(run.links ?? {}).filter(([, url]) => /^https?:\/\//.test(url));
  if (found.length === 0) return null;
  const made = element("span");
  for (const [name, url] of found) {
    const link = element("a", name.replace(/^grafana_/, ""));
    link.href = url;
    link.rel = "noreferrer";
    made.append(made.childNodes.length ? ", " : "", link);
  }
  return made;
}

function writeFacts() {
  const fill = (id, facts) => {
    for (const [name, value] of facts) {
      if (!value) continue;
      const text = element("dd");
      text.append(value);
      at(id).append(element("dt", name), text);
    }
  };
  const s = run.scenario;
  const sources = Object.entries(run.token_sources).map(([name, share]) => `${name} ${percent(share)}`).join(", ");
  const stored = Object.entries(run.exporters).map(([name, e]) =>
    `${name}: ${count(e.stored)} of ${count(e.offered)} stored` +
    ["rejected", "spilled", "dropped"].filter((k) => e[k]).map((k) => `, ${count(e[k])} ${k}`).join("") +
    (e.in_database ? ` (the database holds ${count(e.in_database.found)})` : "")).join("; ");
  fill("facts", [
    ["Run", run.run_id], ["Started", run.wall_start], ["Tool", `${run.tool.name} ${run.tool.version}, ${run.tool.threads} I/O thread${run.tool.threads > 1 ? "s" : ""}`],
    ["CPU", run.host.cores ? `${run.host.cpu}, ${run.host.cores} cores` : run.host.cpu], ["Kernel", run.host.kernel], ["Governor", run.host.governor],
    ["Files", run.files.join(", ")], ["Records", stored], ["Grafana", links()],
  ]);
  fill("setup", [
    ["Scenario", `${s.name} (${s.source})`], ["Load", describeLoad()], ["Seed", String(s.seed)], ["Target", run.targets.join(", ")],
    ["Server", run.server_version], ["Warm-up", s.warmup_s === null ? "until steady, by rule" : seconds(s.warmup_s)],
    ["Length", s.duration_s === null ? `${count(s.requests)} requests` : seconds(s.duration_s)],
    ["Time-outs", `${seconds(s.timeouts_s.connect)} connect, ${seconds(s.timeouts_s.first_token)} first token, ${seconds(s.timeouts_s.total)} total${s.timeouts_s.idle == null ? "" : `, idle connections ${seconds(s.timeouts_s.idle)}`}`],
    ["Prompts", s.nonce ? "each starts with a unique tag, so prefix caches do not help" : "sent as they are; prefix caches may help"],
    ["Token counts", sources],
  ]);
}

writeHeader();
writeMeasured();
writeAlerts();
writeTiles();
writeTables();
writeExtras();
writeFacts();
