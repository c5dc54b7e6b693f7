"""Known weaknesses of labelled comments, in numbers: near-duplicates, wrong labels, lengths, languages,
personal data.

Computed once for each prepared split and cached beside it. It holds counts and comment ids, no texts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from worthit.datasets.audit import personal_data
from worthit.datasets.audit.label_noise import LabelNoise, estimate
from worthit.datasets.cache import cache_folder, room_in_cache, write_whole
from worthit.datasets.splits.manifest import Count, Share

_VERSION = "2"
#: a comment counts as foreign from this confidence on, as in the protocol
_CONFIDENT = 0.8
_UNSURE = "unsure"
#: from this share of comments in other languages on, weights for one language are no fair judge
FOREIGN = 0.25
_SEVERAL_LABELS = "the method is for comments of one class each, and these have several labels"
_FEWEST_KNOWN = 0.05  # share of comments with a known language


@dataclass(frozen=True)
class SideAudit:
    """Comments of one side of the split."""

    comments: Annotated[int, msgspec.Meta(ge=1)]
    counts: tuple[Count, ...]  # of each class
    characters: tuple[Count, Count, Count]  # 5th, 50th, 95th percentile of length
    median_characters: tuple[Count, ...]  # of each class; 0 for a class without comments
    repeated: Count  # near-duplicates of an earlier comment of this side
    #: ISO 639 code → comments, the most frequent first
    languages: Annotated[dict[str, Count], msgspec.Meta(min_length=1)]
    personal_data: dict[str, Count]  # hint (see `personal_data.HINTS`) → comments with it

    @property
    def known_languages(self) -> dict[str, int]:
        """Language → comments, without those whose language is not known; empty if these are nearly all."""
        known = {code: count for code, count in self.languages.items() if code not in ("", _UNSURE)}
        return known if sum(known.values()) >= _FEWEST_KNOWN * self.comments else {}

    def share_outside(self, languages: Sequence[str]) -> float:
        """The share of comments in other languages than these, of those whose language is known."""
        known = self.known_languages
        outside = sum(count for code, count in known.items() if code not in languages)
        return outside / sum(known.values()) if known else 0.0


@dataclass(frozen=True)
class NearDuplicates:
    """Test comments, of both test sets, that nearly repeat a comment of the training side."""

    ids: tuple[str, ...]
    other_label: Count  # those whose label differs from that of the training comment
    examined: Annotated[int, msgspec.Meta(ge=1)]  # distinct test comments
    method: str


@dataclass(frozen=True)
class Audit:
    """Both sides, and what they share."""

    train: SideAudit  # with its validation comments
    test: SideAudit
    near_duplicates: NearDuplicates
    label_noise: LabelNoise
    length_auc: Share | None  # ROC AUC of length alone on the training side; None: not two classes

    def summary(self) -> str:
        """What to know before hours are spent, in one line."""
        copies = self.near_duplicates
        line = f"{len(copies.ids):,} of {copies.examined:,} test comments nearly repeat a training comment"
        noise = self.label_noise
        if noise.train is None or noise.unquestioned_accuracy is None:
            return f"{line}; the share of wrong labels cannot be estimated: {noise.reason}"
        share = 100 * noise.train / self.train.comments
        return (
            f"{line}; ≈{share:.0f} % of the training labels look wrong to a model that classifies "
            f"{100 * noise.unquestioned_accuracy:.0f} % of the others correctly"
        )


def examine(key: str) -> Audit:
    """Examine a prepared split, or read the cached result.

    Raises:
        DataError, CacheError: the comments cannot be read, or the result cannot be cached.
    """
    file = cache_folder("splits", key) / f"audit-{_VERSION}.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Audit)
    except (OSError, msgspec.DecodeError):
        audit = _examine(key)
        with room_in_cache():
            write_whole(file, msgspec.json.encode(audit))
        return audit


def _examine(key: str) -> Audit:
    # Slow imports, which a cached result does not need.
    from worthit.datasets import prepare
    from worthit.datasets.audit import near_duplicates

    train, validation, test, natural = (
        prepare.comments(key, part) for part in ("train", "validation", "test", "natural")
    )
    texts = (*train.texts, *validation.texts)
    labels = np.concatenate([train.labels, validation.labels]).astype(np.int64)
    multilabel = labels.ndim == 2
    tested = dict(zip((*test.texts, *natural.texts), (*test.labels, *natural.labels), strict=True))
    index = near_duplicates.Index(texts)
    closest = np.array(index.closest(tuple(tested)))
    copies = closest >= 0
    ids = np.array(prepare.comment_ids(tuple(tested)))
    test_labels = test.labels.astype(np.int64)
    classes = labels.shape[1] if multilabel else int(max(labels.max(), test_labels.max())) + 1
    differs = (labels[closest] != np.array([*tested.values()])).reshape(len(tested), -1).any(axis=1)
    return Audit(
        train=_side(texts, labels, classes, index.repeated()),
        test=_side(test.texts, test_labels, classes, near_duplicates.Index(test.texts).repeated()),
        near_duplicates=NearDuplicates(
            ids=tuple(ids[copies].tolist()),
            other_label=int(differs[copies].sum()),
            examined=len(tested),
            method=near_duplicates.METHOD,
        ),
        label_noise=LabelNoise(None, reason=_SEVERAL_LABELS)
        if multilabel
        else estimate(texts, labels, test.texts, test_labels, prepare.comment_ids(test.texts)),
        length_auc=_length_auc(texts, labels) if classes == 2 and not multilabel else None,
    )


def _side(
    texts: Sequence[str], labels: npt.NDArray[np.int64], classes: int, repeated: int
) -> SideAudit:
    characters = np.array([len(text) for text in texts])
    low, middle, high = np.percentile(characters, (5, 50, 95)).astype(int).tolist()
    has = labels == 1 if labels.ndim == 2 else labels[:, None] == np.arange(classes)
    by_class = [characters[of_class] for of_class in has.T]
    return SideAudit(
        comments=len(texts),
        counts=tuple(len(part) for part in by_class),
        characters=(low, middle, high),
        median_characters=tuple(int(np.median(part)) if len(part) else 0 for part in by_class),
        repeated=repeated,
        languages=_count_languages(texts),
        personal_data=personal_data.count(texts),
    )


def _count_languages(texts: Sequence[str]) -> dict[str, int]:
    from worthit.datasets.language import identified

    codes = (
        code if code == "en" or foreign >= _CONFIDENT else _UNSURE
        for code, foreign in identified(texts)
    )
    return dict(Counter(codes).most_common())


def _length_auc(texts: Sequence[str], labels: npt.NDArray[np.int64]) -> float | None:
    """The probability that a comment of class 1 is longer than one of class 0; ties count half."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(labels)) < 2:
        return None
    return float(roc_auc_score(labels, [len(text) for text in texts]))
