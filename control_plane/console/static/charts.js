// Charts of both sides over time, drawn by uPlot in the colours of the style sheet.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const sync = uPlot.sync("figway");

  const axis = (extra = {}) => ({
    stroke: colour("--quiet"), font: "11px system-ui", ticks: { show: false },
    grid: { stroke: colour("--line"), width: 1 }, ...extra,
  });

  // A flip is a line across the chart; its words are in the legend of revisions below.
  const marks = (flips) => ({
    hooks: { draw: [(plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.strokeStyle = colour("--ink");
      ctx.fillStyle = colour("--ink");
      ctx.setLineDash([3, 3]);
      ctx.font = `${10 * devicePixelRatio}px system-ui`;
      let last = Infinity;
      for (const flip of flips) {
        const x = plot.valToPos(flip.at, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        // Flips come newest first; the words of one that stands too close to the next are left out.
        if (last - x < 34 * devicePixelRatio) continue;
        last = x;
        const end = x + 30 * devicePixelRatio > bbox.left + bbox.width;
        ctx.textAlign = end ? "right" : "left";
        ctx.fillText(`r${flip.revision}`, x + (end ? -3 : 3), bbox.top + 10 * devicePixelRatio);
      }
      ctx.restore();
    }] },
  });

  const draw = (place, series, data, flips = [], more = {}) => {
    const options = {
      width: Math.max(200, place.clientWidth), height: place.clientHeight || 180,
      cursor: { sync: { key: sync.key }, drag: { x: false, y: false } },
      legend: { live: true }, plugins: [marks(flips)],
      scales: { y: { range: (_, low, high) => [0, more.most || Math.max(high * 1.1, 1)] } },
      axes: [axis({ space: 70 }), axis({ size: 44 })],
      series: [{ value: (_, at) => at == null ? "" : new Date(at * 1000).toLocaleTimeString() }, ...series],
    };
    options.height -= more.most ? 32 : 46;  // the legend has one line, or two
    if (place.plot) place.plot.destroy();
    place.plot = new uPlot(options, data, place);
  };

  // A value between two gaps is no line: it is drawn as a point.
  const alone = (plot, index) => {
    const values = plot.data[index];
    const found = [];
    values.forEach((value, i) => {
      if (value != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
    });
    return found.length ? found : null;
  };

  const series = (label, name, more = {}) => ({
    label, stroke: colour(name), width: 2, spanGaps: false,
    points: { show: true, size: 5, filter: alone },
    value: (_, value) => value == null ? "–" : `${Math.round(value * 100) / 100}`, ...more,
  });

  const draws = {
    "burn-up": (root, found) => draw(root, [
      series("requests %", "--new", { fill: colour("--new-soft") }),
      series("routes %", "--canary", { dash: [8, 4], paths: uPlot.paths.stepped({ align: 1 }) }),
      series("capabilities %", "--shadow", { dash: [2, 3], paths: uPlot.paths.stepped({ align: 1 }) }),
    ], [found.times, found.requests, found.routes, found.capabilities], [], { most: 100 }),
    sides: (root, found) => {
      const { legacy, new: fresh } = found.sides;
      const both = [series("legacy", "--legacy", { dash: [6, 3] }), series("new", "--new")];
      for (const place of root.querySelectorAll("[data-plot]")) {
        const name = place.dataset.plot;
        if (name === "latency") {
          const thin = { width: 1 };
          draw(place, [
            series("legacy p50", "--legacy", { ...thin, dash: [2, 3] }), series("p95", "--legacy", { dash: [6, 3] }), series("p99", "--legacy", thin),
            series("new p50", "--new", { ...thin, dash: [2, 3] }), series("p95", "--new"), series("p99", "--new", thin),
          ], [found.times, legacy.p50, legacy.p95, legacy.p99, fresh.p50, fresh.p95, fresh.p99], found.flips);
        } else draw(place, both, [found.times, legacy[name], fresh[name]], found.flips);
      }
      table(document.getElementById("numbers"), found);
    },
  };

  const table = (place, found) => {
    if (!place) return;
    const cell = (kind, text) => { const made = document.createElement(kind); made.textContent = text; return made; };
    const made = document.createElement("table");
    made.className = "list";
    const head = made.createTHead().insertRow();
    for (const name of ["Time", "Legacy req/s", "New req/s", "Legacy errors %", "New errors %", "Legacy p95 ms", "New p95 ms"]) {
      const th = cell("th", name); th.scope = "col"; head.append(th);
    }
    const body = made.createTBody();
    const show = (value) => value == null ? "–" : String(Math.round(value * 100) / 100);
    found.times.forEach((at, i) => {
      const { legacy, new: fresh } = found.sides;
      const row = body.insertRow();
      row.append(cell("td", new Date(at * 1000).toLocaleString()));
      for (const value of [legacy.rps[i], fresh.rps[i], legacy.errors[i], fresh.errors[i], legacy.p95[i], fresh.p95[i]]) row.append(cell("td", show(value)));
    });
    place.replaceChildren(made);
  };

  const load = async (root) => {
    const range = root.dataset.range ? `?range=${root.dataset.range}` : "";
    try {
      const answer = await fetch(root.dataset.source + range, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      root.found = await answer.json();
      draws[root.dataset.chart](root, root.found);
    } catch { /* the notice of the lost connection says it */ }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const roots = [...document.querySelectorAll("[data-chart]")];
    if (!roots.length) return;
    roots.forEach(load);
    setInterval(() => { if (!document.hidden) roots.forEach(load); }, 15000);
    document.body.addEventListener("figway:change", () => setTimeout(() => roots.forEach(load), 500));
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-range]");
      if (!button) return;
      for (const other of document.querySelectorAll("button[data-range]")) other.setAttribute("aria-pressed", String(other === button));
      roots.forEach((root) => { root.dataset.range = button.dataset.range; load(root); });
    });
    const again = () => roots.forEach((root) => root.found && draws[root.dataset.chart](root, root.found));
    let waiting = 0;
    addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(again, 150); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  });
})();
