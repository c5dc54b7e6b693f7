"use strict";

/* Arithmetic with figures and the bounds between which they are known, as `analysis/bounds.py` does it.
 *
 * A figure is {value, low, high, nothing, estimated, cached, disturbed, reason}. A missing value is null,
 * with the reason; it is never 0. An upper bound that is not known is Infinity. */

function missing(reason) {
  return { value: null, low: NaN, high: NaN, reason };
}

function nothing() {
  return { value: 0, low: 0, high: 0, nothing: true };
}

function given(value) {
  return { value, low: value, high: value };
}

/* A figure as Python wrote it. */
function read(figure) {
  if (figure.value === null) return { ...figure, low: NaN, high: NaN };
  return { ...figure, low: figure.low ?? 0, high: figure.high ?? Infinity };
}

function times(figure, factor) {
  if (figure.value === null) return figure;
  const high = factor ? figure.high * factor : 0; // that of an estimate is infinite
  return { ...figure, value: figure.value * factor, low: figure.low * factor, high };
}

/* The sum; estimated, cached or disturbed if a part is, missing if a part is. */
function total(parts) {
  const absent = parts.find((part) => part.value === null);
  if (absent) return missing(absent.reason);
  if (parts.every((part) => part.nothing)) return nothing();
  const sum = (key) => parts.reduce((so_far, part) => so_far + part[key], 0);
  const first = (key) => parts.map((part) => part[key]).find(Boolean) || "";
  return {
    value: sum("value"),
    low: sum("low"),
    high: sum("high"),
    estimated: parts.some((part) => part.estimated),
    cached: parts.some((part) => part.cached),
    disturbed: first("disturbed"),
    reason: first("reason"),
  };
}

/* What one correct decision costs, from the cost of a decision and the share of correct ones. */
function perCorrect(cost, accuracy) {
  if (accuracy.value === null) return missing(accuracy.reason);
  if (cost.value === null || cost.nothing) return cost;
  if (accuracy.value === 0) return missing("no test comment was classified correctly");
  return {
    ...cost,
    value: cost.value / accuracy.value,
    low: cost.low / accuracy.high,
    high: accuracy.low ? cost.high / accuracy.low : Infinity,
  };
}

/* Whether one is less than the other whatever the true values are. */
function isBelow(one, other) {
  return one.high < other.low;
}
