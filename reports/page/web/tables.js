"use strict";

/* Verdicts, tables of figures and prices, and confusion matrices. */

function showAnswers() {
  fill("answers", shownRuns().map((runIndex) => {
    const run = DATA.runs[runIndex];
    const { headline, warnings, reasons, changes } = run.verdict;
    const name = hasRuns ? [element("p", { class: "run-name" }, `${letter(runIndex)}: ${run.id}`)] : [];
    const lines = (title, texts) => {
      const items = texts.map((text) => element("li", {}, text));
      return items.length ? [element("h3", {}, title), element("ul", {}, items)] : [];
    };
    const details = [...lines("Reasons", reasons), ...lines("What could change the verdict", changes)];
    const other = run.other_comments
      && `Accuracies of ${letter(runIndex)} do not compare with those of A: ${run.other_comments}.`;
    const doubts = [other, run.incomplete, ...warnings, run.noise, run.disturbed].filter(Boolean);
    return element("article", { class: hasRuns ? "answer several" : "answer" },
      name,
      element(hasRuns ? "h2" : "h1", { class: "headline" }, headline),
      element("p", { class: "summary" }, run.summary),
      doubts.map((text) => element("p", { class: "warning" }, text)),
      details.length ? folded(`verdict-${runIndex}`, "Reasons, and what could change the verdict", details) : []);
  }));
  if (hasRuns) byId("answers").prepend(element("h1", { class: "hidden" }, "Verdicts of the runs"));
}

/* All figures that some model has: those of the report's table first, the others folded. */
function showResults() {
  const entries = shown();
  const isKnown = (spec) => entries.some((one) => one.figure(spec.key).value !== null);
  const columns = DATA.figures.filter(isKnown);
  const absent = DATA.figures.filter((spec) => !isKnown(spec));
  const [results, others] = [true, false].map((of) => columns.filter((spec) => spec.results === of));
  const notes = new Footnotes();
  fill("results",
    note(legend()),
    figureTable("results", "Results", results, entries, notes), notes.list(),
    otherFigures(others, entries), standingsTable(entries), absentFigures(absent));
}

function legend() {
  const texts = new Map(shownRuns().map((index) => [letter(index), DATA.runs[index].answers]));
  const isOne = new Set(texts.values()).size === 1;
  const answers = isOne ? [...texts.values()].slice(0, 1) : [...texts].map((pair) => pair.join(": "));
  return (
    "Plain numbers are measured, ≈ are estimates, (cached) comes from an earlier training, (disturbed) " +
    `was measured beside other work, n/a is not available. ${answers.join(" ")} Headings sort.`
  );
}

function figureTable(id, caption, specs, entries, notes) {
  const rows = entries.map((one) => [one.label, ...specs.map((spec) => entry(one.figure(spec.key), notes))]);
  return sortableTable(id, caption, ["model", ...specs.map((spec) => spec.heading)], rows);
}

function otherFigures(specs, entries) {
  const notes = new Footnotes();
  const table = figureTable("others", "All other figures", specs, entries, notes);
  return folded("others", `All other figures (${specs.length})`, table, notes.list());
}

/* Standings at each cost, as in the report, also of cascades. */
function standingsTable(entries) {
  const costs = [...SPECS.values()].filter((spec) => spec.cost && standings(0, spec.key));
  const ofModels = entries.map((one) => [
    one.label,
    ...costs.map((spec) => {
      const found = standingOf(one, spec.key);
      return found ? standingText(found) : "n/a";
    }),
  ]);
  const ofCascades = shownCascades().map((one) => [
    one.label, ...costs.map((spec) => one.standingAt(spec.key).standing),
  ]);
  const headings = ["model", ...costs.map((spec) => spec.heading)];
  const table = sortableTable("standings", "Standings", headings, [...ofModels, ...ofCascades]);
  return folded("standings", "Standing of each model, cost by cost", table);
}

function absentFigures(specs) {
  if (!specs.length) return [];
  const items = specs.map((spec) =>
    element("li", {}, `${spec.heading}: ${absence(spec.key) || "not of these models"}`),
  );
  return folded("absent", `Figures that are not available (${specs.length})`, element("ul", {}, items));
}

/* What each model costs at the prices, and when it pays off. */
function showCosts() {
  const entries = shown();
  const keys = Object.keys(PRICE_OF);
  if (entries.every((one) => one.figure("price").value === null)) {
    const reasons = [...new Set(entries.map((one) => one.figure("price").reason))];
    fill("costs", note(`Prices are not available: ${reasons.join("; ")}.`));
    return;
  }
  const notes = new Footnotes();
  const specs = keys.map((key) => SPECS.get(key));
  fill("costs",
    element("h3", {}, "Costs"),
    figureTable("costs", "Costs", specs, entries, notes), notes.list(),
    note("A million correct: scoring as many comments as give a million correct answers on the test set.",
      `Training included: one training spread over ${comments(view.prices[0].volume)} comments.`,
      "Prices of training leave out choosing settings."),
    element("h3", {}, "Break-even"),
    note("Number of comments from which each model costs less than another choice, training included and",
      "quality ignored."),
    shownRuns().flatMap((runIndex) => breakEvenTable(runIndex, entries)));
}

function breakEvenTable(runIndex, entries) {
  const costs = ENTRIES.filter((one) => one.runIndex === runIndex).map((one) => ({
    one,
    label: one.model.label,
    isEndpoint: one.model.cost_parts.is_endpoint,
    training: one.figure("price_of_training"),
    scoring: one.figure("price"),
  }));
  const rivals = [...breakEvenRivals(costs, view.prices[runIndex])];
  const title = hasRuns ? `Break-even in run ${letter(runIndex)}` : "Break-even";
  if (!rivals.length) return [note(`${title}: nothing to compare with.`)];
  const notes = new Footnotes();
  const rows = costs
    .filter(({ one }) => entries.includes(one))
    .map((own) => [
      own.one.label,
      ...rivals.map(([, rival]) =>
        rival === own ? { text: "", sort: null } : breakEvenEntry(own, rival, notes),
      ),
    ]);
  const headings = ["model", ...rivals.map(([name]) => `against ${name}`)];
  return [sortableTable(`break-even-${runIndex}`, title, headings, rows), notes.list()];
}

function breakEvenEntry(own, rival, notes) {
  const found = breakEven(own, rival);
  if (found === null) {
    const sum = total([own.training, own.scoring, rival.training, rival.scoring]);
    const reason = sum.value === null ? sum.reason : `disturbed: ${sum.disturbed}`;
    return { text: `n/a ${notes.mark(reason)}`, sort: null };
  }
  if (found.high === 0) return { text: "the first", sort: 0 };
  if (found.estimated && found.low < Infinity) {
    return { text: `≈${comments(found.volume)}`, sort: found.volume, kind: "estimate" };
  }
  const range = found.low < found.high ? ` (${comments(found.low)} to ${comments(found.high)})` : "";
  return { text: comments(found.volume) + range, sort: found.volume };
}

const MOST_LETTERS = 40; // of the name of a class, as in reports

/* Counts of test comments; the shade is the share of the true class. */
function showConfusion() {
  fill("confusion", shown().map((one) => {
    const title = element("h3", {}, one.label);
    const { confusion, no_confusion, trainings } = one.model;
    if (!confusion) return element("div", {}, title, note(`n/a: ${no_confusion}`));
    const of = trainings > 1 ? [note(`Of the first of ${trainings} trainings.`)] : [];
    return element("div", {}, title, matrix(one, confusion), of);
  }));
}

function matrix(one, counts) {
  const { classes } = one.run;
  const head = element("tr", {}, element("th", { scope: "col" }, "true \\ predicted"),
    classes.map((name) => element("th", { scope: "col" }, nameElement(name, MOST_LETTERS))));
  const body = counts.map((row, index) => {
    const sum = row.reduce((a, b) => a + b, 0) || 1;
    const cells = row.map((count) => {
      const cell = element("td", {}, count.toLocaleString("en-US"));
      cell.style.setProperty("--share", `${Math.round((70 * count) / sum)}%`);
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row" }, nameElement(classes[index], MOST_LETTERS)), cells);
  });
  const title = `Confusion matrix of ${one.label}`;
  const caption = element("caption", { class: "hidden" }, title);
  const parts = [caption, element("thead", {}, head), element("tbody", {}, body)];
  return scrollable(title, element("table", {}, parts), classes.length > 4 ? "matrix many" : "matrix");
}
