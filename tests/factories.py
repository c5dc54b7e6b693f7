"""Parts of saved runs: valid by default, each field open to change."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from worthit.bench.saved import record
from worthit.bench.saved.data import Data, OutOfDomainData, Part
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.audit.audit import Audit, NearDuplicates, SideAudit
from worthit.datasets.audit.label_noise import LabelNoise
from worthit.datasets.audit.personal_data import HINTS
from worthit.datasets.splits.manifest import OutOfDomainSet, Step

STARTED, FINISHED = "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00"
TRAINED = "2026-01-02T03:04:05+00:00"
CLASSES = ("not toxic", "toxic")
MACHINE = {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {}}


def part(labels: Sequence[int] = (), *, each: int = 1, **changed: Any) -> Part:
    """Args:
    each: numbers in `labels` per comment: of multi-label data, one for each label.
    """
    size = len(labels) // each
    base = Part(
        ids=tuple(f"{number:08x}" for number in range(size)),
        labels=tuple(labels),
        toxic_share=(None,) * size,
        raters=(None,) * size,
        characters=(9,) * size,
    )
    return dataclasses.replace(base, **changed)


def scores(labels: Sequence[int], wrong: Collection[int] = ()) -> tuple[float, ...]:
    """Probabilities of two classes that classify all comments correctly, except these."""
    correct = {0: 0.1, 1: 0.9}
    return tuple(correct[label != (i in wrong)] for i, label in enumerate(labels))


def steps(names: Sequence[str], comments: int, *counts: int) -> tuple[Step, ...]:
    """Steps with the same comments; of two classes by default, half of them toxic."""
    by_class = counts or (comments - comments // 2, comments // 2)
    return tuple(Step(name, comments, by_class) for name in names)


def side_audit(classes: int = 2, **changed: Any) -> SideAudit:
    base = SideAudit(
        comments=10 * classes,
        counts=(10,) * classes,
        characters=(5, 50, 500),
        median_characters=(50,) * classes,
        repeated=0,
        languages={"en": 10 * classes},
        personal_data=dict.fromkeys(HINTS, 0),
    )
    return dataclasses.replace(base, **changed)


def audit(classes: int = 2, **changed: Any) -> Audit:
    side = side_audit(classes)
    copies = NearDuplicates(ids=(), other_label=0, examined=30, method="hashes")
    base = Audit(
        side,
        side,
        copies,
        LabelNoise(0, 0, 0.9, unquestioned_accuracy=0.97),
        0.5 if classes == 2 else None,
    )
    return dataclasses.replace(base, **changed)


def data(test: Part, **changed: Any) -> Data:
    """Data whose training head, test and natural part are the same; no validation comments.

    Of two classes a tenth of the population is toxic; of more, all are as common.
    """
    classes = changed.get("classes", CLASSES)
    comments = max(len(test.ids), 200)
    base = Data(
        key="key", dataset="synthetic", title="synthetic comments", citation="nobody",
        fingerprint="fp", seed=42, language="en", balanced=True, weighted=False, classes=CLASSES,
        multilabel=False,
        population=(9 * comments, comments) if len(classes) == 2 else (comments,) * len(classes),
        stream="", text_column=None,
        steps=steps(("balanced", "train", "test", "natural"), len(test.ids)), notes=(),
        train=test, test=test, natural=test, validation=part(), out_of_domain=(),
        audit=audit(len(classes)),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def out_of_domain(part: Part, **changed: Any) -> OutOfDomainData:
    base = OutOfDomainSet(
        key="k", name="other.csv", title="other.csv", citation="own data", fingerprint="f",
        classes=CLASSES, mapped_to=CLASSES, same_label=True, warning="",
        steps=steps(("tested on",), len(part.ids)), notes=(),
    )  # fmt: skip
    return dataclasses.replace(OutOfDomainData(**vars(base), part=part), **changed)


def setup(**changed: Any) -> record.Setup:
    base = record.Setup(
        settings={}, checkpoint=None, checkpoint_identity=None, device_name="a CPU", dtype=None,
        threads=2, python="3.11", versions={}, thread_pools={}, kind="classical",
        seeded=True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def memory(peak_mb: float = 700, baseline_mb: float = 300) -> record.Memory:
    nowhere = unavailable("MB", "on the CPU")
    return record.Memory(
        peak_mb=measured(peak_mb, "MB", "VmHWM"),
        baseline_mb=measured(baseline_mb, "MB", "rss"),
        accelerator_peak_mb=nowhere,
        anonymous_mb=measured(peak_mb / 2, "MB", "rss"),
        file_backed_mb=measured(peak_mb / 4, "MB", "rss"),
        accelerator_reserved_mb=nowhere,
        accelerator_used_mb=nowhere,
        processes=1,
    )


def disturbance(*reasons: str, **changed: Any) -> record.Disturbance:
    """Quiet without reasons."""
    percent = measured(0.5, "%", "/proc/stat")
    base = record.Disturbance(
        window_s=5.0, cores=2, others=percent, steal=percent, waiting=percent, pressure=percent,
        switches=measured(3.0, "1/s", "getrusage"), throttled=percent,
        thermal=unavailable("%", "this system does not count it"),
        gpu_processes=unavailable("processes", "the cell runs on cpu"), reasons=reasons,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def training(seconds: float | Figure = 10.0, **changed: Any) -> record.Training:
    unmetered = unavailable("J", "not metered")
    base = record.Training(
        train_s=seconds if isinstance(seconds, Figure) else measured(seconds, "s", "clock"),
        memory=memory(), trained_at=TRAINED, settings={}, artifact="a",
        disk_mb=measured(1, "MB", "sizes"), parameters=1, trained_parameters=1, comments=20,
        truncated_share=0.0, cpu_s=measured(15, "s", "CPU time"), cpu_j=unmetered, ram_j=unmetered, gpu_j=unmetered,
        choosing_s=record.unavailable("s", record.NOTHING_CHOSEN),
        tried=0,
        weighted=False,
        processes=1,
        disturbance=disturbance(),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def tuning(**changed: Any) -> record.Tuning:
    """A search that changed C, and gained two points."""
    base = record.Tuning(
        budget_s=60.0, search_s=measured(58.0, "s", "clock"), measure="accuracy", trials=30, tried=20,
        comments=1_000, chosen={"C": 2.0}, given={"C": 5.0}, given_score=0.88, chosen_score=0.90,
        reason="", disturbance=disturbance(),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def latency(samples_ms: Sequence[float], *p50_p90_p99_ms: Figure, **changed: Any) -> record.Latency:
    p50, p90, p99 = p50_p90_p99_ms
    base = record.Latency(
        samples_ms=tuple(samples_ms), characters=(9,) * len(samples_ms),
        p50_ms=p50, p90_ms=p90, p99_ms=p99, load_s=measured(1, "s", "clock"),
        first_call_ms=measured(9, "ms", "clock"), p50_low_ms=None, p50_high_ms=None,
        ended_by="no gain", cold_start_s=measured(2, "s", "clock"), comments=len(samples_ms),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def rate(
    comments_per_s: float, batch_size: int = 8, core_ms: float | None = None
) -> record.BatchRate:
    """The rate of a process that keeps one core busy, unless its CPU time is given."""
    return record.BatchRate(
        batch_size,
        measured(comments_per_s, "comments/s", "clock"),
        measured(1e3 / comments_per_s if core_ms is None else core_ms, "core-ms", "CPU clock"),
    )


def throughput(
    *rates: float | record.BatchRate, ended_by: str = "no gain", machine_per_s: float | None = None
) -> record.Throughput:
    """Of one process; the machine's rate is that of its best batch size, unless given."""
    batches = tuple(one if isinstance(one, record.BatchRate) else rate(one) for one in rates)
    best = max(batches, key=lambda one: one.comments_per_s.value or 0.0)
    machine = record.MachineRate(1, best.comments_per_s, best.core_ms)
    if machine_per_s is not None:
        all_cores = measured(machine_per_s, "comments/s", "clock, 2 processes")
        machine = record.MachineRate(2, all_cores, best.core_ms)
    return record.Throughput(batches, ended_by, machine)


def energy(cpu: Figure, ram: Figure | None = None, **changed: Any) -> record.Energy:
    nowhere, idle = unavailable("J", "no GPU"), unavailable("W", "not metered")
    net = unavailable("J", "not metered")
    base = record.Energy(
        cpu_s_per_comment=measured(0.002, "s", "CPU time"), cpu_j_per_comment=cpu,
        ram_j_per_comment=ram or nowhere, gpu_j_per_comment=nowhere,
        window_s=5.0, comments=100, cpu_net_j_per_comment=net, ram_net_j_per_comment=net,
        gpu_net_j_per_comment=net, idle_before_w=idle, idle_after_w=idle, idle_gpu_w=idle,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def options(**given: str) -> dict[str, str]:
    """Options of the command line by name: `machine_price="1"`."""
    return {f"--{name.replace('_', '-')}": value for name, value in given.items()}


def quality(test: tuple[float, ...], **changed: Any) -> record.Quality:
    """The same probabilities for training, test and natural comments."""
    return dataclasses.replace(record.Quality(test, test, test, 1.0, 0.25), **changed)


def run(data: Data, *cells: record.CellRecord, **changed: Any) -> record.Run:
    base = record.Run(
        "a-run", STARTED, FINISHED, 600.0, "quick", {}, MACHINE, data, cells, True,
        noise=unavailable("%", "not measured"),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)
