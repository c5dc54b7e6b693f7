"""What to know before a verdict is believed."""

from worthit.bench.saved.record import Run
from worthit.datasets.splits.manifest import FEW_OF_A_CLASS, FEW_TEST_COMMENTS
from worthit.reports.analysis import task
from worthit.reports.analysis.objective import class_shares
from worthit.reports.text import class_names
from worthit.reports.text.format import joined


def few_test_comments(run: Run) -> str:
    """A sentence on a small test set, or one with a handful of comments of a class; empty otherwise."""
    comments = len(run.data.test.ids)
    small = ""
    if comments < FEW_TEST_COMMENTS:
        small = (
            f"Warning: the test set has only {comments:,} comments, so one answer more or less changes the "
            f"{task.of(run).correct.heading} by {100 / max(comments, 1):.1f} points; label at least "
            f"{FEW_TEST_COMMENTS} test comments."
        )
    if class_names.of_labels(run):
        return " ".join(filter(None, (small, _few_of_labels(run))))
    return small or _few_of_a_class(run)


def _few_of_a_class(run: Run) -> str:
    comments = len(run.data.test.ids)
    counts = _counts(run)
    rarest = counts.index(min(counts))
    named = class_names.worded(class_names.names(run.data)[rarest])
    if not class_names.of_two(run) or counts[rarest] >= FEW_OF_A_CLASS:
        return ""
    return (
        f"Warning: only {counts[rarest]:,} of {comments:,} test comments are {named}, "
        "so figures on that class say little; label more of them."
    )


def _few_of_labels(run: Run) -> str:
    few = [
        f"{name} ({count:,})"
        for name, count in zip(class_names.names(run.data), _counts(run), strict=True)
        if count < FEW_OF_A_CLASS
    ]
    if not few:
        return ""
    return (
        f"Warning: few of the {len(run.data.test.ids):,} test comments have the label {joined(few)}, so figures on "
        "it say little, and macro F1 depends on them; label more of them."
    )


def _counts(run: Run) -> list[int]:
    """Test comments of each class or label."""
    return [round(share * len(run.data.test.ids)) for share in class_shares(run)]
