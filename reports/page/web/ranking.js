"use strict";

/* Standings at a price that the reader changes, by the rules of `analysis/frontier.py`.
 *
 * Standings at all other costs come with the run. */

/* The standing of each of a run's models at a cost: [{kind, by, reason}].
 *
 * `costs` are its figures, in the order of the models; `ranking` is the key of the figure of quality. */
function rank(models, costs, ranking) {
  const quality = models.map((model) => model.figures[ranking]);
  const isKnown = (i) => costs[i].value !== null && quality[i].value !== null;
  const known = models.map((_, i) => i).filter((i) => isKnown(i) && !costs[i].disturbed);
  const isRanked = !known.some((i) => costs[i].estimated);
  return models.map((_, i) => {
    if (!isKnown(i)) {
      const reason = costs[i].reason || quality[i].reason;
      return { kind: "unknown", by: "", reason };
    }
    if (costs[i].disturbed) {
      return { kind: "disturbed", by: "", reason: `disturbed: ${costs[i].disturbed}` };
    }
    return isRanked ? standing(models, costs, known, i) : { kind: "not ranked", by: "", reason: "" };
  });
}

function standing(models, costs, known, i) {
  const own = models[i];
  if (!own.beats_guessing) return { kind: "guessing", by: "", reason: "" };
  const others = known
    .filter((j) => models[j].tested !== own.tested)
    .sort((a, b) => costs[a].value - costs[b].value);
  const isDifferent = (j) => own.differs_from.includes(models[j].tested);
  const isBetter = (j) => isDifferent(j) && models[j].tested_accuracy > own.tested_accuracy;
  const isCheaper = (j) => isBelow(costs[j], costs[i]);
  const costsTheSame = (j) => !isCheaper(j) && !isBelow(costs[i], costs[j]);
  const deciding = [
    ["dominated", (j) => isCheaper(j) && isBetter(j)],
    ["same accuracy", (j) => isCheaper(j) && !isDifferent(j)],
    ["same cost", (j) => costsTheSame(j) && isBetter(j)],
  ];
  for (const [kind, decides] of deciding) {
    const by = others.find(decides);
    if (by !== undefined) return { kind, by: models[by].label, reason: "" };
  }
  return { kind: "frontier", by: "", reason: "" };
}

/* How tables call a standing, as the report does. */
function standingText({ kind, by, reason }) {
  const texts = {
    frontier: "frontier",
    dominated: `dominated by ${by}`,
    "same accuracy": `not shown to beat ${by}`,
    "same cost": `costs as better ${by}`,
    guessing: "not shown to beat guessing",
    disturbed: `not ranked: ${reason}`,
    "not ranked": "not ranked: the cost of some model is an estimate",
  };
  return texts[kind] || `n/a: ${reason}`;
}
