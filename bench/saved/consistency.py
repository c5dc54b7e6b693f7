"""Whether the parts of a saved run fit together: what no type says, and reports rely on.

A file that was cut, merged or edited by hand then is refused in a line, instead of ending a report
in a traceback or, worse, in a wrong number. Probabilities are checked as arrays: there are thousands.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from worthit.bench.saved.record import (
    CellRecord,
    Data,
    Figure,
    Latency,
    OtherSet,
    Part,
    Quality,
    Run,
    StepRecord,
    Throughput,
    Trust,
    probabilities_per_comment,
)

_MACHINE = {"cpu": (str, "text"), "cores_allowed": (int, "a number"), "accelerators": (list, "a list")}  # fmt: skip
# Records round to 6 digits, and a model may compute in bf16.
_SUM_TOLERANCE = 0.01


def check(run: Run) -> None:
    """Raises ValueError with the first thing that does not fit, in a line."""
    for misfit in _misfits(run):
        raise ValueError(misfit)


def _misfits(run: Run) -> Iterator[str]:
    """Lazy, since what comes later relies on what came before."""
    yield from _of_machine(run.machine)
    yield from _of_data(run.data)
    yield from _of_figures("", "noise", run.noise)
    yield from _repeated("cells", [cell.name for cell in run.cells])
    for cell in run.cells:
        yield from _of_cell(cell, run.data)


def _of_machine(machine: dict[str, Any]) -> Iterator[str]:
    for key, (kind, words) in _MACHINE.items():
        if key not in machine:
            yield f"machine has no {key}"
        elif not isinstance(machine[key], kind):
            yield f"machine.{key} is {machine[key]!r}, which is not {words}"
    if not isinstance(machine.get("libraries", {}), dict):
        yield f"machine.libraries is {machine['libraries']!r}, which is no table"


def _of_data(data: Data) -> Iterator[str]:
    kinds = len(data.classes)
    if kinds < 2:
        yield f"data.classes are {kinds}; it takes two or more"
    yield from _repeated("data.classes", data.classes)
    for begin in ("train", "test", "balanced" if data.balanced else "without duplicates"):
        if not any(step.name.startswith(begin) for step in data.steps):
            yield f"data.steps has no step {begin!r}"
    yield from _of_steps("data.steps", data.steps, kinds)
    for name in ("train", "test", "natural", "validation"):
        yield from _of_part(f"data.{name}", getattr(data, name), kinds)
    yield from _counted("data.test", data.test, data.step("test"))
    yield from _repeated("data.also", [other.name for other in data.also])
    for other in data.also:
        yield from _of_other(f"data.also {other.name!r}", other, data)
    if data.trust is not None:
        yield from _of_trust(data.trust, data)


def _of_steps(where: str, steps: Sequence[StepRecord], kinds: int) -> Iterator[str]:
    for step in steps:
        counts = step.counts or ((step.comments - step.toxic, step.toxic) if kinds == 2 else ())
        if len(counts) != kinds:
            yield f"{where} {step.name!r} counts {len(counts)} classes of {kinds}"
        if sum(counts) != step.comments or min(counts) < 0:
            yield f"{where} {step.name!r} has {step.comments:,} comments, by class {counts}"
        if kinds == 2 and counts[1] != step.toxic:
            yield f"{where} {step.name!r} has {step.toxic:,} toxic, by class {counts}"


def _of_part(where: str, part: Part, kinds: int) -> Iterator[str]:
    size = len(part.ids)
    for name in ("labels", "toxic_share", "raters", "characters"):
        found = len(getattr(part, name))
        # Lengths of comments were not always kept.
        if found != size and (found or name != "characters"):
            yield f"{where} has {size:,} ids and {found:,} {name}"
    yield from _outside(f"{where}.labels", part.labels, 0, kinds - 1)
    yield from _outside(f"{where}.toxic_share", part.toxic_share, 0, 1)
    yield from _outside(f"{where}.raters", part.raters, 0)
    yield from _outside(f"{where}.characters", part.characters, 0)


def _counted(where: str, part: Part, step: StepRecord) -> Iterator[str]:
    if len(part.ids) != step.comments:
        yield f"{where} has {len(part.ids):,} ids, the step {step.name!r} {step.comments:,} comments"


def _of_other(where: str, other: OtherSet, data: Data) -> Iterator[str]:
    if len(other.taken_for) != len(other.classes):
        yield f"{where} has {len(other.classes)} classes and takes {len(other.taken_for)} for others"
    for name in other.taken_for:
        if name is not None and name not in data.classes:
            yield f"{where} takes a class for {name!r}, which is none at home"
    if not other.steps:
        yield f"{where} has no steps"
    # Of the classes at home, for which its own are taken.
    yield from _of_steps(f"{where}, step", other.steps, len(data.classes))
    yield from _of_part(where, other.part, len(data.classes))
    yield from _counted(where, other.part, other.steps[-1])


def _of_trust(trust: Trust, data: Data) -> Iterator[str]:
    for name, side in (("train", trust.train), ("test", trust.test)):
        where = f"data.trust.{name}"
        if side.comments < 1 or sum(side.counts) != side.comments:
            yield f"{where} has {side.comments:,} comments, by class {side.counts}"
        for counted in ("counts", "median_characters"):
            if len(getattr(side, counted)) != len(data.classes):
                yield f"{where}.{counted} has {len(getattr(side, counted))} classes of {len(data.classes)}"
        if not side.languages:
            yield f"{where} has no languages"
    if trust.train.personal.keys() != trust.test.personal.keys():
        yield "data.trust.train and test look for unlike hints of personal data"
    yield from _unknown("data.trust.suspect_ids", trust.suspect_ids, data.test.ids)
    yield from _unknown("data.trust.twin_ids", trust.twin_ids, (*data.test.ids, *data.natural.ids))
    yield from _of_figures("", "data.trust", trust)


def _of_cell(cell: CellRecord, data: Data) -> Iterator[str]:
    each, where = probabilities_per_comment(data.classes), f"cell {cell.name}"
    yield from _of_figures(f"{where}: ", "", cell)
    if cell.training is not None:
        # A model that is used as it comes is trained on none.
        if cell.training.comments < (cell.training.train_s.value is not None):
            yield f"{where}: training.comments is {cell.training.comments}"
        yield from _outside(f"{where}: truncated_share", [cell.training.truncated_share], 0, 1)
    if cell.latency is not None:
        yield from _of_latency(f"{where}: latency", cell.latency)
    if cell.throughput is not None:
        yield from _of_throughput(f"{where}: throughput", cell.throughput)
    if cell.quality is not None:
        yield from _of_quality(f"{where}: quality", cell.quality, data)
    sizes = [point.comments for point in cell.learning_curve]
    if sizes != sorted({*sizes}):
        yield f"{where}: learning_curve has its points at {sizes}, which do not grow"
    for point in cell.learning_curve:
        at = f"{where}: learning_curve at {point.comments:,}"
        yield from _of_probabilities(at, point.test, len(data.test.ids), each)


def _of_latency(where: str, latency: Latency) -> Iterator[str]:
    samples = np.asarray(latency.samples_ms)
    if not len(samples):
        yield f"{where} has no samples_ms"
    if len(samples) != len(latency.characters):
        yield f"{where} has {len(samples):,} samples_ms and {len(latency.characters):,} characters"
    if samples.min() <= 0:
        yield f"{where}.samples_ms has {samples.min():g}"
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        value = getattr(latency, name).value
        if value is not None and not samples.min() <= value <= samples.max():
            yield (
                f"{where}.{name} is {value:g}, the samples are {samples.min():g} to {samples.max():g}"
            )


def _of_throughput(where: str, throughput: Throughput) -> Iterator[str]:
    if not throughput.batches:
        yield f"{where} has no batches"
    sizes = [rate.batch_size for rate in throughput.batches]
    if sizes != sorted({*sizes}) or sizes[0] < 1:
        yield f"{where} has the batch sizes {sizes}, which do not grow"
    for rate in throughput.batches:
        if not rate.comments_per_s.value:
            yield f"{where} has no rate at batch size {rate.batch_size}"


def _of_quality(where: str, quality: Quality, data: Data) -> Iterator[str]:
    each = probabilities_per_comment(data.classes)
    for name in ("train", "test", "natural", "validation"):
        scored, size = getattr(quality, name), len(getattr(data, name).ids)
        # Runs from before there were validation comments have no scores of them.
        if scored or name != "validation":
            yield from _of_probabilities(f"{where}.{name}", scored, size, each)
    names, given = ([one.name for one in also] for also in (quality.also, data.also))
    if names != given:
        yield f"{where}.also is of {names}, the data of {given}"
    for scores, other in zip(quality.also, data.also, strict=True):
        size = len(other.part.ids)
        yield from _of_probabilities(
            f"{where}.also {other.name!r}", scores.probabilities, size, each
        )
    yield from _outside(f"{where}.truncated_share", [quality.truncated_share], 0, 1)


def _of_probabilities(
    where: str, found: Sequence[float], comments: int, each: int
) -> Iterator[str]:
    if len(found) != comments * each:
        yield f"{where} has {len(found):,} probabilities for {comments:,} comments, {each} each"
    yield from of_distributions(where, found, each)


def of_distributions(where: str, found: Sequence[float], each: int) -> Iterator[str]:
    """What is wrong with probabilities as a record keeps them, so many of each comment."""
    yield from _outside(where, found, 0, 1)
    if each > 1:
        sums = np.asarray(found).reshape(-1, each).sum(axis=1)
        off = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
        if len(off):
            yield f"{where}: the probabilities of comment {off[0] + 1:,} add to {sums[off[0]]:g}"


def _of_figures(where: str, path: str, part: object) -> Iterator[str]:
    """No figure but energy less that of an idle machine can be negative."""
    for name, figure in _figures(path, part):
        if figure.value is None:
            continue
        if figure.value < 0 and "_net_" not in name:
            yield f"{where}{name} is {figure.value:g} {figure.unit}"
        if figure.samples < 1:
            yield f"{where}{name} is of {figure.samples} samples"


def _figures(name: str, part: Any) -> Iterator[tuple[str, Figure]]:
    if isinstance(part, Figure):
        yield name, part
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from _figures(f"{name}.{field.name}".lstrip("."), getattr(part, field.name))
    elif isinstance(part, tuple) and part and dataclasses.is_dataclass(part[0]):
        for index, one in enumerate(part):
            yield from _figures(f"{name}[{index}]", one)


def _outside(
    where: str, values: Sequence[float | None], low: float, high: float = np.inf
) -> Iterator[str]:
    """The first value that is not within the bounds; None is not known, and passes."""
    found = np.asarray(values, np.float64)
    beyond = np.flatnonzero((found < low) | (found > high))
    if len(beyond):
        allowed = f"from {low:g} to {high:g}" if high < np.inf else f"from {low:g} up"
        yield f"{where} has {found[beyond[0]]:g} at place {beyond[0] + 1:,}; allowed is {allowed}"


def _repeated(where: str, names: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where} has {name!r} {times} times"


def _unknown(where: str, ids: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    others = {*ids} - {*known}
    if others:
        yield f"{where} has {min(others)}, which is no comment that was tested on"
