"use strict";

/* Numbers and figures as reports write them. */

/* Three significant digits without an exponent: 12,345 · 123 · 1.23 · 0.0123. */
function significant(value) {
  if (Math.abs(value) >= 1e3) {
    return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  }
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  const text = rounded.toFixed(Math.min(decimals, 100));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/* A number of comments: 1,230,000 or never. */
function comments(volume) {
  return volume === Infinity ? "never" : Number(volume.toPrecision(3)).toLocaleString("en-US");
}

/* A figure: measured plain, ≈ estimated, (cached), (disturbed), n/a. */
function figureText(figure) {
  if (figure.text) return figure.text;
  if (figure.value === null) return "n/a";
  if (figure.nothing) return "none";
  let text = significant(figure.value);
  if (figure.estimated) text = `≈${text}`;
  if (figure.cached) text += " (cached)";
  return figure.disturbed ? `${text} (disturbed)` : text;
}

/* The bounds of a figure; empty if they are unknown, or are the figure itself. */
function intervalText(figure) {
  if (figure.interval !== undefined) return figure.interval;
  const isKnown = figure.value !== null && Number.isFinite(figure.high) && figure.low < figure.high;
  return isKnown && !figure.text ? `${significant(figure.low)} to ${significant(figure.high)}` : "";
}

/* A figure with its interval: 92.8 % (90.2 % to 94.8 %). */
function withInterval(figure) {
  const interval = intervalText(figure);
  return interval ? `${figureText(figure)} (${interval})` : figureText(figure);
}

/* A name that fits into a plot. */
function short(name, most = 32) {
  const letters = [...name];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : name;
}

/* Text that plotly shows as it is: it reads tags and entities. */
function forPlotly(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
