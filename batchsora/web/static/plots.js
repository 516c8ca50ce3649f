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
  // a bar stands for what begins at its place
  const bars = window.uPlot && uPlot.paths.bars({ size: [0.9, Infinity], align: 1 });
  const { day, clock } = window.batchsora;
  const times = (plot, places, axis, space, step) => {
    let before = "";
    return places.map((place) => {
      const at = new Date(place * 1000);
      const date = day(at);
      if (step >= 86400) return date;
      const time = clock(at) + (step < 60 ? `:${String(at.getSeconds()).padStart(2, "0")}` : "");
      const text = date === before ? time : `${time}\n${date}`;
      before = date;
      return text;
    });
  };
  const dollars = (plot, places) => places.map((place) => `$${place.toFixed(2)}`);
  const whole = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];
  // a bar of no height is none
  const shown = (counts) => counts.map((count) => count || null);
  const size = (box) => ({ width: Math.max(200, box.clientWidth), height: 150 });

  // the axis is as long as what it shows: from the first value to the end of the last one
  const draw = (id, title, series, data, axes, range) => {
    const box = document.getElementById(id);
    const old = plots.get(id);
    if (old) { old.range = range; old.plot.setData(data); return; }
    const made = { range };
    plots.set(id, made);
    made.plot = new uPlot({
      ...size(box), title, axes, padding: [null, 28, null, null], legend: { show: false }, cursor: { show: false },
      series: [{}, ...series], scales: { x: { time: axes[0].time !== false, range: () => made.range }, y: { range: (u, low, high) => [0, Math.max(high, 1e-9) * 1.1] } },
    }, data, box);
  };

  const load = async () => {
    let found;
    try {
      const answer = await fetch(root.dataset.course);
      if (!answer.ok) return;
      found = await answer.json();
    } catch { return; }
    if (!found.at.length) return;
    const begin = found.at[0];
    const ends = found.at.map((at) => at + found.seconds);
    const range = [begin, ends.at(-1)];
    const when = axis({ values: times, space: 84 });
    const counts = axis({ size: 52, incrs: whole });
    const each = found.seconds >= 86400 ? "day" : found.seconds >= 3600 ? "hour" : `${found.seconds / 60} min`;
    draw("plot-done", `finished per ${each}`, [
      { stroke: colour("done"), fill: colour("done"), paths: bars, points: { show: false } },
      { stroke: colour("bad"), fill: colour("bad"), paths: bars, points: { show: false } },
    ], [found.at, shown(found.completed), shown(found.failed)], [when, counts], range);
    draw("plot-spent", "spent, USD", [
      { stroke: colour("accent"), width: 2, points: { show: false } },
    ], [[begin, ...ends], [0, ...found.spent]], [when, axis({ size: 52, values: dollars })], range);
    if (found.durations.length) {
      const minutes = found.durations.map(([seconds]) => seconds / 60);
      draw("plot-durations", "minutes until completed", [
        { stroke: colour("done"), fill: colour("done"), paths: bars, points: { show: false } },
      ], [minutes, shown(found.durations.map(([, jobs]) => jobs))],
      [axis({ time: false, incrs: [0.5, ...whole] }), counts], [minutes[0], minutes.at(-1) + 0.5]);
    }
    const sum = (list) => list.reduce((total, one) => total + one, 0);
    document.getElementById("plot-words").textContent =
      `${sum(found.completed)} completed, ${sum(found.failed)} failed, $${found.spent.at(-1).toFixed(2)} spent.`;
  };

  let due = null;
  document.addEventListener("batchsora:changed", () => {
    due ??= setTimeout(() => { due = null; load(); }, 2000);
  });
  addEventListener("resize", () => {
    for (const [id, { plot }] of plots) plot.setSize(size(document.getElementById(id)));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { plot } of plots.values()) plot.destroy();
    plots.clear();
    load();
  });
  load();
})();
