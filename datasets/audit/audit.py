"""What can be wrong with labelled comments, in numbers: copies, labels, lengths, languages, people.

Computed once for a prepared split and kept beside it. Numbers and ids of comments come out, texts
do not.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from worthit.datasets.audit import label_noise as noise
from worthit.datasets.audit import personal_data as personal
from worthit.datasets.cache import cache_folder, room_in_cache, write_whole

_VERSION = "1"
#: a comment counts as of another language from this confidence on, as in the protocol
_CONFIDENT = 0.8
_UNSURE = "unsure"


@dataclass(frozen=True)
class Side:
    """Comments of one side of the split."""

    comments: int
    counts: tuple[int, ...]  # of each class
    characters: tuple[int, int, int]  # 5th, 50th, 95th percentile of length
    median_characters: tuple[int, ...]  # of each class; 0 of one that has no comments
    repeated: int  # comments that nearly repeat an earlier one of this side
    languages: dict[str, int]  # ISO 639 code → comments, the commonest first
    personal: dict[
        str, int
    ]  # hint → comments that have one, see `worthit.datasets.audit.personal_data`


@dataclass(frozen=True)
class Trust:
    """Both sides, and what goes over from one to the other."""

    train: Side  # with its validation comments
    test: Side
    length_auc: float | None  # how well length alone tells two classes apart on the training side
    twins: tuple[str, ...]  # ids of comments tested on that nearly repeat one of the training side
    twins_other_label: int  # of them those whose label is another
    tested: int  # comments of both test sets, each once
    noise: noise.Noise


def examine(key: str) -> Trust:
    """Examine a prepared split, or read what was found the last time.

    Raises:
        DataError, CacheError: the comments cannot be read, or the result cannot be kept.
    """
    file = cache_folder("splits", key) / f"trust-{_VERSION}.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Trust)
    except (OSError, msgspec.DecodeError):
        found = _examined(key)
        with room_in_cache():
            write_whole(file, msgspec.json.encode(found))
        return found


def _examined(key: str) -> Trust:
    # What takes time to import is not needed to read what was found.
    from worthit.datasets import prepare
    from worthit.datasets.audit import near_duplicates

    train, validation, test, natural = (
        prepare.comments(key, part) for part in ("train", "validation", "test", "natural")
    )
    texts = (*train.texts, *validation.texts)
    labels = np.concatenate([train.labels, validation.labels]).astype(np.int64)
    tested = dict(zip((*test.texts, *natural.texts), (*test.labels, *natural.labels), strict=True))
    index = near_duplicates.Index(texts)
    twins = index.twins(tuple(tested))
    other = [
        labels[twin] != label
        for twin, label in zip(twins, tested.values(), strict=True)
        if twin >= 0
    ]
    tested_ids = prepare.comment_ids(tuple(tested))
    test_labels = test.labels.astype(np.int64)
    classes = int(max(labels.max(), test_labels.max())) + 1
    return Trust(
        train=_side(texts, labels, classes, index.repeated()),
        test=_side(test.texts, test_labels, classes, near_duplicates.Index(test.texts).repeated()),
        length_auc=_length_auc(texts, labels) if classes == 2 else None,
        twins=tuple(id_ for id_, twin in zip(tested_ids, twins, strict=True) if twin >= 0),
        twins_other_label=int(sum(other)),
        tested=len(tested),
        noise=noise.estimate(
            texts, labels, test.texts, test_labels, prepare.comment_ids(test.texts)
        ),
    )


def _side(texts: Sequence[str], labels: npt.NDArray[np.int64], classes: int, repeated: int) -> Side:
    characters = np.array([len(text) for text in texts])
    low, middle, high = np.percentile(characters, (5, 50, 95)).astype(int).tolist()
    by_class = [characters[labels == label] for label in range(classes)]
    return Side(
        comments=len(texts),
        counts=tuple(len(part) for part in by_class),
        characters=(low, middle, high),
        median_characters=tuple(int(np.median(part)) if len(part) else 0 for part in by_class),
        repeated=repeated,
        languages=_languages(texts),
        personal=personal.counted(texts),
    )


def _languages(texts: Sequence[str]) -> dict[str, int]:
    from worthit.datasets.language import identified

    def shown(code: str, foreign: float) -> str:
        return code if code == "en" or foreign >= _CONFIDENT else _UNSURE

    return dict(Counter(shown(*found) for found in identified(texts)).most_common())


def _length_auc(texts: Sequence[str], labels: npt.NDArray[np.int64]) -> float | None:
    """The chance that of two comments the one of class 1 is longer, ties half."""
    characters = np.array([len(text) for text in texts])
    longer, others = characters[labels == 1], np.sort(characters[labels == 0])
    if not len(longer) or not len(others):
        return None
    find = functools.partial(np.searchsorted, others, longer)
    return float((find(side="left") + find(side="right")).mean() / 2 / len(others))
