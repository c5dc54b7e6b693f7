"use strict";

/* Which models stay within limits, by the rules of `analysis/budgets.py`. */

const WORST_FIRST = ["misses", "unknown", "borderline", "fits"];

/* How a figure compares with a limit: "fits", "borderline", "misses" or "unknown".
 *
 * An estimate never decides whether a limit holds, nor does a disturbed figure. */
function fit(figure, limit, atLeast) {
  if (figure.value === null || figure.estimated || figure.disturbed) return "unknown";
  const sign = atLeast ? -1 : 1; // so that less is better
  const [best, worst] = [sign * figure.low, sign * figure.high].sort((a, b) => a - b);
  if (worst <= sign * limit) return "fits";
  return best > sign * limit ? "misses" : "borderline";
}

/* All limits together: as good as the worst. */
function overall(kinds) {
  return WORST_FIRST.find((kind) => kinds.includes(kind)) || "fits";
}
