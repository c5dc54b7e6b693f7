"""The calibration and threshold that `score` applies: of the model's run, or of its exported folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import significant
from worthit.bench.saved.trained_models import TrainedModel
from worthit.datasets.errors import OptionError, RunError, listed
from worthit.models.contract import Probabilities
from worthit.models.scoring.chunks import Decide, own_answers, own_labels
from worthit.reports.analysis import decisions
from worthit.reports.analysis.decisions import Choice
from worthit.reports.analysis.objective import (
    COST_FALSE_ALARM,
    COST_MISS,
    OBJECTIVE,
    RECALL,
    Objective,
    require_suitable,
)
from worthit.reports.text.class_names import worded
from worthit.reports.text.format import percent

#: files of an exported folder, beside the model's card
FILE = "decision.json"
INPUT_FILE = "input.json"
_LABELS = 12  # named with their thresholds


@dataclass(frozen=True)
class _Input:
    """The table that a model was trained on."""

    text_column: str


def of(trained: TrainedModel, given: Mapping[str, str]) -> Choice | None:
    """The choice for a trained model; None if nothing was chosen for it.

    Args:
        given: flag → text of `options.CHOICES`; they replace those of the run. Costs without an objective
            choose for cost.

    Raises:
        OptionError: a folder has no validation comments to choose by, an option needs two classes, or a recall
            has no effect.
        RunError: the file of a folder is damaged.
    """
    if trained.run is None or trained.cell is None:
        if given:
            raise OptionError(
                f"{trained.folder} has no validation comments to choose by; give {', '.join(given)} with "
                "RUN:MODEL, or when exporting"
            )
        card = trained.card
        return _read(trained.folder / FILE, len(card.classes), multilabel=card.multilabel)
    if trained.cell.quality is None:
        return None
    data = trained.run.data
    require_suitable(len(data.classes), multilabel=data.multilabel, given=given)
    if OBJECTIVE not in given and {COST_MISS, COST_FALSE_ALARM} & given.keys():
        given = {**given, OBJECTIVE: "cost"}
    run = replace(trained.run, options={**trained.run.options, **given})
    objective = Objective.of(run)
    if RECALL in given and objective.name != "recall":
        raise OptionError(
            f"{RECALL} changes no answer that is chosen for {objective.name}; add {OBJECTIVE} recall"
        )
    choice = decisions.choose(run, trained.cell, objective)
    return choice if choice.comments or choice.changes_scores else None


def text_column(trained: TrainedModel) -> str | None:
    """The text column of the table that a model was trained on; None if that is unknown.

    Raises:
        RunError: the file of a folder is damaged.
    """
    if trained.run is not None:
        return trained.run.data.text_column
    file = trained.folder / INPUT_FILE
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Input).text_column
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(f"{file} is damaged; export the model again, or delete that file") from error


def files(choice: Choice | None, trained: TrainedModel) -> dict[str, bytes]:
    """What an exported folder holds besides the model: name → content."""
    column = text_column(trained)
    contents = {FILE: choice, INPUT_FILE: None if column is None else _Input(column)}
    return {
        name: msgspec.json.format(msgspec.json.encode(content))
        for name, content in contents.items()
        if content is not None
    }


def _read(file: Path, classes: int, *, multilabel: bool = False) -> Choice | None:
    if not file.is_file():
        return None
    try:
        choice = msgspec.json.decode(file.read_bytes(), type=Choice)
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(
            f"{file} is damaged; export the model again, or give --raw for its own scores"
        ) from error
    by_label = choice.by_label
    fits = _fits(choice, classes) and not by_label
    if multilabel:
        fits = len(by_label) == classes and all(_fits(each, 2) for each in by_label)
    if not fits:
        raise RunError(f"{file} is for another number of classes; export the model again")
    return choice


def _fits(choice: Choice, classes: int) -> bool:
    calibration = choice.calibration
    lengths = {len(each) for each in (
        choice.shares, choice.offsets, calibration.biases, calibration.prior
    )}  # fmt: skip
    return lengths <= {0, classes}


def applied(choice: Choice | None, *, multilabel: bool = False) -> Decide:
    """Calibrated scores and chosen answers; without a choice the model's own."""
    if choice is None:
        return own_labels if multilabel else own_answers

    def decide(probabilities: Probabilities) -> tuple[Probabilities, npt.NDArray[np.int64]]:
        if multilabel:
            passes = choice.decided(probabilities) >= 0.5
            return choice.calibrated(probabilities), passes.astype(np.int64)
        of_two = probabilities.shape[1] == 2
        own = probabilities[:, 1] if of_two else probabilities
        scores, decided = choice.calibrated(own), choice.decided(own)
        if of_two:
            return np.stack([1 - scores, scores], axis=1), (decided >= 0.5).astype(np.int64)
        return scores, decided.argmax(axis=1)

    return decide


def described(choice: Choice | None, classes: Sequence[str], *, multilabel: bool = False) -> str:
    """What is applied, in one line."""
    if choice is None and multilabel:
        return "scores are the model's own; predicted are the labels from 0.5 on"
    if choice is not None and multilabel:
        return _described_labels(choice, classes)
    if choice is None:
        return "scores are the model's own, with the answer of its highest one"
    method = choice.calibration.method
    how = f"calibrated ({method})"
    if method == "raw":
        how = "the model's own (no calibration is shown to be better)"
        if choice.calibration.prior:
            how = "corrected for class weights"
    by = f"chosen for {choice.objective} on {choice.comments:,} validation comments"
    if not choice.comments:
        by = "not chosen: there are too few validation comments"
    if len(classes) != 2:
        by = by if choice.comments else "the highest one"
        return f"scores are {how}; predicted is {by}; --raw gives the model's own"
    positive = worded(classes[1])
    return (
        f"scores are {how}, for comments of which {percent(choice.shares[1])} are {positive}; predicted "
        f"{positive} from {significant(float(f'{choice.threshold:.3g}'))} on, {by}; --raw gives the model's own"
    )


def _described_labels(choice: Choice, classes: Sequence[str]) -> str:
    """What is applied to several labels, in one line."""
    calibrated = sum(each.calibration.method != "raw" for each in choice.by_label)
    how = (
        f"calibrated for {calibrated} of {len(classes)} labels" if calibrated else "the model's own"
    )
    if not calibrated and choice.changes_scores and not choice.comments:
        how = "corrected for class weights"
    thresholds = [
        f"{name} from {significant(float(f'{each.threshold:.3g}'))}"
        for name, each in zip(classes, choice.by_label, strict=True)
    ]
    by = f"chosen for {choice.objective} on {choice.comments:,} validation comments"
    if not choice.comments:
        by = "not chosen: there are too few validation comments"
    return f"scores are {how}; predicted are {listed(thresholds, _LABELS)} on, {by}; --raw gives the model's own"
