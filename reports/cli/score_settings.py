"""What scoring on one machine and on a cluster have in common: settings, columns, messages."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from worthit.bench.saved.record import significant
from worthit.bench.saved.trained_models import TrainedModel
from worthit.datasets.cache import sha256_of, short_hash
from worthit.datasets.errors import OptionError
from worthit.datasets.formats import reading
from worthit.datasets.formats.reading import Reading
from worthit.models import registry
from worthit.models.cluster.model_files import identity
from worthit.reports.analysis.decisions import Choice
from worthit.reports.cli import saved_choice


@dataclass
class Count:
    rows: int = 0
    without_text: int = 0
    unanswered: int = 0  # by a server
    seconds: float = 0.0  # of scoring and writing, in this process


def given_reading(parsed: argparse.Namespace) -> Reading:
    return Reading(
        reading.encoding(parsed.encoding),
        reading.delimiter(parsed.delimiter),
        reading.columns(parsed.columns),
        parsed.sheet,
    )


def kept(parsed: argparse.Namespace) -> list[str]:
    return [name for name in parsed.keep.split(",") if name]


def empty_table(
    parsed: argparse.Namespace, trained: TrainedModel, extras: Sequence[str]
) -> dict[str, Any]:
    """The columns of the output, without rows.

    Raises:
        OptionError: two have the same name.
    """
    from worthit.models.scoring import chunks as scoring

    scores = scoring.score_types(trained.card.classes, multilabel=trained.card.multilabel)
    names = ("row", *extras, *scores)
    if clash := {*extras} & {"row", *scores}:
        raise OptionError(
            f"{min(clash)} is a column of the output; omit that of the input from --keep"
        )
    if len(set(names)) < len(names):
        raise OptionError(f"--keep {parsed.keep} names a column twice; name it once")
    types = {"row": pa.int64(), **scores}
    return {name: pa.array([], types.get(name, pa.string())) for name in names}


def begun_with(
    parsed: argparse.Namespace,
    trained: TrainedModel,
    choice: Choice | None,
    text_column: str,
    extras: Sequence[str],
) -> dict[str, str]:
    """The model and the settings that an output depends on, for people."""
    name = trained.card.model
    model = f"{name} {identity(trained.folder)}"
    if registry.is_user_code(name):
        from worthit.models import user_model

        registry.model_class(name)  # imports it
        model += f" with the code {short_hash(*map(sha256_of, user_model.source_files(name)))}"
    return {
        "the model": model,
        "calibration and threshold": str(choice),
        "--device": parsed.device,
        "--batch-size": str(parsed.batch_size),
        "--input-format": str(parsed.input_format),
        reading.ENCODING: str(parsed.encoding),
        reading.DELIMITER: str(parsed.delimiter),
        reading.COLUMNS: str(parsed.columns),
        reading.SHEET: str(parsed.sheet),
        "--text-column": text_column,
        "--keep": ",".join(extras),
    }


def progress_bar(*, knows_end: bool) -> Any:
    """A bar of 100 percent on a terminal, or a line with the time if the end is unknown."""
    return tqdm(
        total=100,
        bar_format="{percentage:3.0f}% {bar} {elapsed}, {remaining} left{postfix}"
        if knows_end
        else "{elapsed}{postfix}",
        disable=not sys.stderr.isatty(),
        ncols=78,
        leave=False,
    )


def summary(title: str, count: Count, how: str = "") -> str:
    """What was done, in one line.

    Args:
        how: more on the time it took.
    """
    without = f"; {count.without_text:,} without text have no score" if count.without_text else ""
    if count.unanswered:
        without += f"; {count.unanswered:,} without an answer have no score"
    rate = f", {significant(count.rows / count.seconds)} rows/s" if count.rows else ""
    return f"{title} scored {count.rows:,} rows in {count.seconds:,.1f} s{rate}{how}{without}"


def described(choice: Choice | None, trained: TrainedModel) -> str:
    card = trained.card
    return saved_choice.described(choice, card.classes, multilabel=card.multilabel)


def with_hint(message: str, hint: str) -> str:
    return f"{message}; {hint}" if hint else message


def say(text: str) -> None:
    print(f"worthit: {text}", file=sys.stderr)


def is_path(given: str | None) -> bool:
    """True if an option names something on this machine."""
    return given is not None and Path(given).expanduser().exists()
