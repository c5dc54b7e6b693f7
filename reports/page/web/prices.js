"use strict";

/* What scoring costs at the prices that the reader gives: the formulas of `analysis/prices.py`.
 *
 * `parts` are a model's `cost_parts`. `prices` has the keys of a run's `prices`; null is not given. */

const MILLION = 1e6;
const SECONDS_PER_HOUR = 3600;
const J_PER_KWH = 3.6e6;

/* A million comments. */
function scoringPrice(parts, prices) {
  if (parts.is_endpoint) return answersPrice(parts, prices);
  const seconds = (key) => times(read(parts[key]), MILLION / 1e3);
  const compute = computePrice(parts, prices, {
    machine: seconds("machine_ms"),
    core: seconds("core_ms"),
    device: seconds("device_ms"),
  });
  return withElectricity(compute, prices, times(read(parts.energy_j), MILLION));
}

/* A million correct decisions: scoring as many comments as it takes on the test set. */
function correctPrice(parts, prices) {
  return perCorrect(scoringPrice(parts, prices), read(parts.accuracy));
}

function trainingPrice(parts, prices) {
  if (parts.is_endpoint) return nothing();
  const compute = computePrice(parts, prices, {
    machine: read(parts.training_s),
    core: read(parts.training_core_s),
    device: read(parts.training_device_s),
  });
  return withElectricity(compute, prices, read(parts.training_j));
}

/* A million comments, with their part of a training whose cost the volume shares. */
function priceWithTraining(parts, prices) {
  const share = times(trainingPrice(parts, prices), MILLION / prices.volume);
  return total([scoringPrice(parts, prices), share]);
}

/* An endpoint's answers: its tokens, else the price of an API. */
function answersPrice(parts, prices) {
  const { price_in_per_million: prompt, price_out_per_million: completion } = prices;
  if (prompt === null && completion === null) {
    if (prices.api_per_million === null) return missing("no price of its tokens or comments is given");
    return given(prices.api_per_million);
  }
  if (prompt === null) return missing("the price of prompt tokens is not given");
  if (completion === null) return missing("the price of completion tokens is not given");
  return total([
    times(read(parts.prompt_tokens), prompt),
    times(read(parts.completion_tokens), completion),
  ]);
}

/* The price of the whole machine, or of each part that the model occupies. */
function computePrice(parts, prices, seconds) {
  if (prices.machine_per_hour !== null) {
    return [times(seconds.machine, prices.machine_per_hour / SECONDS_PER_HOUR)];
  }
  const priced = prices.part_per_hour;
  if (!Object.keys(priced).length) return [];
  const occupied = [["core", seconds.core]];
  if (parts.device !== "cpu") occupied.push([parts.device, seconds.device]);
  return occupied.map(([part, time]) =>
    part in priced
      ? times(time, priced[part] / SECONDS_PER_HOUR)
      : missing(`no price of ${part} is given`),
  );
}

function withElectricity(compute, prices, joules) {
  const parts = [...compute];
  if (prices.electricity_per_kwh !== null) {
    parts.push(times(joules, prices.electricity_per_kwh / J_PER_KWH));
  }
  return parts.length ? total(parts) : missing("no price is given");
}

/* The number of comments from which training + volume × scoring is less than the other's.
 *
 * Each choice is {training, scoring}, scoring that of a million. Null if one of them is not known. */
function breakEven(own, other) {
  const parts = [own.training, own.scoring, other.training, other.scoring];
  if (parts.some((part) => part.value === null || part.disturbed)) return null;
  const volume = (extraTraining, saved) =>
    saved > 0 ? Math.max(0, (extraTraining / saved) * MILLION) : Infinity;
  return {
    volume: volume(
      own.training.value - other.training.value,
      other.scoring.value - own.scoring.value,
    ),
    low: volume(own.training.low - other.training.high, other.scoring.high - own.scoring.low),
    high: volume(own.training.high - other.training.low, other.scoring.low - own.scoring.high),
    estimated: parts.some((part) => part.estimated),
  };
}

/* What the report compares break-even volumes with: name → {training, scoring}.
 *
 * The model that is cheapest to train, unless a cost is an estimate or disturbed; models on servers; a
 * hosted API. `costs` are [{label, isEndpoint, training, scoring}]. */
function breakEvenRivals(costs, prices) {
  const rivals = new Map();
  const known = costs.filter((one) => one.training.value !== null && one.scoring.value !== null);
  const trained = known.filter((one) => !one.training.nothing);
  const doubtful = (figure) => figure.estimated || figure.disturbed;
  const isMeasured = !known.some((one) => doubtful(one.training) || doubtful(one.scoring));
  if (known.length > 1 && trained.length && isMeasured) {
    const first = trained.reduce((best, one) =>
      one.training.value < best.training.value ||
      (one.training.value === best.training.value && one.scoring.value < best.scoring.value)
        ? one
        : best,
    );
    rivals.set(`${first.label}, the cheapest to train`, first);
  }
  const servers = costs.filter((one) => one.isEndpoint);
  for (const one of servers) if (known.includes(one)) rivals.set(one.label, one);
  const pricesTokens = prices.price_in_per_million !== null || prices.price_out_per_million !== null;
  if (prices.api_per_million !== null && (!servers.length || pricesTokens)) {
    const api = { training: nothing(), scoring: given(prices.api_per_million) };
    rivals.set("the API", api);
  }
  return rivals;
}
