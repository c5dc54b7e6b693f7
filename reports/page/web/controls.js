"use strict";

/* The inputs: axes, filters, limits, prices; and the list of models that remain. */

const STEPS = 100; // of a slider; one end is "no limit"

function startControls() {
  buildAxes();
  fill("filters", filters());
  buildLimits();
  buildPrices();
  byId("reset").addEventListener("click", () => {
    view.limits.clear();
    buildLimits();
    redraw();
  });
}

function buildAxes() {
  fill("axes", axisControl("y", "Vertical"), axisControl("x", "Horizontal"));
}

/* Which figure an axis shows, and on which scale. */
function axisControl(name, title) {
  const specs = [...SPECS.values()].map((spec) => ({ spec, absent: absence(spec.key) }));
  specs.sort((a, b) => Boolean(a.absent) - Boolean(b.absent)); // those that are not available go last
  const options = specs.map(({ spec, absent }) => {
    const text = absent ? `${spec.heading} (not available)` : spec.heading;
    const isPrice = spec.key in PRICE_OF; // prices may become available
    return element("option", {
      value: spec.key, selected: spec.key === view[name].key,
      disabled: Boolean(absent) && !isPrice, title: absent || null,
    }, text);
  });
  const select = element("select", { id: `axis-${name}`, onchange: () => choose() }, options);
  const log = element("input", {
    type: "checkbox", id: `log-${name}`, checked: view[name].isLog,
    "aria-label": `${title}: log scale`, onchange: () => choose(),
  });
  function choose() {
    view[name] = { key: select.value, isLog: log.checked };
    redraw();
  }
  return element("div", { class: "axis" },
    element("label", { for: `axis-${name}` }, title), select,
    element("label", { class: "check" }, log, "log"));
}

/* Check boxes that are the legend too. */
function filters() {
  const groups = [filterGroup("Models", "models", MODELS, (name, index) => [
    hasRuns ? "●" : ofCycle(SYMBOL_SIGNS, index), index, name,
  ])];
  if (DEVICES.length > 1) {
    groups.push(filterGroup("Devices", "devices", DEVICES, (name) => ["", null, name]));
  }
  if (hasRuns) {
    groups.push(filterGroup("Runs", "runs", DATA.runs.map((_, index) => index), (index) => [
      signsOfRun(index), null, `${letter(index)}: ${DATA.runs[index].id}, ${DATA.runs[index].machine}`,
    ]));
  }
  return groups;
}

function signsOfRun(runIndex) {
  const signs = ENTRIES.filter((one) => one.runIndex === runIndex).map((one) => one.sign);
  return [...new Set(signs)].join(" ");
}

function filterGroup(title, kind, values, describe) {
  const boxes = values.map((value, index) => {
    const [sign, hue, text] = describe(value, index);
    const box = element("input", {
      type: "checkbox", checked: !view.hidden[kind].has(value), "data-filter": kind,
      onchange: (event) => {
        view.hidden[kind][event.target.checked ? "delete" : "add"](value);
        redraw();
      },
    });
    const swatch = element("span", { class: "swatch", "aria-hidden": "true", "data-hue": hue }, sign);
    return element("label", { class: "check" }, box, swatch, text);
  });
  return element("fieldset", {}, element("legend", {}, title), boxes);
}

/* The colours of the legend follow the theme. */
function paintSwatches() {
  for (const swatch of document.querySelectorAll(".swatch[data-hue]")) {
    swatch.style.color = ofCycle(palette().models, Number(swatch.dataset.hue));
  }
}

function buildLimits() {
  const limited = [...SPECS.values()].filter((spec) => spec.limit);
  fill("limits", limited.filter((spec) => spec.main).map(limitControl));
  fill("more-limits", limited.filter((spec) => !spec.main).map(limitControl));
}

/* A slider and a number for one limit; disabled, with the reason, if no model has the figure. */
function limitControl(spec) {
  const id = `limit-${spec.key.replace(/\W/g, "-")}`;
  const atLeast = spec.better === "higher";
  const words = atLeast ? "at least" : "at most";
  const scale = spec.percent ? 100 : 1;
  const reason = absence(spec.key);
  const range = reason ? null : limitRange(spec);
  const slider = element("input", {
    type: "range", id: `${id}-slider`, min: 0, max: STEPS, step: 1, disabled: Boolean(reason),
    "aria-label": `${spec.heading}, ${words}`, oninput: () => change(valueAt(Number(slider.value)), slider),
  });
  const number = element("input", {
    type: "number", id, min: 0, max: spec.percent ? 100 : null, step: "any", placeholder: "no limit",
    disabled: Boolean(reason),
    oninput: () => change(number.value === "" ? null : Number(number.value) / scale, number),
  });
  const unit = spec.percent ? ", %" : "";

  function valueAt(position) {
    if (position === (atLeast ? 0 : STEPS)) return null;
    const share = position / STEPS;
    const value = spec.percent
      ? range.low + share * (range.high - range.low)
      : range.low * (range.high / range.low) ** share;
    return Number(value.toPrecision(3));
  }

  function positionOf(limit) {
    if (limit === null || !range) return atLeast ? 0 : STEPS;
    const share = spec.percent
      ? (limit - range.low) / (range.high - range.low)
      : Math.log(limit / range.low) / Math.log(range.high / range.low);
    const position = Math.round(share * STEPS);
    return Math.min(Math.max(position, atLeast ? 1 : 0), atLeast ? STEPS : STEPS - 1);
  }

  function change(limit, source) {
    const isLimit = limit !== null && limit > 0 && limit <= (spec.percent ? 1 : Number.MAX_VALUE);
    if (isLimit) view.limits.set(spec.key, limit);
    else view.limits.delete(spec.key);
    const isRefused = source === number && !isLimit && (limit !== null || number.validity.badInput);
    number.setAttribute("aria-invalid", String(isRefused));
    show(isLimit ? limit : null, source);
    redraw();
  }

  /* The input that a limit comes from keeps its value: a rounded limit may be that of the step before. */
  function show(limit, source = null) {
    if (source !== number) number.value = limit === null ? "" : String(Number((scale * limit).toPrecision(6)));
    if (source !== slider) slider.value = positionOf(limit);
    const text = limit === null ? "no limit" : `${words} ${numberText(spec, limit)}`;
    slider.setAttribute("aria-valuetext", text);
  }

  show(view.limits.get(spec.key) ?? null);
  return element("div", { class: reason ? "limit off" : "limit" },
    element("label", { for: id }, `${spec.heading}${unit}`),
    element("span", { class: "words" }, words), number, slider,
    reason ? note(`Not available: ${reason}`) : []);
}

/* From the least to the largest value of all models, with a little room. */
function limitRange(spec) {
  const values = ENTRIES.map((one) => one.figure(spec.key).value).filter((value) => value > 0);
  if (!values.length) return { low: 0.1, high: 10 };
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (spec.percent) {
    return { low: Math.max(0, Math.floor(low * 50) / 50 - 0.02), high: Math.min(1, high + 0.02) };
  }
  return { low: low * 0.9, high: high * 1.1 };
}

/* Volume and prices; the price of a machine is asked for each run. */
function buildPrices() {
  const shared = [
    priceInput("volume", "Comments that share one training", { min: 1 }),
    priceInput("electricity_per_kwh", "A kWh"),
    priceInput("api_per_million", "A hosted API, a million comments"),
  ];
  if (ENTRIES.some((one) => one.model.cost_parts.is_endpoint)) {
    shared.push(priceInput("price_in_per_million", "A million prompt tokens"));
    shared.push(priceInput("price_out_per_million", "A million completion tokens"));
  }
  fill("prices", shared, DATA.runs.flatMap((_, index) => machineInputs(index)));
}

function priceInput(key, title, { min = 0 } = {}) {
  return numberField(`price-${key}`, title, view.prices[0][key], min, (value) => {
    for (const prices of view.prices) prices[key] = value ?? (key === "volume" ? 1e6 : null);
  });
}

/* The price of a whole machine, or of its parts: the whole one counts if both are given. */
function machineInputs(runIndex) {
  const prices = view.prices[runIndex];
  const of = hasRuns ? ` of ${letter(runIndex)}` : "";
  const devices = new Set(DATA.runs[runIndex].models.map((model) => model.device));
  const parts = ["core", ...[...devices].filter((device) => device !== "cpu")];
  return [
    numberField(`machine-${runIndex}`, `An hour of the machine${of}`, prices.machine_per_hour, 0, (value) => {
      prices.machine_per_hour = value;
    }),
    ...parts.map((part) => {
      const isCore = part === "core";
      const title = isCore ? `or an hour of one CPU core${of}` : `and of its ${part} accelerator${of}`;
      const price = prices.part_per_hour[part] ?? null;
      return numberField(`part-${runIndex}-${part}`, title, price, 0, (value) => {
        if (value === null) delete prices.part_per_hour[part];
        else prices.part_per_hour[part] = value;
      });
    }),
  ];
}

function numberField(id, title, value, min, change) {
  const input = element("input", {
    type: "number", id, min, step: "any", value: value ?? "", placeholder: "not given",
    oninput: () => {
      const number = Number(input.value);
      const isGiven = input.value !== "" && Number.isFinite(number) && number >= min;
      const isRefused = !isGiven && (input.value !== "" || input.validity.badInput);
      input.setAttribute("aria-invalid", String(isRefused));
      change(isGiven ? number : null);
      buildAxes();
      buildLimits();
      redraw();
    },
  });
  return element("div", { class: "field" }, element("label", { for: id }, title), input);
}

const LISTS = [
  ["fits", "Within all limits"],
  ["borderline", "Borderline: the limit lies within the bounds of the figure"],
  ["unknown", "Unknown: not measured, an estimate, or disturbed"],
  ["misses", "Beyond a limit"],
];

let announcement = null; // a timer: a slider in motion is not read aloud at each step

/* The models and cascades that stay within the limits, and why the others do not. */
function listRemaining() {
  const judged = [...shown(), ...shownCascades()].map((one) => ({ one, ...judge(one) }));
  const text = view.limits.size ? remainingText(judged) : `No limit is set; models shown: ${shown().length}.`;
  clearTimeout(announcement);
  announcement = setTimeout(() => {
    const status = byId("remaining");
    if (status.textContent !== text) status.textContent = text; // whatever is set is read aloud
  }, 250);
  const lists = LISTS.map(([kind, title]) => [title, kind, judged.filter((one) => one.kind === kind)]);
  fill("models-within", lists.filter(([, , found]) => found.length).map(([title, kind, found]) => [
    element("h3", {}, title),
    element("ul", { class: `models ${kind}`, "data-kind": kind }, found.map(({ one, reasons }) =>
      element("li", {}, modelSign(one), element("span", {}, one.label,
        reasons.length ? element("span", { class: "reason" }, reasons.join(". ")) : [])))),
  ]));
}

function remainingText(judged) {
  const counted = (found) => `${found.filter(({ kind }) => kind === "fits").length} of ${found.length}`;
  const [models, cascades] = [false, true].map((is) => judged.filter(({ one }) => Boolean(one.cascade) === is));
  const names = judged.filter(({ kind }) => kind === "fits").map(({ one }) => one.label).join(", ");
  const ofCascades = cascades.length ? ` and ${counted(cascades)} cascades` : "";
  return `${counted(models)} models${ofCascades} stay within all limits${names && `: ${names}`}.`;
}

function modelSign(one) {
  return element("span", { class: "swatch", "aria-hidden": "true", "data-hue": one.hue }, one.sign);
}
