"""Rates that an earlier run measured on this machine."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from worthit.bench.forecast import cost
from worthit.bench.forecast.cost import Rates, Work
from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.models.transformer import epochs

#: options that decide what a model is
_DECIDES = ("--preset", "--max-length", "--checkpoint")


def runs(folder: Path, fingerprint: str, options: Mapping[str, str]) -> list[tuple[str, Run]]:
    """Complete runs of this machine whose models are the same ones, newest first.

    Args:
        fingerprint: of this machine.
        options: flag → text, as this run saves them.
    """

    def decisive(options: Mapping[str, str]) -> dict[str, str]:
        return {flag: text for flag, text in options.items() if flag.startswith(_DECIDES)}

    files = sorted(folder.glob("*.json"), reverse=True)
    return [
        (name, run)
        for name, run in run_file.readable(files)
        if run.complete
        and "cluster_nodes" not in run.machine
        and run.machine.get("fingerprint") == fingerprint
        and decisive(run.options) == decisive(options)
    ]


def rates(
    runs: Iterable[tuple[str, Run]],
    model: str,
    device: str,
    work: Work,
    checkpoint: str | None = None,
) -> Rates | None:
    """The rates of a model in the first of these runs that measured it, for other comments.

    Args:
        checkpoint: its pretrained weights: which LLM a run chooses depends on what is cached. None: any.
    """
    for name, run in runs:
        for cell in run.cells:
            is_same = (cell.model, cell.device, cell.seed) == (model, device, 0)
            if is_same and _starts_from(cell, checkpoint):
                found = of_cell(name, run, cell, work)
                if found is not None:
                    return found
    return None


def _starts_from(cell: CellRecord, checkpoint: str | None) -> bool:
    """False if the record names other weights; of a folder it has the name only."""
    known = cell.setup and cell.setup.settings.get("checkpoint")
    if not known or checkpoint is None:
        return True
    path = Path(checkpoint)
    return bool(known == (path.name if path.is_absolute() else checkpoint))


def of_cell(name: str, run: Run, cell: CellRecord, work: Work) -> Rates | None:
    """What a saved cell took, scaled to other comments; None if it lacks a figure."""
    training, kind = cell.training, cell.setup.kind if cell.setup else None
    if not (
        training and cell.throughput and cell.memory and kind in ("classical", "encoder", "llm")
    ):
        return None
    per_s = cell.throughput.best.comments_per_s.value
    scoring_mb = cell.memory.peak_mb.value
    if not per_s or not scoring_mb:
        return None
    theirs = Work(
        train=training.comments,
        validation=len(run.data.validation.ids),
        scored=0,
        characters=read(run.data.train.characters),
        classes=len(run.data.classes),
        labels=len(run.data.classes) if run.data.multilabel else 0,
    )
    if theirs.labels != work.labels:
        return None
    return Rates(
        kind,
        train_s=_value(training.train_s) * _ratio(cell, theirs, work),
        choose_s=_value(training.choosing_s)
        * cost.asked(work.validation)
        / max(cost.asked(theirs.validation), 1),
        score_s=work.characters / read(run.data.test.characters) / per_s,
        training_mb=_value(training.memory.peak_mb),
        scoring_mb=scoring_mb,
        disk_mb=_value(training.disk_mb),
        run=name,
        processes=training.processes,
    )


def read(characters: Iterable[int]) -> float:
    """Mean number of characters that a model reads of a comment."""
    return float(np.mean([min(count, cost.CHARACTERS_READ) for count in characters] or [1]))


def _value(figure: Figure) -> float:
    return figure.value or 0.0


def _ratio(cell: CellRecord, theirs: Work, ours: Work) -> float:
    """How much longer training takes with our comments than with theirs."""
    assert cell.training is not None
    assert cell.setup is not None
    if not theirs.train:
        return 1.0
    if cell.model in cost.CLASSICAL:
        one, other = (cost.of_classical(cell.model, work).train_s for work in (theirs, ours))
        return other / one
    ratio = ours.train * ours.characters / (theirs.train * theirs.characters)
    settled = cell.training.settings.get("epochs")
    given = cell.setup.settings.get("epochs")
    if settled and given is None:
        ratio *= epochs.passes(ours.train, ours.classes) / settled
    return ratio
