"""Several hundred classes, and what balancing them leaves out."""

from pathlib import Path

import numpy as np
import pytest

from worthit.datasets import prepare
from worthit.datasets.classes import MOST_CLASSES
from worthit.datasets.errors import DataError
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables import labels
from worthit.datasets.tables.columns import Choices


def values(kinds: int, each: int = 3) -> list[str]:
    return [f"intent {number}" for number in range(kinds)] * each


def table(folder: Path, counts: dict[str, int]) -> str:
    rows = [f"comment {i} of kind {kind},{kind}" for kind, n in counts.items() for i in range(n)]
    path = folder / "mine.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    return str(path)


def test_151_classes_are_prepared_with_comments_of_each_on_both_sides(tmp_path: Path) -> None:
    made = prepare.prepare(table(tmp_path, {f"intent{i}": 20 for i in range(151)}), Protocol())
    assert len(made.classes) == 151
    for part in ("train", "test"):
        found = prepare.comments(made.key, part)
        assert found.labels.dtype == np.int16
        assert set(found.labels.tolist()) == set(range(151))
        of = [text.rpartition(" ")[2] for text in found.texts]
        assert of == [made.classes[label] for label in found.labels]


def test_the_limit_is_on_classes_after_the_rest_is_merged() -> None:
    assert len(labels.to_classes(values(MOST_CLASSES), "label", None, "mine.csv").classes) == 500
    too_many = values(MOST_CLASSES + 1)
    with pytest.raises(DataError) as caught:
        labels.to_classes(too_many, "label", None, "mine.csv")
    assert str(caught.value) == (
        "the column label of mine.csv has 501 different values, the limit is 500 classes; name another with "
        "--label-column, group its values into classes, or compare one with the rest (--positive-label CLASS)"
    )
    merged = labels.to_classes(too_many, "label", "intent 7", "mine.csv")
    assert merged.classes == ("not intent 7", "intent 7")
    assert np.flatnonzero(merged.indices).tolist() == [7, 508, 1009]


def note(folder: Path, counts: dict[str, int], protocol: Protocol) -> str:
    return balance_note(prepare.prepare(table(folder, counts), protocol).notes)


def balance_note(notes: tuple[str, ...]) -> str:
    (found,) = (
        one for one in notes if one.startswith(("balanced:", "not balanced:", "class weights:"))
    )
    return found


def test_balancing_says_how_many_comments_it_leaves_out(tmp_path: Path) -> None:
    assert note(tmp_path, {"no": 300, "yes": 60}, Protocol()) == (
        "balanced: 240 of 300 comments of the class no are left out, for as many of each class as of the "
        "rarer class (--balance weights or --no-balance keeps all)"
    )
    three = {"a": 80, "b": 40, "c": 20}
    assert note(tmp_path, three, Protocol(balance=True)).startswith(
        "balanced: 80 of 140 comments are left out, for as many of each class as of the rarest class ("
    )
    assert (
        note(tmp_path, {"no": 60, "yes": 60}, Protocol())
        == "balanced: no comment is left out for it"
    )


def test_class_weights_keep_all_comments_and_the_classes_own_shares(tmp_path: Path) -> None:
    counts = {"no": 300, "yes": 60}
    path = table(tmp_path, counts)
    made = prepare.prepare(path, Protocol(weights=True))
    plain = prepare.prepare(path, Protocol(balance=False), Choices())
    assert (made.weighted, made.balanced, plain.weighted) == (True, False, False)
    assert made.steps == plain.steps
    assert made.key != plain.key  # so a model trained with weights is another artifact
    assert balance_note(made.notes) == (
        "class weights: training counts each class the same, and no comment is left out to balance them"
    )
