"""Tries settings of a model on a validation part of the training side, without the test side.

    python -m worthit.bench.scripts.tune llama learning_rate=0.001,0.0005 adapted_share=0.5,1.0

Every combination is trained on the same comments, and scored on the same validation comments. Most
models' default settings come from here; those of `lsa` and `word2vec` are the reference experiment's.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from sklearn.metrics import roc_auc_score
from tabulate import tabulate
from tqdm import tqdm

from worthit.bench.cells import trials
from worthit.datasets import prepare
from worthit.datasets.errors import DataError, OptionError, WorthitError
from worthit.datasets.splits.protocol import Protocol
from worthit.models.contract import Labels, Probabilities
from worthit.models.registry import model_class, settings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Try settings on a validation part of the training side."
    )
    parser.add_argument("model")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE[,VALUE…]")
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--train-size", type=int, default=1_000, metavar="N", help="(%(default)s)")
    parser.add_argument(
        "--validation-size", type=int, default=1_000, metavar="N", help="(%(default)s)"
    )
    parser.add_argument("--device", default="cpu", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    try:
        _tune(parser.parse_args(arguments))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _tune(parsed: argparse.Namespace) -> None:
    kind, grid = model_class(parsed.model), _grid(parsed.settings)
    prepared = prepare.prepare(parsed.dataset, Protocol())
    whole = prepare.comments(prepared.key, "train")
    size, validation = parsed.train_size, parsed.validation_size
    if size < 2 or validation < 2:
        raise OptionError("--train-size and --validation-size take numbers of comments from 2 up")
    if size + validation > len(whole):
        raise DataError(
            f"--train-size {size:,} and --validation-size {validation:,} need more than the "
            f"{len(whole):,} comments of the training side; give smaller sizes"
        )
    rows = []
    for values in grid:
        model = kind(device=parsed.device, seed=parsed.seed, classes=prepared.classes)
        model.set_params(**settings(parsed.model) | values)
        label = " ".join(f"{name}={value}" for name, value in values.items()) or "defaults"
        with tqdm(total=size, desc=label, unit=" comments", ncols=78, leave=False) as bar:
            scored = trials.train_and_score(
                model,
                whole.texts[:size],
                whole.labels[:size],
                whole.texts[-validation:],
                partial(_advance, bar),
            )
        truth = whole.labels[-validation:]
        accuracy = trials.judge(scored.scores, truth, "accuracy").value
        auc = _roc_auc(scored.scores, truth)
        rows.append([label, f"{accuracy:.1%}", f"{auc:.4f}", f"{scored.training_s:.1f}"])
        print("  ".join(rows[-1]), flush=True)
    print()
    print(
        tabulate(rows, [parsed.model, "accuracy", "ROC AUC", "training, s"], disable_numparse=True)
    )


def _roc_auc(scores: Probabilities, truth: Labels) -> float:
    """ROC AUC; for more than two classes, the mean of each class against the rest."""
    if scores.shape[1] == 2:
        return float(roc_auc_score(truth, scores[:, 1]))
    classes = range(scores.shape[1])
    return float(roc_auc_score(truth, scores, multi_class="ovr", labels=classes))


def _advance(bar: "tqdm[Any]", done: int, total: int) -> None:
    bar.update(done * bar.total / total - bar.n)  # one bar for all epochs


def _grid(given: Sequence[str]) -> list[dict[str, Any]]:
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
