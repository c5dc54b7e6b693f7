"""Compares settings of a model at several sizes of the training set, on validation comments only.

    python -m worthit.bench.scripts.recipes bert epochs=1,2,4 --sizes 250,1000,4000 --results bert.jsonl

Each combination of settings is trained with several seeds. A seed draws the training comments, too,
so the spread covers both; all settings see the same draws, and the same validation comments. Results
are appended to a file: an interrupted comparison goes on, and several processes may share one file.
A trial is known by the settings it was given: after a changed default, use a new file.
The rule for epochs (`worthit.models.transformer.epochs`) comes from here.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from tabulate import tabulate

from worthit.bench import terminal
from worthit.datasets import prepare
from worthit.datasets.errors import DataError, OptionError, WorthitError
from worthit.datasets.prepare import Comments
from worthit.datasets.registry import parse
from worthit.datasets.splits.protocol import Protocol
from worthit.models.contract import Labels, Probabilities
from worthit.models.registry import model_class, settings

_SEEDS = 5


@dataclass(frozen=True)
class Trial:
    """One training: what it was given, and what it gave on the validation comments."""

    model: str
    dataset: str
    validation: int  # comments
    size: int  # training comments
    settings: dict[str, Any]  # that differ from the model's defaults
    seed: int
    accuracy: float
    roc_auc: float
    log_loss: float
    train_s: float
    train_cpu_s: float

    @property
    def group(self) -> tuple[int, int, str]:
        return self.size, self.validation, named(self.settings)


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE[,VALUE…]")
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--sizes", default="250,1000,4000", help="(%(default)s)", metavar="N,N…")
    parser.add_argument("--validation", type=int, default=1_000, help="(%(default)s)", metavar="N")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="(%(default)s)", metavar="K")
    parser.add_argument("--results", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--threads", type=int, help="of torch (its own choice)", metavar="N")
    try:
        _compare(parser.parse_args(arguments))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _compare(given: argparse.Namespace) -> None:
    if not model_class(given.model).trains:
        raise OptionError(f"{given.model} is not trained, so there is no recipe to compare")
    _require_usable(given)
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    prepared = prepare.prepare(given.dataset, Protocol())
    whole = prepare.comments(prepared.key, "train")
    sizes = _sizes(given.sizes, len(whole) - given.validation)
    dataset = parse(given.dataset).shown
    wanted = itertools.product(sizes, range(given.seeds), grid(given.settings))
    for size, seed, values in wanted:
        asked = (given.model, dataset, given.validation, size, values, seed)
        if asked in map(_asked, read(given.results)):
            continue
        trial = _train(asked, prepared.classes, whole)
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial)) + "\n")
        print(f"{size:>6,}  seed {seed}  {named(values)}: {trial.accuracy:.1%}, "
              f"AUC {trial.roc_auc:.4f}, {trial.train_cpu_s:.1f} core-s", flush=True)  # fmt: skip
    trials = [
        trial
        for trial in read(given.results)
        if (trial.model, trial.dataset) == (given.model, dataset)
    ]
    print("\n" + table(trials))


def _require_usable(given: argparse.Namespace) -> None:
    """Raise OptionError before the first training if a number is below 1, or the results have no place."""
    for name in ("validation", "seeds", "threads"):
        number = getattr(given, name)
        if number is not None and number < 1:
            raise OptionError(f"--{name} is {number}; it takes a number from 1 up")
    try:
        given.results.open("a", encoding="utf-8").close()
    except OSError as error:
        raise OptionError(
            f"--results {given.results} cannot be written ({error.strerror}); give another file"
        ) from error


def _sizes(given: str, most: int) -> list[int]:
    try:
        sizes = [int(size) for size in given.split(",")]
    except ValueError as error:
        raise OptionError(f"--sizes is {given!r}; it takes numbers, such as 250,1000") from error
    if max(sizes) > most:
        raise DataError(
            f"--sizes asks for {max(sizes):,} comments, but {most:,} remain beside those of "
            "--validation; give a smaller size"
        )
    return sizes


def _asked(trial: Trial) -> tuple[str, str, int, int, dict[str, Any], int]:
    return (
        *(trial.model, trial.dataset, trial.validation),
        *(trial.size, trial.settings, trial.seed),
    )


def _train(
    asked: tuple[str, str, int, int, dict[str, Any], int], classes: tuple[str, ...], whole: Comments
) -> Trial:
    name, _, validation, size, values, seed = asked
    rows = draw(whole.labels[:-validation], size, seed)
    model = model_class(name)(seed=seed, classes=classes)
    model.set_params(**settings(name) | values)
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit([whole.texts[row] for row in rows], whole.labels[rows])
    train_s, train_cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    scores = model.predict_proba(whole.texts[-validation:])
    quality = measure(scores, whole.labels[-validation:])
    return Trial(*asked, *quality, train_s=train_s, train_cpu_s=train_cpu_s)


def draw(labels: Labels, size: int, seed: int) -> np.ndarray:
    """Rows of `size` comments, drawn by a seed, with each class as common as in all; shape (size,).

    Raises:
        DataError: there are more classes than comments to draw.
    """
    everything = np.arange(len(labels))
    if size == len(labels):
        return everything
    try:
        rows, _ = train_test_split(everything, train_size=size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise DataError(f"{size:,} comments cannot be drawn by class: {error}") from error
    return np.asarray(rows)


def measure(scores: Probabilities, truth: Labels) -> tuple[float, float, float]:
    """Accuracy, ROC AUC (of more than two classes the mean of each against the rest), log loss."""
    classes = range(scores.shape[1])
    answers = scores.argmax(axis=1)
    ranked = scores[:, 1] if len(classes) == 2 else scores / scores.sum(axis=1, keepdims=True)
    return (
        float(accuracy_score(truth, answers)),
        float(roc_auc_score(truth, ranked, multi_class="ovr", labels=classes)),
        float(log_loss(truth, scores, labels=classes)),
    )


def table(trials: Iterable[Trial]) -> str:
    """Mean and standard deviation over seeds, by size, validation comments, and settings."""
    groups: dict[tuple[int, int, str], list[Trial]] = {}
    # Processes that share a file may train the same twice.
    for trial in {json.dumps(_asked(trial), sort_keys=True): trial for trial in trials}.values():
        groups.setdefault(trial.group, []).append(trial)
    rows = []
    for (size, validation, label), group in sorted(groups.items()):
        accuracies = _spread([trial.accuracy for trial in group])
        areas = _spread([trial.roc_auc for trial in group])
        loss = np.mean([trial.log_loss for trial in group])
        cpu_s = np.mean([trial.train_cpu_s for trial in group])
        rows.append(
            [
                *(f"{size:,}", f"{validation:,}", label, len(group)),
                *(accuracies, areas, f"{loss:.3f}", f"{cpu_s:,.1f}"),
            ]
        )
    headings = [
        *("comments", "validation", "settings", "seeds"),
        *("accuracy, %", "ROC AUC, %", "log loss", "core-s"),
    ]
    text: str = tabulate(rows, headings, disable_numparse=True)
    return text


def _spread(shares: Sequence[float]) -> str:
    """Mean and standard deviation in %; of a single share no deviation."""
    mean = f"{100 * np.mean(shares):.1f}"
    return f"{mean} ± {100 * np.std(shares, ddof=1):.1f}" if len(shares) > 1 else mean


def read(file: Path) -> list[Trial]:
    """The finished trials in a file of results; none if there is no file.

    Raises:
        DataError: a line is not a trial.
    """
    if not file.exists():
        return []
    try:
        return [msgspec.json.decode(line, type=Trial) for line in file.read_bytes().splitlines()]
    except msgspec.DecodeError as error:
        raise DataError(
            f"{file} has a line that is no trial ({error}); delete that line"
        ) from error


def named(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items()) or "defaults"


def grid(given: Sequence[str]) -> list[dict[str, Any]]:
    """All combinations of `NAME=VALUE,VALUE…`.

    Raises:
        OptionError: an item is not of this form.
    """
    axes = []
    for pair in given:
        name, _, values = pair.partition("=")
        if not values:
            raise OptionError(
                f"{pair!r} is not NAME=VALUE[,VALUE…]; try learning_rate=0.001,0.0005"
            )
        axes.append([(name, _value(value)) for value in values.split(",")])
    return [dict(combination) for combination in itertools.product(*axes)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
