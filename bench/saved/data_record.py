"""Prepared data as a run holds it: ids, labels, votes and lengths of comments, without their text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from worthit.bench.saved.data import Data, OutOfDomainData, Part
from worthit.datasets import prepare
from worthit.datasets.audit.audit import Audit
from worthit.datasets.splits.manifest import PARTS, OutOfDomainSet, Prepared


def data(prepared: Prepared, out_of_domain: Iterable[OutOfDomainSet], audit: Audit) -> Data:
    train, test, natural, validation = (prepare.comments(prepared.key, name) for name in PARTS)
    return Data(
        **vars(prepared),
        train=part(train, len(test)),  # training accuracy is of as many comments as test accuracy
        test=part(test),
        natural=part(natural),
        validation=part(validation),
        out_of_domain=tuple(map(out_of_domain_data, out_of_domain)),
        audit=audit,
    )


def out_of_domain_data(other: OutOfDomainSet) -> OutOfDomainData:
    return OutOfDomainData(**vars(other), part=part(prepare.comments(other.key, "test")))


def part(comments: prepare.Comments, most: int | None = None) -> Part:
    """The first `most` comments, or all."""

    def known(values: Any) -> list[float | None]:
        return [None if np.isnan(value) else round(float(value), 4) for value in values[:most]]

    return Part(
        ids=tuple(prepare.comment_ids(comments.texts[:most])),
        labels=tuple(comments.labels[:most].ravel().tolist()),
        toxic_share=tuple(known(comments.toxic_share)),
        raters=tuple(None if value is None else int(value) for value in known(comments.raters)),
        characters=tuple(map(len, comments.texts[:most])),
    )
