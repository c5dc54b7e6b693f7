"""Prepared comments as a record keeps them: ids, labels, votes and lengths, without the text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from worthit.bench.saved import record
from worthit.datasets import prepare
from worthit.datasets.splits.protocol import Step
from worthit.datasets.transfer import OtherSet


def part(comments: prepare.Comments, size: int) -> record.Part:
    """The first so many comments."""

    def known(values: Any) -> list[Any]:
        return [None if np.isnan(value) else round(float(value), 4) for value in values[:size]]

    raters = [None if value is None else int(value) for value in known(comments.raters)]
    return record.Part(
        ids=tuple(prepare.comment_ids(comments.texts[:size])),
        labels=tuple(int(label) for label in comments.labels[:size]),
        toxic_share=tuple(known(comments.toxic_share)),
        raters=tuple(raters),
        characters=tuple(len(text) for text in comments.texts[:size]),
    )


def steps(taken: Iterable[Step]) -> tuple[record.StepRecord, ...]:
    return tuple(
        record.StepRecord(step.name, step.comments, step.toxic, step.counts) for step in taken
    )


def other_set(other: OtherSet) -> record.OtherSet:
    comments = prepare.comments(other.key, "test")
    return record.OtherSet(
        name=other.name,
        title=other.title,
        citation=other.citation,
        fingerprint=other.fingerprint,
        split=other.key,
        classes=other.classes,
        taken_for=other.taken_for,
        same_label=other.same_label,
        warning=other.warning,
        steps=steps(other.steps),
        notes=other.notes,
        part=part(comments, len(comments)),
    )
