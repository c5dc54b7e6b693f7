"""What became of the rows of a table, in a line or two."""

from collections.abc import Sequence
from itertools import pairwise

from worthit.datasets.corpus import About
from worthit.datasets.splits.manifest import FEW_OF_A_CLASS, FEW_TEST_COMMENTS, Step

#: what a step removes → how its name begins
_REMOVED = {
    "empty": ("not empty",),
    "in another language": ("English",),
    "duplicates": ("without exact duplicates", "without duplicates"),
    "of groups that are tested on": ("without training comments of groups",),
}


def counted(about: About, steps: Sequence[Step]) -> str:
    """Rows read, left out for each reason, left and tested, in one line."""
    before = {"unlabelled": about.unlabelled, "of left-out classes": about.of_left_out_classes}
    removed = before | {what: _lost(steps, names) for what, names in _REMOVED.items()}
    read = steps[0].comments + sum(before.values())
    left = read - sum(removed.values())
    terms = [f"{count:,} {what}" for what, count in removed.items() if count]
    return ", ".join(
        [f"{read:,} rows read", *terms, f"{left:,} left", f"{_tested(steps):,} tested"]
    )


def small(steps: Sequence[Step], is_pair: bool) -> str:
    """What made the test side small, and what gives it more comments; empty if it is not small.

    Args:
        is_pair: there are two classes.
    """
    test = next(step for step in steps if step.name.startswith("test"))
    fewest = min((count for count in test.counts if count), default=0)
    if test.comments >= FEW_TEST_COMMENTS and (not is_pair or fewest >= FEW_OF_A_CLASS):
        return ""
    copies = _lost(steps, _REMOVED["duplicates"])
    balanced = _lost(steps, ("balanced",))
    of = f" ({fewest:,} of the rarer class)" if is_pair else ""
    causes = [f"duplicates removed {copies:,} comments"] if copies else []
    if balanced:
        causes.append(f"balancing removed {balanced:,} (--no-balance restores them)")
    why = f": {' and '.join(causes)}" if causes else "; more labelled comments make it larger"
    return f"small test set, {test.comments:,} comments{of}{why}"


def without_validation(is_grouped: bool) -> str:
    """Why there are no validation comments, and what that means."""
    why = (
        "no group has every class and is small enough for training to do without it"
        if is_grouped
        else "each class has too few"
    )
    return f"no comments to validate on, so no thresholds of cascades: {why}"


def _tested(steps: Sequence[Step]) -> int:
    return next(step.comments for step in steps if step.name.startswith("test"))


def _lost(steps: Sequence[Step], names: Sequence[str]) -> int:
    return sum(
        a.comments - b.comments for a, b in pairwise(steps) if b.name.startswith(tuple(names))
    )
