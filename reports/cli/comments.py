"""Comments that deserve a look, for the terminal only: the text comes from this machine's cache."""

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Run
from worthit.datasets.errors import DataError, OptionError, RunError
from worthit.reports.analysis import mistakes
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.run_view import first_seeds, scores, truth
from worthit.reports.text import class_names
from worthit.reports.text.escaping import cut
from worthit.reports.text.format import joined, percent


def missed(run: Run, most: int, width: int) -> list[str]:
    """Lines on the test comments that most models miss though all raters agree, worst first.

    Args:
        most: comments to show.
        width: columns of the terminal.

    Raises:
        OptionError: `most` is not positive.
        RunError: the run has no votes or scores, or the comments are not in this machine's cache.
    """
    _require_positive("--errors", most)
    part = run.data.test
    groups = mistakes.by_agreement(part) if class_names.of_two(run) else {}
    if "unanimous" not in groups:
        raise RunError(
            f"{run.run_id} has no votes of raters; `--errors` needs a dataset with votes"
        )
    wrong, misses = _misses(run)
    if wrong is None:
        raise RunError(f"{run.run_id} has no scores of any model; `worthit runs` lists the others")
    share = np.where(groups["unanimous"], wrong, 0.0)
    worst = [int(i) for i in np.argsort(-share, kind="stable")[:most] if share[i] > 0.5]
    if not worst:
        return ["most models classify every comment correctly on which all raters agree"]
    text, names = texts(run), class_names.names(run.data)
    lines = []
    for i in worst:
        lines += [
            f"{part.ids[i]}: {names[part.labels[i]]} to all {part.raters[i]} raters{misses[i]}",
            "  " + cut(text[part.ids[i]], width - 2),
        ]
    return lines


def suspects(run: Run, most: int, width: int) -> list[str]:
    """Lines on the test comments whose labels look wrong, the likeliest first.

    Args:
        most: comments to show.
        width: columns of the terminal.

    Raises:
        OptionError: `most` is not positive.
        RunError: the labels were not checked, or the comments are not in this machine's cache.
    """
    _require_positive("--suspects", most)
    noise = run.data.audit.label_noise
    if noise.questioned is None:
        raise RunError(f"{run.run_id} does not know which labels look wrong: {noise.reason}")
    if not noise.suspects:
        return ["no label of a test comment looks wrong"]
    places = {comment: place for place, comment in enumerate(run.data.test.ids)}
    text, (_, misses) = texts(run), _misses(run)
    lines = []
    if noise.train is None:
        lines.append(f"many may only be hard comments: {noise.reason}")
    for comment in noise.suspects[:most]:
        place = places[comment]
        lines += [
            f"{comment}: {_label(run, place)}{misses[place]}",
            "  " + cut(text[comment], width - 2),
        ]
    saved = len(noise.suspects)
    more = noise.questioned - saved
    if most > saved and more > 0:
        lines.append(f"{more:,} more look wrong; a run saves only the {saved:,} likeliest")
    return lines


def texts(run: Run) -> dict[str, str]:
    """Test comments by id, from this machine's cache, unescaped.

    Raises:
        RunError: the cache does not have them.
    """
    from worthit.datasets import prepare  # pyarrow, which no report needs

    absent = RunError(
        f"the comments of {run.run_id} are not in this machine's cache (split {run.data.key}); "
        "run this on the machine that measured it, or measure it here"
    )
    try:
        tested = prepare.comments(run.data.key, "test").texts
    except DataError:
        raise absent from None
    found = dict(zip(prepare.comment_ids(tested), tested, strict=True))
    if not found.keys() >= set(run.data.test.ids):
        raise absent
    return found


def _require_positive(option: str, comments: int) -> None:
    if comments < 1:
        raise OptionError(f"{option} is {comments}; it takes a number of comments from 1 up")


def _label(run: Run, place: int) -> str:
    """A test comment's label, and how many raters agree with it."""
    part = run.data.test
    if class_names.of_labels(run):
        names = [
            name
            for name, has in zip(class_names.names(run.data), truth(run)[place], strict=True)
            if has
        ]
        return f"labelled {joined(names)}" if names else "without a label"
    label, share = part.labels[place], part.toxic_share[place]
    name = class_names.names(run.data)[label]
    if share is None or part.raters[place] is None or not class_names.of_two(run):
        return f"labelled {name}"
    agree = share if label == 1 else 1 - share
    return f"{name} to {percent(agree)} of {part.raters[place]} raters"


def _misses(run: Run) -> tuple[npt.NDArray[np.float64] | None, list[str]]:
    """The share of models that misclassify each test comment, and the same in words."""
    labels = truth(run)
    decided = Decisions.of(run).decided
    by_model = [scores(run, cell) for cell in first_seeds(decided) if cell.quality is not None]
    if not by_model:
        return None, [""] * len(labels)
    shares = mistakes.error_shares(labels, by_model)
    models = len(by_model)
    return shares, [f", missed by {round(share * models)} of {models}" for share in shares]
