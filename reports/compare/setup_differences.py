"""What differs between compared runs besides their figures: machine, data, weights and settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.data import Data
from worthit.bench.saved.record import significant
from worthit.reports.compare.comparable import labels_by_id
from worthit.reports.compare.matching import ComparedRun, Counterparts, unmatched
from worthit.reports.text import class_names, disturbed
from worthit.reports.text.format import percent

_NOT_RECORDED = "not recorded"


def warnings(runs: Sequence[ComparedRun], pairs: Sequence[Counterparts]) -> list[str]:
    """One line for each cause, other than the code, that a difference in figures may have."""
    base, *later_runs = runs
    return [
        *(line for run in runs for line in _quality_of_run(run)),
        *(line for later in later_runs for line in _run_differences(base, later)),
        *_cell_differences(pairs),
        *unmatched(runs, pairs),
    ]


def work_differences(pair: Counterparts) -> Iterator[str]:
    """Differences in weights, settings and processes, which change how much one process computes."""
    if pair.base.setup is not None and pair.later.setup is not None:
        before, after = pair.base.setup, pair.later.setup
        if before.checkpoint_identity != after.checkpoint_identity:
            names = [setup.checkpoint or "none" for setup in (before, after)]
            other = "other weights of that name" if names[0] == names[1] else names[1]
            yield f"checkpoint {names[0]} → {other}"
    if pair.base.training is not None and pair.later.training is not None:
        old, new = pair.base.training.processes, pair.later.training.processes
        if old != new:
            yield f"processes in training {old} → {new}"
    for part in ("training", "setup"):  # settings in effect; as requested if it was not trained
        records = [getattr(cell, part) for cell in (pair.base, pair.later)]
        if None not in records:
            differing = _settings(records[0].settings, records[1].settings)
            if differing:
                yield f"settings {', '.join(differing)}"
            return


def machine_rows(runs: Sequence[ComparedRun]) -> list[list[str]]:
    """Rows that describe where each run was measured, one column per run."""
    columns = [_description(run) for run in runs]
    return [[key, *(column[key] for column in columns)] for key in columns[0]]


def _quality_of_run(run: ComparedRun) -> Iterator[str]:
    if not run.run.complete:
        yield f"{run.letter} was interrupted: cells that had not finished are missing"
    if run.noise_percent is None:
        yield (
            f"{run.letter}: the machine's noise was not measured, so small differences in time "
            "cannot be interpreted"
        )
    elif run.noise_percent >= NOISY_PERCENT:
        yield (
            f"{run.letter}: the machine was noisy, {significant(run.noise_percent)} %; small "
            "differences in time mean nothing"
        )
    if doubts := disturbed.sentence({cell.name: cell for cell in run.run.cells}):
        yield f"{run.letter}: {doubts[0].lower()}{doubts[1:]}"


def _run_differences(base: ComparedRun, later: ComparedRun) -> Iterator[str]:
    if base.run.preset != later.run.preset:
        presets = f"{base.run.preset} → {later.run.preset}"
        yield f"{base.letter} → {later.letter}, preset: {presets}"
    differing = list(_data_differences(base.run.data, later.run.data))
    if differing:
        yield f"{base.letter} → {later.letter}, data: {', '.join(differing)}"


def _data_differences(before: Data, after: Data) -> Iterator[str]:
    old_ids, new_ids = before.test.ids, after.test.ids
    trained = before.step("train").comments, after.step("train").comments
    differences: tuple[tuple[str, object, object], ...] = (
        ("dataset {} → {}", before.dataset, after.dataset),
        ("classes {} → {}", _classes(before), _classes(after)),
        ("other comments or labels (fingerprint)", before.fingerprint, after.fingerprint),
        ("seed {} → {}", before.seed, after.seed),
        ("split {} → {}", before.key, after.key),
        ("{:,} → {:,} training comments", *trained),
        ("{:,} → {:,} test comments", len(old_ids), len(new_ids)),
    )
    for text, old, new in differences:
        if old != new:
            yield text.format(old, new)
    if before.classes != after.classes and _classes(before) == _classes(after):
        yield "other classes"
    common = len({*old_ids} & {*new_ids})
    if common < max(len(old_ids), len(new_ids)):
        yield f"{common:,} test comments in common, so accuracies are not paired"
    labels = labels_by_id(after)
    relabelled = sum(
        labels.get(comment, label) != label for comment, label in labels_by_id(before).items()
    )
    if relabelled and before.classes == after.classes:
        yield f"{relabelled:,} test comments with another label, so accuracies are not paired"


def _classes(data: Data) -> str:
    names = class_names.names(data)
    return ", ".join(names) if len(names) == 2 else class_names.counted(data)


def _cell_differences(pairs: Sequence[Counterparts]) -> Iterator[str]:
    """One line for each difference in setup, with all cells it applies to."""
    cells: dict[tuple[str, str, str], list[str]] = {}
    for pair in pairs:
        for text in _setup_differences(pair):
            key = pair.base_run.letter, pair.later_run.letter, text
            cells.setdefault(key, []).append(pair.later.name)
    for (base, later, text), names in cells.items():
        yield f"{base} → {later}, {', '.join(names)}: {text}"


def _setup_differences(pair: Counterparts) -> Iterator[str]:
    if not pair.on_one_device:
        yield f"on {pair.base.device} → {pair.later.device}"
    yield from work_differences(pair)
    if pair.base.setup is not None and pair.later.setup is not None:
        before, after = pair.base.setup, pair.later.setup
        if before.dtype != after.dtype:
            yield f"dtype {before.dtype or 'none'} → {after.dtype or 'none'}"
        if before.threads != after.threads:
            yield f"threads {before.threads} → {after.threads}"
    if pair.base.quality is not None and pair.later.quality is not None:
        old, new = pair.base.quality.truncated_share, pair.later.quality.truncated_share
        if old != new:
            yield f"truncated test comments {percent(old)} → {percent(new)}"


def _settings(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{name} {before.get(name, _NOT_RECORDED)} → {after.get(name, _NOT_RECORDED)}"
        for name in {**before, **after}
        if before.get(name, _NOT_RECORDED) != after.get(name, _NOT_RECORDED)
    ]


def _description(run: ComparedRun) -> dict[str, str]:
    machine, noise = run.run.machine, run.noise_percent

    def value(key: str, unit: str = "") -> str:
        known = machine.get(key)
        return f"{known}{unit}" if known else _NOT_RECORDED

    return {
        "measured": run.run.finished_at[:10],
        "preset": run.run.preset,
        "cpu": value("cpu"),
        "cores": value("cores_allowed"),
        "memory": value("memory_gb", " GB"),
        "accelerators": ", ".join(machine["accelerators"]) or "none",
        "system": value("system"),
        "torch": value("torch_build"),
        "commit": value("commit"),
        "fingerprint": value("fingerprint"),
        "noise": _NOT_RECORDED if noise is None else f"{significant(noise)} %",
    }
