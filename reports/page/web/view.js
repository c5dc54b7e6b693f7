"use strict";

/* What the page shows: the runs, and what the reader has chosen. */

const DATA = JSON.parse(byId("content").textContent);

/* Figures that follow from the prices: key → how to compute it from a model's parts. */
const PRICE_OF = {
  price: scoringPrice,
  price_of_correct: correctPrice,
  price_of_training: trainingPrice,
  price_with_training: priceWithTraining,
};

function priceSpec(key, heading, changed = {}) {
  const usual = { percent: false, better: "lower", limit: false, main: false, cost: false };
  return { key, heading, ...usual, ...changed };
}

const SPECS = new Map(
  [
    ...DATA.figures,
    priceSpec("price", "price of scoring a million", { cost: true }),
    priceSpec("price_of_correct", "price of a million correct"),
    priceSpec("price_of_training", "price of one training"),
    priceSpec("price_with_training", "price of a million, training included", { limit: true, main: true }),
  ].map((spec) => [spec.key, spec]),
);

/* How accuracy is called: of several labels, it is that of the whole set. */
const ACCURACY = SPECS.get("accuracy").heading;

const MODELS = [...new Set(DATA.runs.flatMap((run) => run.models.map((model) => model.model)))];
const DEVICES = [...new Set(DATA.runs.flatMap((run) => run.models.map((model) => model.device)))];

/* Prices that hold for all runs; only that of the machine differs. The first run that has one decides. */
const SHARED_PRICES = [
  "electricity_per_kwh", "api_per_million", "price_in_per_million", "price_out_per_million",
];

function startPrices() {
  const shared = { volume: DATA.runs[0].prices.volume };
  for (const key of SHARED_PRICES) {
    shared[key] = DATA.runs.map((run) => run.prices[key]).find((price) => price !== null) ?? null;
  }
  return DATA.runs.map(({ prices }) => ({
    machine_per_hour: prices.machine_per_hour, part_per_hour: { ...prices.part_per_hour }, ...shared,
  }));
}

const view = {
  x: { key: "compute_ms", isLog: true },
  y: { key: DATA.runs[0].ranking, isLog: false },
  limits: new Map(), // key of a figure → its limit
  prices: startPrices(), // one for each run
  hidden: { models: new Set(), devices: new Set(), runs: new Set() },
};

const hasRuns = DATA.runs.length > 1;

/* The letter of a run, as `worthit compare` names runs. */
function letter(runIndex) {
  return String.fromCharCode("A".charCodeAt(0) + (runIndex % 26)).repeat(Math.floor(runIndex / 26) + 1);
}

function nameIn(runIndex, label) {
  return hasRuns ? `${label} · ${letter(runIndex)}` : label;
}

/* A model of a run: how it looks, and its figures at the chosen prices. */
class Entry {
  constructor(runIndex, model) {
    this.run = DATA.runs[runIndex];
    this.runIndex = runIndex;
    this.model = model;
    this.label = nameIn(runIndex, model.label);
    this.hue = MODELS.indexOf(model.model);
    // One run: a shape per model, as in the report. More: a shape per run and device.
    this.shape = hasRuns ? runIndex * DEVICES.length + DEVICES.indexOf(model.device) : this.hue;
  }

  get colour() {
    return ofCycle(palette().models, this.hue);
  }

  get symbol() {
    return ofCycle(SYMBOLS, this.shape);
  }

  get sign() {
    return ofCycle(SYMBOL_SIGNS, this.shape);
  }

  get prices() {
    return view.prices[this.runIndex];
  }

  figure(key) {
    const price = PRICE_OF[key];
    return price ? price(this.model.cost_parts, this.prices) : read(this.model.figures[key]);
  }
}

function ofCycle(values, index) {
  return values[index % values.length];
}

const ENTRIES = DATA.runs.flatMap((run, index) => run.models.map((model) => new Entry(index, model)));

/* The model that a curve or cascade is of. Seeds share one entry. */
function entryOf(runIndex, label) {
  return ENTRIES.find((one) => one.runIndex === runIndex && one.model.label === label);
}

/* The models that the filters leave. */
function shown() {
  const { models, devices, runs } = view.hidden;
  return ENTRIES.filter(
    ({ model, runIndex }) =>
      !models.has(model.model) && !devices.has(model.device) && !runs.has(runIndex),
  );
}

function shownRuns() {
  return DATA.runs.map((_, index) => index).filter((index) => !view.hidden.runs.has(index));
}

/* Why a figure has no value in any model; empty if one has. */
function absence(key) {
  const figures = ENTRIES.map((one) => one.figure(key));
  if (figures.some((figure) => figure.value !== null)) return "";
  return [...new Set(figures.map((figure) => figure.reason))].slice(0, 2).join("; ");
}

/* How a model or cascade compares with all limits: {kind, reasons}. */
function judge(one) {
  const compare = one.cascade ? compareCascade : compareWithLimit;
  const found = [...view.limits].map(([key, limit]) => compare(one, SPECS.get(key), limit));
  const kind = overall(found.map((one) => one.kind));
  return { kind, reasons: found.filter((one) => one.kind !== "fits").map((one) => one.reason) };
}

/* How its figure compares with one limit: {kind, reason}. */
function compareWithLimit(one, spec, limit) {
  const figure = one.figure(spec.key);
  const kind = fit(figure, limit, spec.better === "higher");
  return { kind, reason: fitReason(spec, figure, limit, kind) };
}

function fitReason(spec, figure, limit, kind) {
  const words = spec.better === "higher" ? "at least" : "at most";
  const limited = `the limit is ${words} ${numberText(spec, limit)}`;
  const found = `${spec.heading}: ${withInterval(figure)}`;
  if (kind !== "unknown") return `${found}; ${limited}`;
  if (figure.value === null) return `${found}, ${figure.reason}`;
  return `${found}; ${figure.disturbed || "an estimate"} never decides whether a limit holds`;
}

function numberText(spec, value) {
  return spec.percent ? percent(value) : significant(value);
}

/* The standings of a run's models at a cost, in the order of its models; null if it is not ranked. */
function standings(runIndex, key) {
  const { models, ranking } = DATA.runs[runIndex];
  if (key === "price") {
    const prices = view.prices[runIndex];
    return rank(models, models.map((model) => scoringPrice(model.cost_parts, prices)), ranking);
  }
  return models[0]?.standings[key] ? models.map((model) => model.standings[key]) : null;
}

/* The standing of a model at a cost; null if the cost is not ranked. */
function standingOf(one, key) {
  return standings(one.runIndex, key)?.[one.run.models.indexOf(one.model)] ?? null;
}
