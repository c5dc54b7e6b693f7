"""What to know before a verdict is believed."""

from worthit.bench.saved.record import Run
from worthit.datasets.splits.manifest import FEW_OF_A_CLASS, FEW_TEST_COMMENTS
from worthit.reports.analysis import task
from worthit.reports.analysis.objective import class_shares
from worthit.reports.text import class_names
from worthit.reports.text.format import joined, percent


def few_test_comments(run: Run) -> str:
    """A sentence on a small test set, or one with a handful of comments of a class; empty otherwise."""
    names, comments = class_names.names(run.data), len(run.data.test.ids)
    if comments < FEW_TEST_COMMENTS:
        return (
            f"Warning: the test set has only {comments:,} comments, so one answer more or less changes the "
            f"{task.of(run).correct.heading} by {percent(1 / max(comments, 1))}; label at least {FEW_TEST_COMMENTS} "
            "test comments."
        )
    counts = [round(share * comments) for share in class_shares(run)]
    rarest = counts.index(min(counts))
    if counts[rarest] >= FEW_OF_A_CLASS:
        return ""
    if class_names.of_two(run):
        return (
            f"Warning: only {counts[rarest]:,} of {comments:,} test comments are {names[rarest]}, so figures on "
            "that class say little; label more of them."
        )
    if class_names.of_labels(run):
        few = [
            f"{names[i]} ({count:,})" for i, count in enumerate(counts) if count < FEW_OF_A_CLASS
        ]
        return (
            f"Warning: few of the {comments:,} test comments have the label {joined(few)}, so figures on it say "
            "little, and macro F1 depends on them; label more of them."
        )
    return ""
