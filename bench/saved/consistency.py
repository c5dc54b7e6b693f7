"""Checks that the parts of a saved run fit together, beyond what types say.

A file that was cut, merged or edited by hand is refused in one line. Otherwise a report would end in a
traceback or, worse, in a wrong number. Probabilities are checked as arrays: there are thousands of them.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NotRequired, TypedDict

import msgspec
import numpy as np

from worthit.bench.saved import record
from worthit.bench.saved.data import Data, OutOfDomainData, Part
from worthit.datasets.audit.audit import Audit
from worthit.datasets.splits.manifest import PARTS, Prepared, Step

# Records round to 6 digits, and a model may compute in bf16.
_SUM_TOLERANCE = 0.01


class _Machine(TypedDict):
    """What reports read from the description of the machine."""

    cpu: str
    cores_allowed: int
    accelerators: list[str]
    libraries: NotRequired[dict[str, str]]


class _Described(TypedDict):
    machine: _Machine


def check(run: record.Run) -> None:
    """Raises ValueError with the first contradiction, in one line."""
    msgspec.convert({"machine": run.machine}, _Described)
    for problem in _problems(run):
        raise ValueError(problem)


def _problems(run: record.Run) -> Iterator[str]:
    """Lazy: each check relies on the ones before."""
    yield from _of_data(run.data)
    yield from _of_figures("", "noise", run.noise)
    yield from _repeated("cells", [cell.name for cell in run.cells])
    for cell in run.cells:
        yield from _of_cell(cell, run.data)


def _of_data(data: Data) -> Iterator[str]:
    classes, multilabel = len(data.classes), data.multilabel
    yield from _repeated("data.classes", data.classes)
    if multilabel and data.balanced:
        yield "data.balanced is true, but multi-label data is never balanced"
    for begin in ("train", "test", "balanced" if data.balanced else "without duplicates"):
        if not any(step.name.startswith(begin) for step in data.steps):
            yield f"data.steps has no step {begin!r}"
    yield from _of_steps("data.steps", data.steps, classes, multilabel)
    for name in PARTS:
        yield from _of_part(f"data.{name}", getattr(data, name), classes, multilabel)
    yield from _same_size("data.test", data.test, data.step("test"))
    yield from _of_population(data)
    yield from _repeated("data.out_of_domain", [other.name for other in data.out_of_domain])
    for other in data.out_of_domain:
        yield from _of_other(f"data.out_of_domain {other.name!r}", other, data)
    yield from _of_audit(data.audit, data)


def _of_steps(where: str, steps: Sequence[Step], classes: int, multilabel: bool) -> Iterator[str]:
    for step in steps:
        if len(step.counts) != classes:
            yield f"{where} {step.name!r} counts {len(step.counts)} classes of {classes}"
        if not _fit(step.counts, step.comments, multilabel):
            yield f"{where} {step.name!r} has {step.comments:,} comments, by class {step.counts}"


def _fit(counts: Sequence[int], comments: int, multilabel: bool) -> bool:
    """True if the comments of each class can be those of all comments."""
    return max(counts, default=0) <= comments if multilabel else sum(counts) == comments


def _of_part(where: str, part: Part, classes: int, multilabel: bool) -> Iterator[str]:
    for field in dataclasses.fields(part):
        values = getattr(part, field.name)
        each = classes if multilabel and field.name == "labels" else 1
        if len(values) != len(part.ids) * each:
            yield f"{where} has {len(part.ids):,} ids and {len(values):,} {field.name}"
    if multilabel and max(part.labels, default=0) > 1:
        yield f"{where}.labels has {max(part.labels)}; of multi-label data it has 0 and 1"
    if not multilabel and max(part.labels, default=0) >= classes:
        yield f"{where}.labels has {max(part.labels)}, there are {classes} classes"


def _same_size(where: str, part: Part, step: Step) -> Iterator[str]:
    if len(part.ids) != step.comments:
        yield f"{where} has {len(part.ids):,} ids, the step {step.name!r} {step.comments:,} comments"


def _of_population(data: Data) -> Iterator[str]:
    """What the natural comments stand for; without balance they have no weights."""
    population, classes = data.population, len(data.classes)
    if len(population) != classes:
        yield f"data.population has {len(population)} classes of {classes}"
    if not data.balanced:
        return
    sampled = Counter(data.natural.labels)
    for number, (name, of) in enumerate(zip(data.classes, population, strict=True)):
        drawn = sampled[number]
        if drawn > of or (of and not drawn and data.natural.ids):
            yield f"data.natural has {drawn:,} comments of class {name!r}, data.population {of:,}"


def _of_other(where: str, other: OutOfDomainData, data: Data) -> Iterator[str]:
    if len(other.mapped_to) != len(other.classes):
        yield f"{where} has {len(other.classes)} classes and maps {len(other.mapped_to)}"
    for name in {*other.mapped_to} - {None, *data.classes}:
        yield f"{where} maps a class to {name!r}, which is not an in-domain class"
    yield from _of_steps(f"{where}, step", other.steps, len(data.classes), data.multilabel)
    yield from _of_part(where, other.part, len(data.classes), data.multilabel)
    yield from _same_size(where, other.part, other.steps[-1])


def _of_audit(audit: Audit, data: Data) -> Iterator[str]:
    for name, side in (("train", audit.train), ("test", audit.test)):
        where = f"data.audit.{name}"
        if not _fit(side.counts, side.comments, data.multilabel):
            yield f"{where} has {side.comments:,} comments, by class {side.counts}"
        for key, values in (
            ("counts", side.counts),
            ("median_characters", side.median_characters),
        ):
            if len(values) != len(data.classes):
                yield f"{where}.{key} has {len(values)} classes of {len(data.classes)}"
    if audit.train.personal_data.keys() != audit.test.personal_data.keys():
        yield "data.audit.train and test have different hints of personal data"
    noise = audit.label_noise
    if (noise.train is None) != bool(noise.reason):
        yield "data.audit.label_noise needs a number of labels, or a reason instead of it"
    tested = {*data.test.ids, *data.natural.ids}
    for key, ids, known in (
        ("label_noise.suspects", noise.suspects, {*data.test.ids}),
        ("near_duplicates.ids", audit.near_duplicates.ids, tested),
    ):
        for unknown in sorted({*ids} - known)[:1]:
            yield f"data.audit.{key} has {unknown}, which is not a test comment"


def _of_cell(cell: record.CellRecord, data: Data) -> Iterator[str]:
    where = f"cell {cell.name}"
    yield from _of_figures(f"{where}: ", "", cell)
    trained = cell.training is not None and cell.training.train_s.value is not None
    if cell.training is not None and trained and not cell.training.comments:
        yield f"{where}: training.comments is 0"
    if cell.tuning is not None:
        yield from _of_tuning(f"{where}: tuning", cell.tuning)
    if cell.latency is not None:
        yield from _of_latency(f"{where}: latency", cell.latency)
    if cell.throughput is not None:
        yield from _of_throughput(f"{where}: throughput", cell.throughput)
    if cell.quality is not None:
        yield from _of_quality(f"{where}: quality", cell.quality, data)
    yield from _growing(
        f"{where}: learning_curve has sizes", [point.comments for point in cell.learning_curve]
    )
    for point in cell.learning_curve:
        at = f"{where}: learning_curve at {point.comments:,}"
        yield from _of_probabilities(at, point.test, len(data.test.ids), data)


def _of_tuning(where: str, tuning: record.Tuning) -> Iterator[str]:
    if tuning.chosen.keys() != tuning.given.keys():
        yield f"{where} chose {sorted(tuning.chosen)}, given are {sorted(tuning.given)}"
    if bool(tuning.chosen) == bool(tuning.reason):
        yield f"{where} needs chosen settings, or a reason why the given ones stay"
    if (tuning.given_score is None) != (tuning.comments == 0):
        yield f"{where}: only trainings on some comments give a score"


def _of_latency(where: str, latency: record.Latency) -> Iterator[str]:
    samples = latency.samples_ms
    if len(samples) != len(latency.characters):
        yield f"{where} has {len(samples):,} samples_ms and {len(latency.characters):,} characters"
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        value = getattr(latency, name).value
        if value is not None and not min(samples) <= value <= max(samples):
            yield (
                f"{where}.{name} is {value:g}, the samples are {min(samples):g} to {max(samples):g}"
            )


def _of_throughput(where: str, throughput: record.Throughput) -> Iterator[str]:
    yield from _growing(
        f"{where} has batch sizes", [rate.batch_size for rate in throughput.batches]
    )
    for rate in throughput.batches:
        if not rate.comments_per_s.value:
            yield f"{where} has no rate at batch size {rate.batch_size}"
    if not throughput.machine.comments_per_s.value:
        yield f"{where}.machine has no rate"


def _growing(where: str, sizes: Sequence[int]) -> Iterator[str]:
    if list(sizes) != sorted({*sizes}):
        yield f"{where} {sizes}, which do not grow"


def _of_quality(where: str, quality: record.Quality, data: Data) -> Iterator[str]:
    for name in PARTS:
        size = len(getattr(data, name).ids)
        yield from _of_probabilities(f"{where}.{name}", getattr(quality, name), size, data)
    names, expected = ([one.name for one in part.out_of_domain] for part in (quality, data))
    if names != expected:
        yield f"{where}.out_of_domain has {names}, data.out_of_domain {expected}"
    for scores, other in zip(quality.out_of_domain, data.out_of_domain, strict=True):
        at = f"{where}.out_of_domain {other.name!r}"
        yield from _of_probabilities(at, scores.probabilities, len(other.part.ids), data)


def _of_probabilities(
    where: str, values: Sequence[float], comments: int, data: Prepared
) -> Iterator[str]:
    each = record.probabilities_per_comment(data.classes, data.multilabel)
    if len(values) != comments * each:
        yield f"{where} has {len(values):,} probabilities for {comments:,} comments, {each} each"
    yield from of_distributions(where, values, data)


def of_distributions(where: str, values: Sequence[float], data: Prepared) -> Iterator[str]:
    """Problems of probabilities as a record holds them."""
    each = record.probabilities_per_comment(data.classes, data.multilabel)
    probabilities = np.asarray(values, np.float64)
    outside = np.flatnonzero((probabilities < 0) | (probabilities > 1))
    if len(outside):
        place = outside[0]
        yield f"{where} has {probabilities[place]:g} at place {place + 1:,}; allowed is from 0 to 1"
    if each > 1 and not data.multilabel:
        sums = probabilities.reshape(-1, each).sum(axis=1)
        off = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
        if len(off):
            yield f"{where}: the probabilities of comment {off[0] + 1:,} add to {sums[off[0]]:g}"


def _of_figures(where: str, path: str, part: object) -> Iterator[str]:
    """Only energy net of idle power can be negative."""
    for name, figure in _figures(path, part):
        if figure.value is None:
            continue
        if figure.value < 0 and "_net_" not in name:
            yield f"{where}{name} is {figure.value:g} {figure.unit}"
        if figure.samples < 1:
            yield f"{where}{name} has {figure.samples} samples"


def _figures(name: str, part: Any) -> Iterator[tuple[str, record.Figure]]:
    if isinstance(part, record.Figure):
        yield name, part
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from _figures(f"{name}.{field.name}".lstrip("."), getattr(part, field.name))
    elif isinstance(part, tuple) and part and dataclasses.is_dataclass(part[0]):
        for index, one in enumerate(part):
            yield from _figures(f"{name}[{index}]", one)


def _repeated(where: str, names: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where} has {name!r} {times} times"
