"""What calibration and threshold gain and lose in accuracy, by simulation.

`python -m worthit.reports.verdict.calibration_simulation` prints the table of reports/README.md. Scores of
the two classes, of equal size, are normally distributed at a distance that gives the ROC AUC. The model's own
log-odds are the right ones times a scale, plus a shift. Accuracy is exact, not of drawn test comments.
"""

import argparse
from statistics import NormalDist

import numpy as np

from worthit.reports.statistics import calibration
from worthit.reports.text.format import percent
from worthit.reports.text.tables import tabulated

#: what the model is like → (ROC AUC, scale, shift of its log-odds)
MODELS = {
    "good, calibrated": (0.97, 1.0, 0.0),
    "good, slightly overconfident": (0.97, 1.3, 0.3),
    "good, slightly underconfident": (0.97, 0.7, -0.2),
    "good, shifted": (0.97, 1.0, 1.0),
    "weak, almost always positive": (0.875, 0.6, 3.0),
}
VALIDATION = (100, 500)
RUNS = 300
WORSE = 0.005  # a loss of accuracy that counts


def gains(model: tuple[float, float, float], comments: int, runs: int) -> np.ndarray:
    """The gain in accuracy over the model's own answers in each run, as a share, shape (runs,)."""
    auc, scale, shift = model
    distance = NormalDist().inv_cdf(auc) * 2**0.5
    rng = np.random.default_rng(0)
    labels = (np.arange(comments) < comments // 2).astype(np.int64)
    raw = _accuracy(distance, -shift / (scale * distance))
    found = []
    for _ in range(runs):
        right = distance * (rng.normal(0, 1, comments) + distance * (labels - 0.5))
        own = np.round(1 / (1 + np.exp(-scale * right - shift)), 6)
        of = calibration.calibrate(own, labels)
        first, second = of.biases or (0.0, 0.0)
        threshold = (first - second) / of.scale  # of the model's own log-odds
        found.append(_accuracy(distance, (threshold - shift) / (scale * distance)) - raw)
    return np.asarray(found)


def _accuracy(distance: float, threshold: float) -> float:
    normal = NormalDist()
    return (normal.cdf(distance / 2 - threshold) + normal.cdf(distance / 2 + threshold)) / 2


def table(runs: int = RUNS) -> str:
    """Mean gain in points, and how often more than `WORSE` is lost, as a Markdown table."""
    body = []
    for name, model in MODELS.items():
        row = [name]
        for comments in VALIDATION:
            found = gains(model, comments, runs)
            row += [f"{100 * found.mean():+z.2f}", percent(float((found < -WORSE).mean()))]
        body.append(row)
    headings = [
        text
        for comments in VALIDATION
        for text in (f"gain, {comments} comments", f"over {100 * WORSE:g} points lost")
    ]
    return tabulated(["model", *headings], body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each row (%(default)s)")
    print(table(parser.parse_args().runs))


if __name__ == "__main__":
    main()
