// The plots of a batch: what ended, what was spent, how long it took. Drawn by uPlot.
"use strict";

(() => {
  const root = document.getElementById("plots");
  if (!root) return;
  const plots = new Map();
  // a canvas knows no light-dark(): the colour is read where the browser has chosen it
  const probe = root.appendChild(document.createElement("span"));
  probe.hidden = true;
  const colour = (name) => {
    probe.className = `ink-${name}`;
    return getComputedStyle(probe).color;
  };
  const axis = (more) => ({
    stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui", ...more,
  });
  const bars = window.uPlot && uPlot.paths.bars({ size: [0.8, 40] });
  // bars have a width
  const room = (step) => (plot, low, high) => [low - step, high + step];
  // a bar of no height is none
  const shown = (counts) => counts.map((count) => count || null);
  const size = (box) => ({ width: Math.max(200, box.clientWidth), height: 150 });

  const draw = (id, title, series, data, axes, step) => {
    const box = document.getElementById(id);
    const old = plots.get(id);
    if (old) { old.setData(data); return; }
    const made = new uPlot({
      ...size(box), title, axes, legend: { show: false }, cursor: { show: false },
      series: [{}, ...series], scales: { x: { time: axes[0].time !== false, range: room(step) }, y: { range: (u, low, high) => [0, Math.max(high, 1e-9) * 1.1] } },
    }, data, box);
    plots.set(id, made);
  };

  const load = async () => {
    let found;
    try {
      const answer = await fetch(root.dataset.course);
      if (!answer.ok) return;
      found = await answer.json();
    } catch { return; }
    if (!found.at.length) return;
    const each = found.seconds >= 86400 ? "day" : found.seconds >= 3600 ? "hour" : `${found.seconds / 60} min`;
    draw("plot-done", `finished per ${each}`, [
      { stroke: colour("done"), fill: colour("done"), paths: bars, points: { show: false } },
      { stroke: colour("bad"), fill: colour("bad"), paths: bars, points: { show: false } },
    ], [found.at, shown(found.completed), shown(found.failed)], [axis(), axis({ size: 44 })], found.seconds);
    draw("plot-spent", "spent, USD", [
      { stroke: colour("accent"), width: 2, points: { show: false } },
    ], [found.at, found.spent], [axis(), axis({ size: 44 })], found.seconds);
    draw("plot-durations", "minutes from submission to completion", [
      { stroke: colour("done"), fill: colour("done"), paths: bars, points: { show: false } },
    ], [found.durations.map(([seconds]) => seconds / 60), shown(found.durations.map(([, jobs]) => jobs))],
    [axis({ time: false }), axis({ size: 44 })], 0.5);
    const sum = (list) => list.reduce((total, one) => total + one, 0);
    document.getElementById("plot-words").textContent =
      `${sum(found.completed)} completed, ${sum(found.failed)} failed, $${found.spent.at(-1).toFixed(2)} spent.`;
  };

  let due = null;
  document.addEventListener("batchsora:changed", () => {
    due ??= setTimeout(() => { due = null; load(); }, 2000);
  });
  addEventListener("resize", () => {
    for (const [id, plot] of plots) plot.setSize(size(document.getElementById(id)));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of plots.values()) plot.destroy();
    plots.clear();
    load();
  });
  load();
})();
