"""What to know before a verdict is believed."""

import numpy as np

from worthit.bench.saved.record import Run
from worthit.datasets.splits.manifest import FEW_OF_A_CLASS, FEW_TEST_COMMENTS
from worthit.reports.text import class_names
from worthit.reports.text.format import percent


def few_test_comments(run: Run) -> str:
    """A sentence on a small test set, or one with a handful of comments of a class; empty otherwise."""
    names = class_names.names(run.data)
    counts = np.bincount(run.data.test.labels, minlength=len(names))
    if counts.sum() < FEW_TEST_COMMENTS:
        return (
            f"Warning: the test set has only {counts.sum():,} comments, so one answer more or less changes the "
            f"accuracy by {percent(1 / counts.sum())}; label at least {FEW_TEST_COMMENTS} test comments."
        )
    rarest = int(counts.argmin())
    if len(names) == 2 and counts[rarest] < FEW_OF_A_CLASS:
        return (
            f"Warning: only {counts[rarest]:,} of {counts.sum():,} test comments are {names[rarest]}, so figures on "
            "that class say little; label more of them."
        )
    return ""
