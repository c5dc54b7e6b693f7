"use strict";

/* Learning curves and cascades, with their tables. */

function drawLearning() {
  const curves = shownRuns().flatMap((runIndex) =>
    DATA.runs[runIndex].curves.map((curve) => ({ ...curve, one: entryOf(runIndex, curve.label), runIndex })),
  );
  const visible = curves.filter(({ one }) => shown().includes(one));
  byId("learning-card").hidden = !DATA.runs.some((run) => run.curves.length);
  if (byId("learning-card").hidden) return;
  if (!byId("learning-accuracy")) {
    fill("learning",
      element("div", { class: "pair" },
        plotElement("learning-accuracy", "accuracy by training comments"),
        plotElement("learning-time", "training time by training comments")),
      note(`The models’ own answers: ${ACCURACY}, with 95 % intervals, on the same test comments.`),
      folded("curves", "The curves as a table", element("div", { id: "learning-table" })));
  }
  const points = visible.flatMap((curve) => curve.points);
  const sizes = [...new Set(points.map((point) => point.comments))].sort((a, b) => a - b);
  const across = logAxis("training comments (log)", sizes[0] ?? 1, sizes.at(-1) ?? 10, {
    tickvals: sizes, ticktext: sizes.map((size) => size.toLocaleString("en-US")),
  });
  const shares = points.flatMap(({ accuracy }) => [100 * accuracy.low, 100 * accuracy.high]);
  const seconds = points.map((point) => point.train_s.value).filter((value) => value > 0);
  const lines = (key, scale) => visible.map((curve) => curveTrace(curve, key, scale));
  draw("learning-accuracy", lines("accuracy", 100), layout({
    height: 320, showlegend: true, xaxis: across, yaxis: linearAxis(`${ACCURACY}, %`, ...ends(shares)),
  }));
  draw("learning-time", lines("train_s", 1), layout({
    height: 320, showlegend: true, xaxis: across, yaxis: logAxis("training, s (log)", ...ends(seconds)),
  }));
  tableOfCurves(visible);
}

function ends(values) {
  return values.length ? [Math.min(...values), Math.max(...values)] : [1, 10];
}

function curveTrace({ label, points, one, runIndex }, key, scale) {
  const known = points.filter((point) => point[key].value !== null);
  const bars = known.map((point) => errorBar(point[key], scale));
  const colour = one.colour;
  return {
    type: "scatter",
    mode: "lines+markers",
    name: forPlotly(nameIn(runIndex, short(label))),
    x: known.map((point) => point.comments),
    y: known.map((point) => scale * point[key].value),
    line: { color: colour, width: 1.8, dash: ofCycle(["solid", "dash", "dot", "dashdot"], runIndex) },
    marker: { symbol: one.symbol, size: 8, color: colour },
    error_y: {
      type: "data", symmetric: false, color: colour, thickness: 1, width: 2,
      array: bars.map((bar) => bar?.array[0] ?? 0), arrayminus: bars.map((bar) => bar?.arrayminus[0] ?? 0),
      visible: bars.some(Boolean),
    },
    hoverinfo: "text",
    hovertext: known.map((point) => tooltip([
      nameIn(runIndex, label), `${point.comments.toLocaleString("en-US")} training comments`,
      `${ACCURACY}: ${withInterval(point.accuracy)}`, `training, s: ${figureText(point.train_s)}`,
    ])),
  };
}

function tableOfCurves(visible) {
  const notes = new Footnotes();
  const rows = visible.flatMap(({ label, points, runIndex }) =>
    points.map((point) => [
      nameIn(runIndex, label),
      { text: point.comments.toLocaleString("en-US"), sort: point.comments },
      entry(point.accuracy, notes),
      entry(point.train_s, notes),
    ]),
  );
  const headings = ["model", "training comments", `${ACCURACY} (95 % interval)`, "training, s"];
  fill("learning-table", sortableTable("learning", "Learning curves", headings, rows), notes.list());
}

function drawCascades() {
  const visible = shownCascades();
  if (!visible.length) {
    fill("cascades", note(whyNoCascades() || "No cascade of the models shown."));
    return;
  }
  if (!byId("cascades-plot")) {
    fill("cascades",
      note("A cheap model answers when it is confident, and passes the rest on. A line runs from the",
        "cheap model alone to the expensive one; the hexagon is the selected threshold."),
      plotElement("cascades-plot", "the cascades"),
      element("div", { id: "cascades-table" }));
  }
  const points = visible.flatMap(({ cascade }) => cascade.sweep);
  const shares = points.map((point) => 100 * point.accuracy.value);
  draw("cascades-plot", visible.flatMap(cascadeTraces), layout({
    height: 340, showlegend: true,
    xaxis: logAxis("compute, core-ms/comment (log)", ...ends(points.map((point) => point.compute_ms))),
    yaxis: linearAxis(`${ACCURACY}, %`, ...ends(shares)),
  }));
  tableOfCascades(visible);
}

function whyNoCascades() {
  const runs = shownRuns().filter((index) => DATA.runs[index].no_cascades);
  return runs.map((index) => `${hasRuns ? `${letter(index)}: ` : ""}${DATA.runs[index].no_cascades}`).join(" ");
}

/* For a legend. */
function cascadeName({ cheap, expensive }) {
  return `${short(cheap)} → ${short(expensive)}`;
}

function cascadeTraces(one, number) {
  const { cascade, runIndex, colour } = one;
  const text = (point) => tooltip([
    one.name, `passed on: ${percent(point.passed_share)}`,
    `${ACCURACY}: ${withInterval(point.accuracy)}`,
    `compute, core-ms/comment: ${significant(point.compute_ms)}`,
  ]);
  const shared = { type: "scatter", hoverinfo: "text" };
  return [
    {
      ...shared, mode: "lines", name: forPlotly(nameIn(runIndex, cascadeName(cascade))),
      x: cascade.sweep.map((point) => point.compute_ms),
      y: cascade.sweep.map((point) => 100 * point.accuracy.value),
      line: { color: colour, width: 1.8, dash: ofCycle(["solid", "dash", "dashdot", "dot"], number) },
      hovertext: cascade.sweep.map(text),
    },
    {
      ...shared, mode: "markers", showlegend: false,
      x: [cascade.compute_ms], y: [100 * cascade.accuracy.value],
      ...hexagon(judge(one), colour, true),
      hovertext: [text(cascade)],
    },
  ];
}

function tableOfCascades(visible) {
  const rows = visible.map(({ name, cascade }) => [
    name,
    { text: cascade.threshold.toFixed(2), sort: cascade.threshold },
    { text: percent(cascade.passed_share), sort: cascade.passed_share },
    { text: withInterval(cascade.accuracy), sort: cascade.accuracy.value },
    { text: withInterval(cascade.difference), sort: cascade.difference.value },
    { text: percent(cascade.saved_share), sort: cascade.saved_share },
    cascade.standing,
  ]);
  const headings = ["cascade", "threshold", "passed on", `${ACCURACY} (95 % interval)`,
    "points against expensive alone", "compute saved, at least", "standing"];
  const isRepeated = visible.some(({ cheap, expensive }) => cheap.model.trainings + expensive.model.trainings > 2);
  const first = isRepeated ? note("Of several trainings of a model, a cascade has the first.") : [];
  fill("cascades-table", sortableTable("cascades", "Cascades", headings, rows), first);
}
