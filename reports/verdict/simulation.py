"""How often each answer of the verdict occurs, by simulation: the rule's operating characteristics.

`python -m worthit.reports.verdict.simulation` prints the tables of reports/README.md.

- Answers: an LLM and one rival that differ on 10 % of the comments; the true lead and the number of
  test comments vary. The answer is that on the standing of the two, without budgets and cascades.
- Coverage: how often the interval contains the true lead of the mean training, if the accuracies of
  trainings have the given standard deviation, and each model has the given number of seeds.
"""

import argparse

import numpy as np

from worthit.reports.analysis.leads import standing
from worthit.reports.options import DEFAULT_WORTHWHILE_POINTS
from worthit.reports.statistics.trainings import Numbers, Spread, of_shares, one_comment
from worthit.reports.text.format import percent
from worthit.reports.text.tables import tabulated

LEADS_POINTS = (0.0, 1.0, 2.0, 4.0)
COMMENTS = (500, 1_000, 2_000, 5_000)
SEEDS = ((1, 1), (1, 3), (3, 3), (5, 5))
DEVIATIONS_POINTS = (0.0, 0.5, 1.0, 2.0)
RUNS = 10_000
COVERAGE_RUNS = 2_000
#: share of the comments that exactly one of two models classifies correctly
DISCORDANT = 0.1
#: share of the comments on which a model's trainings differ from each other, in `coverage`
_UNCERTAIN = 0.2
_COVERAGE_COMMENTS = 500
_ANSWERS = ("practical", "too little data", "not worth it")


def answers(
    lead: float, comments: int, runs: int, worthwhile: float = DEFAULT_WORTHWHILE_POINTS / 100
) -> dict[str, float]:
    """The share of runs with each answer, for a true lead as a share.

    Raises:
        ValueError: the lead is larger than the share of comments on which the models differ.
    """
    if abs(lead) > DISCORDANT:
        raise ValueError(f"a lead of {lead} is impossible if {DISCORDANT} of the answers differ")
    rng = np.random.default_rng(0)
    only_llm, only_rival = (DISCORDANT + lead) / 2, (DISCORDANT - lead) / 2
    counts = rng.multinomial(comments, (only_llm, only_rival, 1 - DISCORDANT), runs)
    value = (counts[:, 0] - counts[:, 1]) / comments
    # The same as `of_shares` of the differences, from their counts.
    variance = ((counts[:, 0] + counts[:, 1]) / comments - value**2) / comments
    reach = Spread.of(variance + one_comment(comments), ()).reach
    answer = {"better": "practical", "undecided": "too little data"}
    found = [
        answer.get(standing(low, high, worthwhile), "not worth it")
        for low, high in zip(value - reach, value + reach, strict=True)
    ]
    return {answer: found.count(answer) / runs for answer in _ANSWERS}


def coverage(seeds: tuple[int, int], deviation: float, runs: int) -> float:
    """The share of runs whose interval contains the true lead, which is 0.

    Args:
        seeds: the number of trainings of both models.
        deviation: of the accuracies of trainings, as a share.
    """
    rng = np.random.default_rng(0)
    accuracies, means = [], []
    for trainings in seeds:
        correct = _correct(rng, trainings, deviation, runs)
        accuracies.append(correct.mean(axis=2).T)
        means.append(correct.mean(axis=1))
    value = accuracies[0].mean(axis=0) - accuracies[1].mean(axis=0)
    spread = Spread.of(of_shares(means[0] - means[1]), accuracies)
    return float((np.abs(value) <= spread.reach).mean())


def _correct(rng: np.random.Generator, trainings: int, deviation: float, runs: int) -> Numbers:
    """Which comments each training classifies correctly, shape (runs, trainings, comments)."""
    quality = rng.normal(0, deviation / _UNCERTAIN, (runs, trainings, 1))
    uncertain = rng.random((runs, 1, _COVERAGE_COMMENTS), np.float32) < _UNCERTAIN
    draws = rng.random((runs, trainings, _COVERAGE_COMMENTS), np.float32)
    return np.where(uncertain, draws < 0.5 + quality, True).astype(np.float64)


def answers_table(runs: int = RUNS) -> str:
    """How often each answer occurs, as a Markdown table."""
    body = [
        [
            f"{points:g}",
            *(
                " / ".join(
                    f"{100 * share:.0f}" for share in answers(points / 100, n, runs).values()
                )
                for n in COMMENTS
            ),
        ]
        for points in LEADS_POINTS
    ]
    return tabulated(["true lead, points", *(f"{n:,} comments" for n in COMMENTS)], body)


def coverage_table(runs: int = COVERAGE_RUNS) -> str:
    """How often the interval contains the true lead, as a Markdown table."""
    body = [
        [
            f"{points:g}",
            *(percent(coverage(seeds, points / 100, runs)) for seeds in SEEDS),
        ]
        for points in DEVIATIONS_POINTS
    ]
    headings = [" and ".join(map(str, seeds)) + " seeds" for seeds in SEEDS]
    return tabulated(["deviation of trainings, points", *headings], body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each answer (%(default)s)")
    runs = parser.parse_args().runs
    print(f"{' / '.join(_ANSWERS)}, in % of runs:\n\n{answers_table(runs)}\n")
    print(f"Share of the intervals that contain the true lead:\n\n{coverage_table()}")


if __name__ == "__main__":
    main()
