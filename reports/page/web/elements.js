"use strict";

/* Elements of the page. Text is only ever set as text, never as markup. */

/* An element with attributes, and children that are elements or texts. `on…` are listeners. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity));
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

/* Replaces what an element contains. */
function fill(id, ...children) {
  byId(id).replaceChildren(...children.flat(Infinity));
}

function note(...texts) {
  return element("p", { class: "note" }, texts.join(" "));
}

const opened = new Set(); // ids of folds, kept when their content changes

/* Content that a reader has to open. */
function folded(id, title, ...content) {
  const ontoggle = ({ target }) => opened[target.open ? "add" : "delete"](id);
  return element("details", { open: opened.has(id), ontoggle }, element("summary", {}, title), content);
}

/* An element for a plot, of which a table beside it has the figures. */
function plotElement(id, what) {
  const label = `Plot of ${what}; the table below has the same figures`;
  return element("div", { id, class: "plot", role: "img", "aria-label": label });
}

/* A table that scrolls by itself where it is too wide. */
function scrollable(label, table, kind = "") {
  const attributes = { class: `scroll ${kind}`, tabindex: "0", role: "region", "aria-label": label };
  return element("div", attributes, table);
}

/* Numbers the reasons below a table, each once. */
class Footnotes {
  #numbers = new Map();

  mark(reason) {
    if (!this.#numbers.has(reason)) this.#numbers.set(reason, this.#numbers.size + 1);
    return `[${this.#numbers.get(reason)}]`;
  }

  list() {
    const lines = [...this.#numbers].map(([reason, number]) => element("li", {}, `[${number}] ${reason}`));
    return lines.length ? [element("ul", { class: "notes" }, lines)] : [];
  }
}

/* An entry of a table: its texts, and what it is sorted by. Missing values go last in any order. */
function entry(figure, notes) {
  const reason = figure.disturbed ? `disturbed: ${figure.disturbed}` : figure.reason;
  const mark = reason ? ` ${notes.mark(reason)}` : "";
  const kind = figure.estimated ? "estimate" : "";
  return { text: figureText(figure) + mark, interval: intervalText(figure), sort: figure.value, kind };
}

const chosenOrder = new Map(); // id of a table → {column, descending}, kept when its figures change

/* A table that sorts by the buttons in its headings.
 *
 * Rows are lists of texts or of {text, interval, sort, kind}; the first column holds names. */
function sortableTable(id, caption, headings, rows) {
  const body = element("tbody");
  const table = element("table", {}, element("caption", { class: "hidden" }, caption));
  const cells = headings.map((heading, column) => {
    const button = element("button", { type: "button", onclick: () => choose(column) }, heading);
    return element("th", { scope: "col" }, button);
  });
  table.append(element("thead", {}, element("tr", {}, cells)), body);

  function choose(column) {
    const now = chosenOrder.get(id);
    const descending = now?.column === column ? !now.descending : false;
    chosenOrder.set(id, { column, descending });
    sort();
  }

  function sort() {
    const order = chosenOrder.get(id);
    cells.forEach((cell, column) => {
      const direction = order?.descending ? "descending" : "ascending";
      if (order?.column === column) cell.setAttribute("aria-sort", direction);
      else cell.removeAttribute("aria-sort");
    });
    const sorted = order ? [...rows].sort(compareBy(order)) : rows;
    body.replaceChildren(...sorted.map(rowElement));
  }

  sort();
  return scrollable(caption, table);
}

/* A name of any length: it wraps, and a still longer one is cut. */
function nameElement(text, most = Infinity) {
  const cut = short(text, most);
  return element("span", { class: "name", title: cut === text ? null : text }, cut);
}

function compareBy({ column, descending }) {
  const sign = descending ? -1 : 1;
  const key = (row) => (row[column]?.sort !== undefined ? row[column].sort : row[column]);
  return (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };
}

function rowElement(row) {
  const cells = row.map((given, column) => {
    const { text, interval, kind } = typeof given === "string" ? { text: given } : given;
    if (!column) return element("th", { scope: "row" }, nameElement(text));
    const below = interval ? element("span", { class: "interval" }, ` (${interval})`) : [];
    return element("td", { class: kind || null }, text, below);
  });
  return element("tr", {}, cells);
}
