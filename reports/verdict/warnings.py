"""What to know before a verdict is believed."""

import numpy as np

from worthit.bench.saved.record import Run
from worthit.reports.text import class_names
from worthit.reports.text.format import percent

#: with fewer test comments, a difference between models is hardly ever shown
_FEW_TEST_COMMENTS = 100
_FEW_OF_A_CLASS = 10


def few_test_comments(run: Run) -> str:
    """A sentence on a small test set, or one with a handful of comments of a class; empty otherwise."""
    names = class_names.names(run.data)
    counts = np.bincount(run.data.test.labels, minlength=len(names))
    if counts.sum() < _FEW_TEST_COMMENTS:
        return (
            f"Warning: the test set has only {counts.sum():,} comments, so one answer more or less changes the "
            f"accuracy by {percent(1 / counts.sum())}; label at least {_FEW_TEST_COMMENTS} test comments."
        )
    rarest = int(counts.argmin())
    if len(names) == 2 and counts[rarest] < _FEW_OF_A_CLASS:
        return (
            f"Warning: only {counts[rarest]:,} of {counts.sum():,} test comments are {names[rarest]}, so figures on "
            "that class say little; label more of them."
        )
    return ""
