"""What else differs between runs that are compared, and where they were made."""

from collections.abc import Iterator, Sequence
from typing import Any

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.record import Data, Run, significant
from worthit.reports.compare.counterparts import Pair, Side, alone
from worthit.reports.text import class_names
from worthit.reports.text.format import percent

_NOT_RECORDED = "not recorded"


def warnings(sides: Sequence[Side], pairs: Sequence[Pair]) -> list[str]:
    """One line each: why a difference in the figures may not be one of the code."""
    base, *later = sides
    return [
        *(line for side in sides for line in _of_one_run(side)),
        *(line for side in later for line in _of_two_runs(base, side)),
        *_of_cells(base, pairs),
        *alone(sides, pairs),
    ]


def _of_one_run(side: Side) -> Iterator[str]:
    run = side.run
    if not run.complete:
        yield f"{side.letter} was interrupted: cells that had not finished are missing"
    if run.noise.value is None:
        yield (
            f"{side.letter}: the machine's noise is not recorded, so nobody knows what a small "
            "difference in time means"
        )
    elif run.noise.value >= NOISY_PERCENT:
        yield (
            f"{side.letter}: the machine was noisy, {significant(run.noise.value)} %; small "
            "differences in time mean nothing"
        )


def _of_two_runs(base: Side, later: Side) -> Iterator[str]:
    if base.run.preset != later.run.preset:
        presets = f"{base.run.preset} → {later.run.preset}"
        yield f"{base.letter} → {later.letter}, preset: {presets}"
    differing = list(_data(base.run.data, later.run.data))
    if differing:
        yield f"{base.letter} → {later.letter}, data: {', '.join(differing)}"


def _data(before: Data, after: Data) -> Iterator[str]:
    if before.dataset != after.dataset:
        yield f"dataset {before.dataset} → {after.dataset}"
    if before.classes != after.classes:
        names = [
            ", ".join(class_names.names(data))
            if len(data.classes) == 2
            else f"{len(data.classes)} classes"
            for data in (before, after)
        ]
        yield f"classes {names[0]} → {names[1]}" if names[0] != names[1] else "other classes"
    if before.fingerprint != after.fingerprint:
        yield "other comments or labels (fingerprint)"
    if before.seed != after.seed:
        yield f"seed {before.seed} → {after.seed}"
    if before.key != after.key:
        yield f"split {before.key} → {after.key}"
    sizes = [data.step("train").comments for data in (before, after)]
    if sizes[0] != sizes[1]:
        yield f"{sizes[0]:,} → {sizes[1]:,} to train on"
    if len(before.test.ids) != len(after.test.ids):
        yield f"{len(before.test.ids):,} → {len(after.test.ids):,} to test on"
    common = len({*before.test.ids} & {*after.test.ids})
    if common < max(len(before.test.ids), len(after.test.ids)):
        yield f"{common:,} test comments in common, so accuracies are not paired"
    relabelled = _relabelled(before, after)
    if relabelled:
        yield f"{relabelled:,} test comments of another label, so accuracies are not paired"


def _relabelled(before: Data, after: Data) -> int:
    if before.classes != after.classes:
        return 0
    labels = dict(zip(after.test.ids, after.test.labels, strict=True))
    return sum(
        labels.get(comment, label) != label
        for comment, label in zip(before.test.ids, before.test.labels, strict=True)
    )


def _of_cells(base: Side, pairs: Sequence[Pair]) -> Iterator[str]:
    """In what the counterparts were set up differently; a line each, the same of many cells once."""
    lines: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        for text in _setups(pair):
            lines.setdefault((pair.side.letter, text), []).append(pair.later.name)
    for (letter, text), cells in lines.items():
        yield f"{base.letter} → {letter}, {', '.join(cells)}: {text}"


def _setups(pair: Pair) -> Iterator[str]:
    if not pair.one_device:
        yield f"on {pair.base.device} → {pair.later.device}"
    yield from work(pair)
    if pair.base.setup is not None and pair.later.setup is not None:
        before, after = pair.base.setup, pair.later.setup
        if before.dtype != after.dtype:
            yield f"dtype {before.dtype or 'none'} → {after.dtype or 'none'}"
        if before.threads != after.threads:
            yield f"threads {before.threads} → {after.threads}"
    if pair.base.quality is not None and pair.later.quality is not None:
        shares = [cell.truncated_share for cell in (pair.base.quality, pair.later.quality)]
        if shares[0] != shares[1]:
            yield f"test comments truncated {percent(shares[0])} → {percent(shares[1])}"


def work(pair: Pair) -> Iterator[str]:
    """In what counterparts were told to do other work: pretrained weights and settings."""
    if pair.base.setup is not None and pair.later.setup is not None:
        before, after = pair.base.setup, pair.later.setup
        if before.checkpoint_identity != after.checkpoint_identity:
            names = [setup.checkpoint or "none" for setup in (before, after)]
            same = names[0] == names[1]
            yield f"checkpoint {names[0]} → {'other weights of that name' if same else names[1]}"
    for part in ("training", "setup"):  # in effect, or else as asked for
        held = [getattr(cell, part) for cell in (pair.base, pair.later)]
        if None not in held:
            differing = _settings(held[0].settings, held[1].settings)
            if differing:
                yield f"settings {', '.join(differing)}"
            return


def _settings(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{name} {before.get(name, _NOT_RECORDED)} → {after.get(name, _NOT_RECORDED)}"
        for name in {**before, **after}
        if before.get(name, _NOT_RECORDED) != after.get(name, _NOT_RECORDED)
    ]


def hardware(sides: Sequence[Side]) -> list[list[str]]:
    """Rows of what each run was made on, one column a run."""
    columns = [_described(side.run) for side in sides]
    return [[what, *(column[what] for column in columns)] for what in columns[0]]


def _described(run: Run) -> dict[str, str]:
    machine = run.machine
    memory = machine.get("memory_gb")
    return {
        "measured": run.finished_at[:10],
        "preset": run.preset,
        "cpu": str(machine.get("cpu", _NOT_RECORDED)),
        "cores": str(machine.get("cores_allowed", _NOT_RECORDED)),
        "memory": f"{memory} GB" if memory else _NOT_RECORDED,
        "accelerators": ", ".join(machine.get("accelerators", [])) or "none",
        "system": str(machine.get("system", _NOT_RECORDED)),
        # Older runs hold no build, but which torch it was.
        "torch": str(
            machine.get("torch_build") or machine.get("libraries", {}).get("torch", _NOT_RECORDED)
        ),
        "commit": str(machine.get("commit") or _NOT_RECORDED),
        "fingerprint": str(machine.get("fingerprint", _NOT_RECORDED)),
        "noise": _noise(run),
    }


def _noise(run: Run) -> str:
    if run.noise.value is None:
        return _NOT_RECORDED
    return f"{significant(run.noise.value)} %"
