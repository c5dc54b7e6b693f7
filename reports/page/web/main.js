"use strict";

/* Starts the page, and draws it again after each change. */

let pending = false;

/* Draws once a frame, however often it is asked to. */
function redraw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    listRemaining();
    showAnswers();
    showCosts();
    showResults();
    showConfusion();
    drawFrontier();
    drawLearning();
    drawCascades();
    paintSwatches();
    document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn || 0) + 1);
  });
}

function start() {
  for (const [key, limit] of Object.entries(DATA.runs[0].limits)) view.limits.set(key, limit);
  document.title = `worthit ${DATA.runs.map((run) => run.id).join(", ")}`;
  startControls();
  startTheme(redraw);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone that hides its address bar while scrolling
    width = window.innerWidth;
    redraw();
  });
}

/* Plotly is inside the page, or beside it. */
function loadPlotly(file, then) {
  const script = document.createElement("script");
  script.src = file;
  script.addEventListener("load", then);
  script.addEventListener("error", () => {
    fill("answers", element("p", { class: "warning" }, `${file} is missing; keep it beside this page.`));
  });
  document.head.append(script);
}

const beside = document.body.dataset.plotly;
if (beside) loadPlotly(beside, start);
else start();
