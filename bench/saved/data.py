"""The data of a run as it is saved: the prepared split with its comments, without their text."""

from dataclasses import dataclass

from worthit.datasets.audit.audit import Audit
from worthit.datasets.splits.manifest import Count, OutOfDomainSet, Prepared, Share


@dataclass(frozen=True)
class Part:
    """The comments of one part of the split, without their text."""

    ids: tuple[str, ...]
    #: class index of each comment; of multi-label data a matrix (comments, labels) of 0 and 1, row by row
    labels: tuple[Count, ...]
    toxic_share: tuple[Share | None, ...]
    raters: tuple[Count | None, ...]
    characters: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class OutOfDomainData(OutOfDomainSet):
    """An out-of-domain test set with its comments; labels are in-domain classes."""

    part: Part


@dataclass(frozen=True, kw_only=True)
class Data(Prepared):
    """The prepared split with the comments that models were scored on."""

    train: Part  # the head of the training side, on which training accuracy is measured
    test: Part
    natural: Part
    validation: Part  # from the training side, never trained on
    out_of_domain: tuple[OutOfDomainData, ...]
    audit: Audit

    @property
    def test_set(self) -> str:
        """What to call the test part."""
        return "balanced test set" if self.balanced else "test set"

    @property
    def usable(self) -> int:
        """Comments of both sides, before any is left out for the run's size."""
        return self.step("balanced" if self.balanced else "without duplicates").comments
