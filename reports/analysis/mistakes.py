"""Where models err: by length, by how far raters agree, and which comments all of them miss."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Part, Run
from worthit.datasets.errors import DataError, OptionError, RunError
from worthit.reports.analysis import metrics
from worthit.reports.text import class_names
from worthit.reports.text.escaping import cut

Mask = npt.NDArray[np.bool_]


def by_length(part: Part) -> dict[str, Mask]:
    """Quarters of the comments by length, as heading → mask, shape (n,)."""
    characters = np.asarray(part.characters)
    edges = np.quantile(characters, (0.25, 0.5, 0.75)).astype(int)
    quarter = np.searchsorted(edges, characters)
    headings = (
        f"up to {edges[0]:,} characters",
        f"to {edges[1]:,}",
        f"to {edges[2]:,}",
        "longer",
    )
    return {heading: quarter == number for number, heading in enumerate(headings)}


def by_agreement(part: Part) -> dict[str, Mask]:
    """Comments by the share of raters that say the same; without those that have no votes."""
    agreed = _agreed(part)
    if np.isnan(agreed).all():
        return {}
    return {
        "unanimous": agreed == 1,
        "80 % or more": (agreed >= 0.8) & (agreed < 1),
        "under 80 %": agreed < 0.8,
    }


def _agreed(part: Part) -> npt.NDArray[np.float64]:
    share = np.asarray(part.toxic_share, np.float64)  # None becomes NaN
    return np.asarray(np.round(np.maximum(share, 1 - share), 4))


def wrong(labels: Sequence[int], trainings: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """The share of trainings that tell each comment wrong, shape (n,)."""
    truth = np.asarray(labels)
    shares: npt.NDArray[np.float64] = np.mean(
        [metrics.called(scores) != truth for scores in trainings], axis=0
    )
    return shares


def missed(run: Run, most: int, width: int) -> list[str]:
    """Lines on the test comments that most models miss though all raters agree, worst first.

    Their text comes from this machine's cache, escaped and cut.

    Args:
        most: comments to show.
        width: columns of the terminal.

    Raises:
        OptionError: `most` is not positive.
        RunError: raters or scores are not known, or the comments are not in this machine's cache.
    """
    require_some("--errors", most)
    part = run.data.test
    unanimous = by_agreement(part).get("unanimous") if class_names.of_two(run) else None
    if unanimous is None:
        raise RunError(f"{run.run_id} has no raters' votes, so no comments they are unanimous on")
    scored = [cell.quality.test for cell in run.cells if cell.quality is not None]
    if not scored:
        raise RunError(
            f"{run.run_id} has no scores of any model; choose another, see `worthit runs`"
        )
    share = np.where(unanimous, wrong(part.labels, scored), 0.0)
    worst = [int(i) for i in np.argsort(-share, kind="stable")[:most] if share[i] > 0.5]
    if not worst:
        return ["no comment that all raters agree on is missed by most models"]
    found = texts(run)
    lines = []
    for i in worst:
        label = class_names.names(run.data)[part.labels[i]]
        misses = f"missed by {round(share[i] * len(scored))} of {len(scored)}"
        lines += [
            f"{part.ids[i]}: {label} to all {part.raters[i]} raters, {misses}",
            "  " + cut(found[part.ids[i]], width - 2),
        ]
    return lines


def require_some(option: str, comments: int) -> None:
    """Raises OptionError unless so many comments can be shown."""
    if comments < 1:
        raise OptionError(f"{option} is {comments}; it takes a number of comments from 1 up")


def texts(run: Run) -> dict[str, str]:
    """Test comments by id, from this machine's cache, as others wrote them: to be escaped.

    Raises:
        RunError: the cache does not have them.
    """
    from worthit.datasets import prepare  # pyarrow, which no report needs

    absent = RunError(
        f"the comments of {run.run_id} are not in this machine's cache (split {run.data.key}); "
        "ask where it was measured, or measure it here"
    )
    try:
        tested = prepare.comments(run.data.key, "test").texts
    except DataError:
        raise absent from None
    found = dict(zip(prepare.comment_ids(tested), tested, strict=True))
    if not found.keys() >= set(run.data.test.ids):
        raise absent
    return found
