"""Compares the estimate of wrong labels with the truth, on synthetic data with known noise.

`python -m worthit.datasets.audit.noise_calibration` prints a line for each set that gets an estimate, and how
many are further off than a factor of 1.5 and 1 point. `label_noise` has the result. It takes minutes.
"""

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.datasets.audit.label_noise import estimate

FACTOR, POINT = 1.5, 0.01
RATES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
_COMMON_WORDS, _WORDS_OF_CLASS, _MEAN_LENGTH, _SHORTEST = 1500, 12, 12, 3

_Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Kind:
    """How hard a set is."""

    typical: float  # share of words that are typical of a class
    shared: float = 0.0  # share of these that are of any class
    without: float = 0.0  # share of comments without typical words
    rare: float = 1.0  # comments of each class but the first, in comments of the first


SIZES = ((500, 2), (2000, 2), (2000, 5), (3000, 30))
KINDS = (
    Kind(0.6), Kind(0.3), Kind(0.15), Kind(0.1), Kind(0.4, 0.4), Kind(0.4, 0.5), Kind(0.5, 0.7),
    Kind(0.6, 0, 0.1), Kind(0.6, 0, 0.25), Kind(0.6, 0.3, 0.05), Kind(0.2, 0, 0.05),
    Kind(0.4, rare=0.15), Kind(0.3, 0.3, rare=0.15),
)  # fmt: skip


def clean(kind: Kind, comments: int, classes: int, seed: int) -> tuple[list[str], _Labels]:
    """Comments with right labels."""
    rng = np.random.default_rng(seed)
    shares = np.where(np.arange(classes) > 0, kind.rare, 1.0)
    labels = rng.choice(classes, comments, p=shares / shares.sum())
    frequencies = 1 / np.arange(1, _COMMON_WORDS + 1)

    def text(label: int) -> str:
        size = max(_SHORTEST, int(rng.poisson(_MEAN_LENGTH)))
        common = rng.choice(_COMMON_WORDS, size, p=frequencies / frequencies.sum())
        of = np.where(rng.random(size) < kind.shared, rng.integers(classes, size=size), label)
        is_typical = rng.random(size) < kind.typical * (rng.random() >= kind.without)
        number = rng.integers(_WORDS_OF_CLASS, size=size)
        return " ".join(
            f"t{of[i]}x{number[i]}" if is_typical[i] else f"c{common[i]}" for i in range(size)
        )

    return [text(int(label)) for label in labels], labels


def changed(labels: _Labels, classes: int, rate: float, seed: int, *, by_class: bool) -> _Labels:
    """The labels with about this share of wrong ones.

    Args:
        by_class: only every other class has wrong labels, twice as many, all of the next class.
    """
    rng = np.random.default_rng(seed)
    if by_class:
        wrong = rng.random(len(labels)) < np.where(labels % 2 == 0, 2 * rate, 0)
        return np.where(wrong, (labels + 1) % classes, labels)
    wrong = rng.random(len(labels)) < rate
    others = (labels + rng.integers(1, classes, size=len(labels))) % classes
    return np.where(wrong, others, labels)


def is_close(found: float, true: float) -> bool:
    """True if an estimated share is within the promised factor, or 1 point."""
    return abs(found - true) <= POINT or true / FACTOR <= found <= true * FACTOR


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic data (%(default)s)")
    seed = parser.parse_args().seed
    sets = shown = off = 0
    for (comments, classes), kind, rate, by_class in itertools.product(
        SIZES, KINDS, RATES, (False, True)
    ):
        texts, truth = clean(kind, comments, classes, seed)
        labels = changed(truth, classes, rate, seed + 1, by_class=by_class)
        noise = estimate(texts, labels, texts[:50], labels[:50], [""] * 50)
        sets += 1
        if noise.train is None:
            continue
        found, true = noise.train / comments, float((labels != truth).mean())
        shown, off = shown + 1, off + (not is_close(found, true))
        print(
            f"{comments:,} comments, {classes} classes, {kind}: true {true:.1%}, estimated {found:.1%}"
        )
    print(f"{sets} sets, {shown} with an estimate, {off} of these too far off")


if __name__ == "__main__":
    main()
