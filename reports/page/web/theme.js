"use strict";

/* Colours of plots, light and dark.
 *
 * The hues are those of `pictures/style.py` (Okabe and Ito 2008, Tol 2021), with lightness changed so that
 * each has a contrast of 3 to 1 at least with its background. */

const PALETTES = {
  light: {
    ink: "#1d2430", muted: "#5c6675", grid: "#e6e9ee", off: "#8b94a1", paper: "#ffffff", line: "#767f8c",
    models: [
      "#0072b2", "#d55e00", "#008a65", "#b8579a", "#b07900", "#2e8bc0", "#1d2430", "#882255", "#7d7a22",
      "#4a3ab0", "#767f8c",
    ],
  },
  dark: {
    ink: "#e6eaf0", muted: "#a3adba", grid: "#2b333f", off: "#727c8a", paper: "#171c24", line: "#99a3b1",
    models: [
      "#4aa8e0", "#f08a3c", "#2fbf93", "#dd93c2", "#e6ac2e", "#8accf2", "#e6eaf0", "#d9779f", "#c2bf5c",
      "#a99cf5", "#a3adba",
    ],
  },
};

const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "star", "triangle-left",
  "triangle-right", "cross", "x", "pentagon"];
const SYMBOL_SIGNS = ["●", "■", "◆", "▲", "▼", "★", "◀", "▶", "✚", "✖", "⬟"];

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function themeName() {
  return document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light");
}

function palette() {
  return PALETTES[themeName()];
}

/* The button that switches between light and dark; the system's choice holds until it is used. */
function startTheme(redraw) {
  const button = byId("theme");
  const show = () => {
    const next = themeName() === "dark" ? "light" : "dark";
    button.textContent = next === "dark" ? "Dark" : "Light";
    button.setAttribute("aria-label", `Switch to the ${next} theme`);
    redraw();
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = themeName() === "dark" ? "light" : "dark";
    show();
  });
  prefersDark.addEventListener("change", show);
  show();
}
