"use strict";

/* What all plots share: fonts, colours, axes. */

const NARROW = 600; // px; below, points have no labels and plots are lower

const CONFIG = { displayModeBar: false, responsive: true };
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

function isNarrow() {
  return window.innerWidth < NARROW;
}

function layout(changed) {
  const { ink, muted, paper, grid } = palette();
  return {
    font: { family: FONT, size: 12, color: ink },
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    margin: { l: 58, r: 14, t: 12, b: 50 },
    hovermode: "closest",
    hoverlabel: {
      bgcolor: paper, bordercolor: muted, font: { color: ink, family: FONT, size: 12 }, align: "left",
    },
    dragmode: isNarrow() ? false : "zoom", // a finger scrolls the page
    showlegend: false,
    legend: { orientation: "h", y: -0.24, font: { color: ink } },
    ...changed,
  };
}

function axis(title, changed) {
  const { grid, muted, ink } = palette();
  return {
    title: { text: forPlotly(title), font: { color: ink, size: 12 }, standoff: 8 },
    gridcolor: grid,
    linecolor: grid,
    zeroline: false,
    tickfont: { color: muted, size: 11 },
    automargin: true,
    ...changed,
  };
}

/* A logarithmic axis with plain numbers (0.1, 1, 10), over [low, high] of positive values. */
function logAxis(title, low, high, changed = {}) {
  const [least, most] = widened(low, high);
  const room = 0.06 * Math.log10(most / least);
  const range = [Math.log10(least) - room, Math.log10(most) + room];
  const tickvals = logTicks(range);
  const ticktext = tickvals.map((value) => value.toLocaleString("en-US", { maximumFractionDigits: 12 }));
  return axis(title, { type: "log", range, tickvals, ticktext, tickangle: 0, ...changed });
}

/* Powers of ten, with 2 and 5 between them if that is not more than 8 numbers. */
function logTicks([from, to]) {
  const ticksOf = (steps) => {
    const powers = Array.from({ length: Math.ceil(to) - Math.floor(from) }, (_, i) => Math.floor(from) + i);
    const ticks = powers.concat(Math.ceil(to)).flatMap((power) => steps.map((step) => Number(`${step}e${power}`)));
    return ticks.filter((tick) => tick >= 10 ** from && tick <= 10 ** to);
  };
  const ticks = ticksOf([1, 2, 5]);
  if (ticks.length <= 8) return ticks;
  const powers = ticksOf([1]);
  const every = Math.ceil(powers.length / 8);
  return powers.filter((_, number) => number % every === 0);
}

/* At least a factor of 5, so that a difference of one percent looks small. */
function widened(low, high) {
  if (high / low >= 5) return [low, high];
  const middle = Math.sqrt(low * high);
  return [middle / Math.sqrt(5), middle * Math.sqrt(5)];
}

function linearAxis(title, low, high, changed = {}) {
  const room = 0.07 * (high - low) || Math.abs(high) * 0.1 || 1;
  return axis(title, { type: "linear", range: [low - room, high + room], ...changed });
}

/* The distances to the bounds, for plotly; null where they are unknown. */
function errorBar(figure, scale) {
  const isKnown = figure.value !== null && Number.isFinite(figure.high) && figure.low < figure.high;
  if (!isKnown || figure.estimated || figure.disturbed) return null;
  return {
    type: "data",
    symmetric: false,
    array: [scale * (figure.high - figure.value)],
    arrayminus: [scale * (figure.value - figure.low)],
    thickness: 1.2,
    width: 3,
  };
}

/* Draws into an element, which keeps its size when it is drawn again. */
function draw(target, traces, given) {
  return Plotly.react(target, traces, given, CONFIG);
}
