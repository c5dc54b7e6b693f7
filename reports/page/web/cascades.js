"use strict";

/* Cascades: their figures at the chosen prices, and what the limits say of them. */

/* A cascade of a run, with its two models as entries. */
class Cascade {
  constructor(runIndex, cascade) {
    this.cascade = cascade;
    this.runIndex = runIndex;
    this.name = nameIn(runIndex, cascade.label);
    this.label = `cascade ${this.name}`;
    this.sign = "⬢";
    this.cheap = entryOf(runIndex, cascade.cheap);
    this.expensive = entryOf(runIndex, cascade.expensive);
  }

  get hue() {
    return this.expensive.hue;
  }

  get colour() {
    return this.expensive.colour;
  }

  /* Its own figure; missing where only its models have one. */
  figure(key) {
    if (key === "accuracy") return read(this.cascade.accuracy);
    if (key === "price") return this.#price();
    if (key === "price_with_training") {
      const trainings = total(this.#both("price_of_training"));
      const share = times(trainings, MILLION / this.expensive.prices.volume);
      return total([this.#price(), share]);
    }
    const cost = this.cascade.costs[key];
    return cost ? read(cost.figure) : missing("not measured of a cascade");
  }

  #both(key) {
    return [this.cheap.figure(key), this.expensive.figure(key)];
  }

  /* The cheap model reads each comment, the expensive one those that are passed on. */
  #price() {
    const [cheap, expensive] = this.#both("price");
    return total([cheap, times(expensive, this.cascade.passed_share)]);
  }

  /* Whether it can replace its expensive model at a cost: {standing, pays}. */
  standingAt(key) {
    if (key !== "price") return this.cascade.costs[key];
    const { standing, replaces, expensive } = this.cascade;
    const [own, alone] = [this.figure(key), this.expensive.figure(key)];
    const is = (text, pays = false) => ({ standing: text, pays });
    if (own.value === null) return is(`n/a: ${own.reason}`);
    if (own.estimated) return is("not ranked: the cost of some model is an estimate");
    if (!replaces) return is(standing);
    if (own.disturbed) return is("not ranked: disturbed");
    if (isBelow(own, alone)) return is(standing, true);
    return is(isBelow(alone, own) ? `more expensive than ${expensive}` : `costs as ${expensive}`);
  }
}

const CASCADES = DATA.runs.flatMap((run, index) => run.cascades.map((one) => new Cascade(index, one)));

/* The cascades of which the filters leave both models. */
function shownCascades() {
  const entries = new Set(shown());
  return CASCADES.filter(({ cheap, expensive }) => entries.has(cheap) && entries.has(expensive));
}

/* How a cascade compares with a limit: {kind, reason}.
 *
 * Without a figure of its own, such as memory, it misses the limit if one of its models does; that both
 * stay within it says nothing of the two together. */
function compareCascade(one, spec, limit) {
  const own = compareWithLimit(one, spec, limit);
  if (one.figure(spec.key).value !== null) return own;
  const missed = [one.cheap, one.expensive]
    .map((model) => ({ model, ...compareWithLimit(model, spec, limit) }))
    .filter(({ kind }) => kind === "misses");
  if (!missed.length) return own;
  return { kind: "misses", reason: missed.map(({ model, reason }) => `${model.label}: ${reason}`).join("; ") };
}
