// The charts of the report. Each checks afterwards that its data left pixels behind, and says so on the root element, where
// tests read it: data-charts holds {id: coloured pixels}, data-ready is set last.
"use strict";
const charts = new Map();
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const alpha = (hex, a) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(", ")}, ${a})`;

/// Shades what is not part of the measured window.
const phaseShade = {
  id: "phaseShade",
  beforeDatasetsDraw(chart) {
    const { ctx, chartArea: area, scales: { x } } = chart;
    const shade = (from, to, name) => {
      const left = Math.max(x.getPixelForValue(from), area.left), right = Math.min(x.getPixelForValue(to), area.right);
      if (!(right - left > 1)) return;
      ctx.fillStyle = ink("shade");
      ctx.fillRect(left, area.top, right - left, area.height);
      ctx.fillStyle = ink("quiet");
      ctx.font = "11px system-ui, sans-serif";
      if (right - left > ctx.measureText(name).width + 8) ctx.fillText(name, left + 5, area.top + 13);
    };
    ctx.save();
    shade(x.min, 0, "warm-up");
    shade(report.window_s, x.max, "drain");
    ctx.restore();
  },
};

const axis = (title, more = {}) => ({
  title: { display: Boolean(title), text: title, color: ink("quiet"), font: { size: 11.5 } },
  ticks: { color: ink("quiet"), font: { size: 11.5 }, maxRotation: 0, ...more.ticks },
  grid: { color: ink("faint"), drawTicks: false, ...more.grid }, border: { display: false }, ...more.scale,
});

function draw(id, config) {
  charts.get(id)?.destroy();
  const place = at(id);
  place.replaceChildren();
  const hasData = config.data.datasets.some((set) => set.data.some((p) => (typeof p === "object" ? p?.y : p) != null));
  if (!hasData) return place.append(element("div", "No data in this run", "none"));
  const canvas = place.appendChild(element("canvas"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", config.label);
  config.options = {
    animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false }, ...config.options,
    plugins: { legend: { align: "end", labels: { color: ink("quiet"), boxWidth: 18, boxHeight: 0, font: { size: 12 } } }, ...config.options.plugins },
  };
  charts.set(id, new Chart(canvas, config));
}

// ---- over time ----

const series = report.series;
const points = (key, scale = 1) => series.at.map((x, i) => ({ x, y: series[key][i] === null ? null : series[key][i] * scale }));
const first = (series.at[0] ?? 0) - report.step_s / 2, last = (series.at.at(-1) ?? 1) + report.step_s / 2;
const lone = series.at.length < 40 ? 2 : 0;
const line = (label, data, colour, more = {}) => ({
  label, data, borderColor: colour, backgroundColor: colour, borderWidth: data.length > 300 ? 1.5 : 2, pointRadius: lone, pointHitRadius: 8, tension: 0, spanGaps: 2.5 * report.step_s, ...more });

function timeChart(id, label, unit, datasets, more = {}) {
  draw(id, {
    type: "line", label: `${label} over time`, data: { datasets }, plugins: [phaseShade],
    options: {
      scales: {
        x: axis("seconds from the start of the window", { scale: { type: "linear", min: first, max: last }, ticks: { maxTicksLimit: 12, callback: (v) => (Number.isInteger(v) ? count(v) : null) } }),
        y: axis(unit, { scale: { beginAtZero: true }, ticks: { maxTicksLimit: 6 } }), ...more.scales,
      },
      plugins: { tooltip: { callbacks: { title: (items) => `${significant(items[0].parsed.x, 4)} s` } } },
    },
  });
}

function latencyOverTime(id, name, key, colour) {
  const largest = Math.max(0, ...series[`${key}_p99`].filter((v) => v !== null));
  const [scale, unit] = largest >= 10000 ? [0.001, "s"] : [1, "ms"];
  timeChart(id, name, unit, [
    line("p50", points(`${key}_p50`, scale), colour),
    line("p99", points(`${key}_p99`, scale), alpha(colour, 0.55), { borderDash: [5, 3] }),
  ]);
}

function drawOverTime() {
  latencyOverTime("ttft-time", "Time to first token", "ttft", ink("ttft"));
  latencyOverTime("e2e-time", "End-to-end latency", "e2e", ink("e2e"));
  const failed = series.failed.some((n) => n > 0) ? [line("failed per second", points("failed"), ink("bad"))] : [];
  timeChart("requests-time", "Requests", "per second", [
    line("succeeded per second", points("ok"), ink("ok")), ...failed,
    line("in flight (right)", points("in_flight"), ink("quiet"), { yAxisID: "right", borderDash: [2, 3], borderWidth: 1.5 }),
  ], { scales: { right: axis("in flight", { scale: { position: "right", beginAtZero: true }, ticks: { maxTicksLimit: 6 }, grid: { drawOnChartArea: false } }) } });
  timeChart("tokens-time", "Output tokens", "per second",
    [line("tokens per second", points("tokens"), ink("tpot"), { fill: true, backgroundColor: alpha(ink("tpot"), 0.12) })]);
  at("time-note").textContent = report.step_s === 1
    ? "One point per second, of the requests that ended in it."
    : `One point per ${report.step_s} seconds: rates are averages, latencies the highest second of each.`;
}

/// A picture per metric, a line per GPU or model; what never moved from zero is left out.
function drawObserved() {
  const lines = report.observed ?? [];
  const tones = ["ttft", "e2e", "tpot", "ok", "quiet"];
  for (const key of unique(lines.map((l) => `${l.kind}-${l.metric}`))) {
    const own = lines.filter((l) => `${l.kind}-${l.metric}` === key && l.values.some((v) => v !== 0));
    if (own.length === 0 || own[0].metric === "memory_total_mib") continue;
    const id = `observed-${key}`;
    if (!document.getElementById(id)) {
      const figure = at("observed-plots").appendChild(element("figure", undefined, "card"));
      figure.append(element("figcaption", `${own[0].kind} ${own[0].metric.replace(/_/g, " ")}`));
      figure.appendChild(element("div", undefined, "plot")).id = id;
    }
    timeChart(id, key, own[0].unit, own.map((l, i) =>
      line(l.subject, l.at.map((x, k) => ({ x, y: l.values[k] })), ink(tones[i % tones.length]), { borderDash: i < tones.length ? [] : [5, 3] })));
  }
}

// ---- distributions ----

const drawn = [["e2e_sched", "E2E from schedule", "e2e"], ["e2e", "E2E", "e2e"], ["ttft_sched", "TTFT from schedule", "ttft"],
  ["ttft", "TTFT", "ttft"], ["ttfo", "First output", "ttft"], ["tpot", "TPOT", "tpot"], ["icl", "Chunk gap", "icl"]]
  .filter(([key]) => report.distributions[key] !== null && !saysNothingNew(key));

/// Axis marks of the percentile curve: 1 / (1 - quantile) and its name.
const levels = new Map([[2, "50 %"], [10, "90 %"], [100, "99 %"], [1000, "99.9 %"], [1e4, "99.99 %"], [1e5, "99.999 %"], [1e6, "99.9999 %"]]);
const levelName = (x) => levels.get(x) ?? `${Number((100 * (1 - 1 / x)).toPrecision(6))} %`;

function drawPercentiles(label, colour, distribution) {
  const curve = (distribution?.curve ?? []).map(([x, y]) => ({ x, y }));
  const largest = Math.max(10, curve.at(-1)?.x ?? 1);
  draw("percentiles", {
    type: "line", label: `${label} by percentile`,
    data: { datasets: [line(label, curve, colour, {
      pointRadius: (p) => (levels.has(p.raw?.x) ? 4 : 0), fill: true, backgroundColor: alpha(colour, 0.1), borderWidth: 2.5,
      segment: { borderDash: (s) => (s.p1.parsed.x > distribution.trusted * 1.001 ? [3, 4] : undefined) },
    })] },
    options: {
      scales: {
        x: axis("percentile", { scale: { type: "logarithmic", min: 1, max: largest, afterBuildTicks: (x) => { x.ticks = [...levels.keys()].filter((v) => v <= largest).map((value) => ({ value })); } }, ticks: { callback: levelName } }),
        y: axis("ms", { ticks: { maxTicksLimit: 8 } }),
      },
      plugins: { legend: { display: false }, tooltip: { callbacks: { title: (items) => levelName(items[0].parsed.x), label: (item) => ` ${label} ${duration(item.parsed.y).join(" ")}` } } },
    },
  });
}

function drawHistogram(key, label, colour, distribution) {
  const bins = distribution?.histogram ?? { from: 0, width: 1, counts: [], over: 0 };
  const digits = bins.width < 0.1 ? 2 : bins.width < 1 ? 1 : 0;
  const edge = (i) => (bins.from + i * bins.width).toFixed(digits);
  draw("histogram", {
    type: "bar", label: `Histogram of ${label}`,
    data: {
      labels: bins.counts.map((_, i) => edge(i)),
      datasets: [{ label: "values", data: bins.counts, backgroundColor: colour, borderColor: colour, barPercentage: 1, categoryPercentage: 0.94 }],
    },
    options: {
      scales: {
        x: axis(`ms${bins.over ? ` (${count(bins.over)} above p99.9 not shown)` : ""}`, { ticks: { maxTicksLimit: 9 }, grid: { display: false } }),
        y: axis(key === "icl" ? "gaps" : "requests", { scale: { beginAtZero: true }, ticks: { maxTicksLimit: 6, precision: 0 } }),
      },
      plugins: { legend: { display: false }, tooltip: { callbacks: { title: (items) => `${edge(items[0].dataIndex)} to ${edge(items[0].dataIndex + 1)} ms` } } },
    },
  });
}

let chosen = drawn[0]?.[0];

function drawDistribution() {
  const [key, label, tone] = drawn.find(([k]) => k === chosen) ?? ["e2e", "E2E", "e2e"];
  drawPercentiles(label, ink(tone), report.distributions[key]);
  drawHistogram(key, label, ink(tone), report.distributions[key]);
  for (const button of at("metric-tabs").children) button.setAttribute("aria-pressed", String(button.dataset.key === chosen));
}

for (const [key, label, tone] of drawn) {
  const button = element("button", label);
  button.type = "button";
  button.dataset.key = key;
  button.style.setProperty("--tone", `var(--${tone})`);
  button.addEventListener("click", () => { chosen = key; drawDistribution(); });
  at("metric-tabs").append(button);
}

/// Pixels that a chart's data coloured: those near the colour of one of its data sets.
function colouredPixels(chart) {
  const { width, height } = chart.canvas;
  if (!width || !height) return 0;
  const pixels = chart.ctx.getImageData(0, 0, width, height).data;
  const colours = chart.data.datasets.map((set) => (set.borderColor.match(/^#/) ? alpha(set.borderColor, 1) : set.borderColor).match(/\d+/g).slice(0, 3).map(Number));
  let found = 0;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] > 100 && colours.some((c) => c.every((v, k) => Math.abs(v - pixels[i + k]) < 12))) ++found;
  return found;
}

function drawAll() {
  drawOverTime();
  drawObserved();
  drawDistribution();
  document.documentElement.dataset.charts = JSON.stringify(Object.fromEntries([...charts].map(([id, chart]) => [id, colouredPixels(chart)])));
}

drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
window.plumblineReady = true;
document.documentElement.dataset.ready = "true";
