"use strict";

/* The plot of the first screen: any figure against any other, with intervals, standings and limits. */

function drawFrontier() {
  const entries = shown().map((one) => ({ one, x: one.figure(view.x.key), y: one.figure(view.y.key) }));
  const isDrawn = ({ x, y }) => isPlaceable(x, view.x.isLog) && isPlaceable(y, view.y.isLog);
  const drawn = entries.filter(isDrawn);
  const cascades = cascadesAtCost();
  const all = [...drawn, ...cascades.filter(isDrawn)];
  const frame = { x: scaleOf("x", all), y: scaleOf("y", all) };
  const points = drawn.map((each) => placed(each, frame));
  const hexagons = cascades.filter(isDrawn).map((each) => cascadeTrace(each, frame));
  const target = byId("plot");
  const height = isNarrow() ? 330 : 400;
  const inside = { width: target.clientWidth - 75, height: height - 65 };
  const lines = frontierLines(points);
  const others = hexagons.map(({ x, y }) => ({ x: x[0], y: y[0] }));
  const labels = isNarrow() ? [] : labelled(points, others, lines, frame, inside);
  const traces = [...lines, ...hexagons, ...points.map(pointTrace)];
  const shapes = [...zeroLine(frame, "x"), ...zeroLine(frame, "y"), ...majorityLine(frame)];
  draw(target, traces, layout({
    height, xaxis: frame.x.axis, yaxis: frame.y.axis, shapes, annotations: labels,
  }));
  target.setAttribute("aria-label", plotSummary(points));
  noteBelow(entries.filter((each) => !isDrawn(each)), hexagons.length > 0);
  tableOfPlot([...entries, ...cascades]);
}

function isPlaceable(figure, isLog) {
  return figure.value !== null && (!isLog || figure.value >= 0);
}

/* How an axis shows values: {spec, scale, place, zero, axis}.
 *
 * A logarithmic axis has no zero: what costs nothing is placed at its lower end. */
function scaleOf(name, drawn) {
  const { key, isLog } = view[name];
  const spec = SPECS.get(key);
  const scale = spec.percent ? 100 : 1;
  const figures = drawn.map((each) => each[name]);
  const positive = figures.map((figure) => scale * figure.value).filter((value) => value > 0);
  const zero = positive.length ? Math.min(...positive) / 3 : 1 / 3;
  const place = (value) => (isLog && value <= 0 ? zero : scale * value);
  const ends = figures.flatMap((figure) => [figure.value, ...boundsOf(figure, isLog)]);
  const values = ends.length ? ends.map(place) : [1, 2];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const title = `${spec.heading}${spec.percent ? ", %" : ""}${isLog ? " (log)" : ""}`;
  const made = isLog ? logAxis(title, low, high) : linearAxis(title, low, high);
  const hasZero = isLog && figures.some((figure) => figure.value <= 0);
  return { spec, isLog, scale, place, zero: hasZero ? zero : null, axis: made };
}

function boundsOf(figure, isLog) {
  const bar = errorBar(figure, 1);
  return bar ? [figure.low, figure.high].filter((value) => !isLog || value > 0) : [];
}

/* A point with its coordinates, standing and what the limits say. */
function placed({ one, x, y }, frame) {
  const cost = rankedCost(one.run);
  return {
    one, x, y,
    at: { x: frame.x.place(x.value), y: frame.y.place(y.value) },
    bars: { x: x.nothing ? null : errorBar(x, frame.x.scale), y: errorBar(y, frame.y.scale) },
    standing: cost ? standingOf(one, cost) : null,
    judged: judge(one),
  };
}

/* The cost by which the axes rank a run's models; empty if they do not. */
function rankedCost({ ranking }) {
  const [x, y] = [SPECS.get(view.x.key), SPECS.get(view.y.key)];
  if (y.key === ranking && x.cost) return x.key;
  return x.key === ranking && y.cost ? y.key : "";
}

function isRanking() {
  return shownRuns().some((index) => rankedCost(DATA.runs[index]));
}

function pointTrace({ one, x, y, at, bars, standing, judged }) {
  const misses = judged.kind === "misses";
  const colour = misses ? palette().off : one.colour;
  const isOpen = standing ? standing.kind !== "frontier" : x.estimated || y.estimated;
  return {
    type: "scatter",
    mode: "markers",
    x: [at.x],
    y: [at.y],
    opacity: opacityOf(judged),
    marker: {
      symbol: one.symbol + (isOpen ? "-open" : ""),
      color: colour,
      size: one.symbol === "star" ? 14 : 11,
      line: { width: isOpen ? 2 : 1, color: isOpen ? colour : palette().paper },
    },
    error_x: bars.x ? { ...bars.x, color: colour } : undefined,
    error_y: bars.y ? { ...bars.y, color: colour } : undefined,
    hoverinfo: "text",
    hovertext: tooltip([
      one.label,
      `${SPECS.get(view.y.key).heading}: ${withInterval(y)}`,
      `${SPECS.get(view.x.key).heading}: ${withInterval(x)}`,
      standing ? standingText(standing) : "",
      ...judged.reasons.map((reason) => `${judged.kind}: ${reason}`),
    ]),
  };
}

function tooltip(lines) {
  return lines.filter(Boolean).map((line) => forPlotly(wrapped(line))).join("<br>")
    .replaceAll("\n", "<br>");
}

/* Short lines: plotly does not wrap. */
function wrapped(line) {
  const most = isNarrow() ? 38 : 60; // characters
  const lines = [""];
  for (const word of line.split(" ").flatMap((long) => pieces(long, most))) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > most && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join("\n");
}

function pieces(word, most) {
  return word.match(new RegExp(`.{1,${most}}`, "gu")) || [""];
}

/* The best quality for a cost, one line a run. */
function frontierLines(points) {
  const isUpright = !SPECS.get(view.y.key).cost;
  const along = isUpright ? "x" : "y";
  return shownRuns().flatMap((runIndex) => {
    const on = points.filter((p) => p.one.runIndex === runIndex && p.standing?.kind === "frontier");
    if (!on.length) return [];
    on.sort((a, b) => a.at[along] - b.at[along]);
    const end = { ...on.at(-1).at };
    end[along] = Math.max(...points.map((point) => point.at[along]));
    const line = [...on.map((point) => point.at), end];
    return [{
      type: "scatter",
      mode: "lines",
      x: line.map((at) => at.x),
      y: line.map((at) => at.y),
      line: {
        shape: isUpright ? "hv" : "vh", color: palette().line, width: 1.5,
        dash: ofCycle(["solid", "dash", "dot", "dashdot"], runIndex),
      },
      hoverinfo: "skip",
    }];
  });
}

/* The cascades with both their figures, if the axes are accuracy against a cost. */
function cascadesAtCost() {
  if (view.y.key !== "accuracy" || !SPECS.get(view.x.key).cost) return [];
  return shownCascades().map((one) => ({ one, x: one.figure(view.x.key), y: one.figure("accuracy") }));
}

function cascadeTrace({ one, x, y }, frame) {
  const judged = judge(one);
  const { standing, pays } = one.standingAt(view.x.key);
  return {
    type: "scatter", mode: "markers",
    x: [frame.x.place(x.value)], y: [frame.y.place(y.value)],
    ...hexagon(judged, one.colour, pays),
    hoverinfo: "text",
    hovertext: tooltip([
      one.label, `${ACCURACY}: ${withInterval(y)}`, `${frame.x.spec.heading}: ${withInterval(x)}`, standing,
      ...judged.reasons.map((reason) => `${judged.kind}: ${reason}`),
    ]),
  };
}

/* How a cascade is drawn: grey if it misses a limit, as models are. */
function hexagon(judged, own, isFilled) {
  const misses = judged.kind === "misses";
  const color = misses ? palette().off : own;
  return {
    opacity: opacityOf(judged),
    marker: {
      symbol: isFilled ? "hexagon" : "hexagon-open", size: 12, color,
      line: { width: 1.5, color: isFilled && !misses ? palette().ink : color },
    },
  };
}

function opacityOf({ kind }) {
  return { fits: 1, misses: 0.45 }[kind] ?? 0.7;
}

function zeroLine(frame, name) {
  const { zero } = frame[name];
  if (zero === null) return [];
  const line = { color: palette().line, width: 1, dash: "dot" };
  const label = { text: "none", font: { size: 11, color: palette().muted }, textposition: "end" };
  return name === "x"
    ? [{ type: "line", x0: zero, x1: zero, yref: "paper", y0: 0, y1: 1, line, label }]
    : [{ type: "line", y0: zero, y1: zero, xref: "paper", x0: 0, x1: 1, line, label }];
}

/* What the most common answer to every comment gives, if it is in sight. */
function majorityLine(frame) {
  const runs = shownRuns().map((index) => DATA.runs[index]);
  const shares = new Set(runs.map((run) => run.majority));
  const [share] = shares;
  if (view.y.key !== "accuracy" || shares.size !== 1 || share === null) return [];
  const y = frame.y.place(share);
  const [low, high] = frame.y.axis.range.map((end) => (frame.y.isLog ? 10 ** end : end));
  if (y < low || y > high) return [];
  const line = { color: palette().line, width: 1, dash: "dot" };
  const label = {
    text: `${runs[0].majority_answer} ${percent(share)}`, font: { size: 11, color: palette().muted },
    textposition: "start",
  };
  return [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line, label }];
}

/* Where a label may stand: its anchor, and its distance up and to the right in pixels. */
const LABEL_PLACES = [
  ["left", 0, 10], ["right", 0, -10], ["center", 17, 0], ["center", -17, 0],
  ["left", 14, 9], ["left", -14, 9], ["right", 14, -9], ["right", -14, -9],
  ["center", 30, 0], ["center", -30, 0],
];

/* The name of each point where it hides least, as annotations of plotly. */
function labelled(points, others, lines, frame, inside) {
  const toPixels = ({ x, y }) => [pixel(frame.x, x, inside.width), pixel(frame.y, y, inside.height)];
  const centres = points.map(({ at }) => toPixels(at));
  const taken = [...centres, ...others.map(toPixels)].map(([x, y]) => [x - 8, x + 8, y - 8, y + 8]);
  const bars = points.map((point, i) => barBoxes(point, centres[i], frame, inside));
  const steps = lines.flatMap(({ x, y }) => stepBoxes(x.map((_, i) => toPixels({ x: x[i], y: y[i] }))));
  const labels = [];
  return points.map((point, i) => {
    const boxes = LABEL_PLACES.map((place) => labelBox(short(point.one.label), place, centres[i], bars[i]));
    const hidden = boxes.map(
      (box) =>
        8 * labels.filter((other) => overlaps(box, other)).length +
        3 * taken.filter((other, j) => j !== i && overlaps(box, other)).length +
        [...bars.flat(), ...steps].filter((other) => overlaps(box, other)).length +
        8 * (box[0] < 0 || box[1] > inside.width || box[2] < 0 || box[3] > inside.height),
    );
    const best = hidden.indexOf(Math.min(...hidden));
    labels.push(boxes[best]);
    return annotation(point, boxes[best], centres[i], frame);
  });
}

function pixel({ axis: { range }, isLog }, value, size) {
  const [low, high] = range;
  return (((isLog ? Math.log10(value) : value) - low) / (high - low)) * size;
}

/* The box of a label in pixels, beside the interval along the horizontal axis. */
function labelBox(label, [anchor, up, right], [x, y], bars) {
  const width = 6.6 * label.length;
  const beside = up ? [] : bars.filter(([left, end]) => end - left > 6);
  let left = x + right - (anchor === "right" ? width : anchor === "center" ? width / 2 : 0);
  for (const [start, end] of beside) {
    left = anchor === "left" ? Math.max(left, end + 4) : Math.min(left, start - 4 - width);
  }
  return [left, left + width, y + up - 7, y + up + 7];
}

function annotation({ one, at, judged }, [left, , bottom, top], [x, y], frame) {
  const isOff = judged.kind === "misses";
  return {
    x: frame.x.isLog ? Math.log10(at.x) : at.x, y: frame.y.isLog ? Math.log10(at.y) : at.y,
    text: forPlotly(short(one.label)), showarrow: false, xanchor: "left", yanchor: "middle",
    xshift: left - x, yshift: (bottom + top) / 2 - y,
    font: { size: 11.5, color: isOff ? palette().muted : palette().ink },
  };
}

/* The boxes that the intervals of a point cover, in pixels. */
function barBoxes({ x, y, bars }, [centreX, centreY], frame, inside) {
  const boxes = [];
  if (bars.x) {
    const ends = [x.low, x.high].map((value) => pixel(frame.x, frame.x.place(value), inside.width));
    boxes.push([...ends, centreY - 2, centreY + 2]);
  }
  if (bars.y) {
    const ends = [y.low, y.high].map((value) => pixel(frame.y, frame.y.place(value), inside.height));
    boxes.push([centreX - 2, centreX + 2, ...ends]);
  }
  return boxes;
}

/* The boxes of the level parts of a frontier's line. */
function stepBoxes(corners) {
  return corners.slice(1).map(([right], i) => [corners[i][0], right, corners[i][1] - 2, corners[i][1] + 2]);
}

function overlaps([left, right, bottom, top], [otherLeft, otherRight, otherBottom, otherTop]) {
  return left < otherRight && right > otherLeft && bottom < otherTop && top > otherBottom;
}

function plotSummary(points) {
  const [x, y] = [SPECS.get(view.x.key).heading, SPECS.get(view.y.key).heading];
  return `Plot of ${y} against ${x} for ${points.length} models; the table below it has the same figures`;
}

function noteBelow(absent, hasCascades) {
  const texts = [];
  if (isRanking()) {
    texts.push("Filled: on the frontier, shown to be better than every cheaper model of its run; open: not.");
    if (hasCascades) {
      texts.push("Hexagons are cascades, filled if they can replace the model of their colour.");
    }
  } else {
    const ranking = new Set(shownRuns().map((index) => SPECS.get(DATA.runs[index].ranking).heading));
    texts.push(`Only ${[...ranking].join(" or ")} against a cost is ranked, so there is no frontier here.`);
  }
  texts.push("Bars are the bounds between which a figure is known.");
  if (view.limits.size) texts.push("Grey: misses a limit.");
  const reasons = absent.map((each) => `${each.one.label} (${whyNotDrawn(each)})`);
  if (reasons.length) texts.push(`Not drawn: ${reasons.join("; ")}.`);
  byId("plot-note").textContent = texts.join(" ");
}

/* Why a model has no point: a figure is missing, or a logarithmic axis has no place for it. */
function whyNotDrawn({ x, y }) {
  const absent = [x, y].find((figure) => figure.value === null);
  return absent ? absent.reason : "a log scale has no values below 0";
}

function tableOfPlot(entries) {
  const notes = new Footnotes();
  const [x, y] = [SPECS.get(view.x.key), SPECS.get(view.y.key)];
  const hasStandings = isRanking();
  const rows = entries.map(({ one, ...at }) => [
    one.label, entry(at.x, notes), entry(at.y, notes),
    ...(hasStandings ? [standingInPlot(one)] : []), judge(one).kind,
  ]);
  const headings = ["model", x.heading, y.heading, ...(hasStandings ? ["standing"] : []), "limits"];
  fill("plot-table", sortableTable("plot", "The plot as a table", headings, rows), notes.list());
}

function standingInPlot(one) {
  if (one.cascade) return one.standingAt(view.x.key).standing;
  const cost = rankedCost(one.run);
  const found = cost ? standingOf(one, cost) : null;
  return found ? standingText(found) : "n/a";
}
