"""Models that runs have trained and this machine's cache still holds: found by name, taken along."""

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import OptionError, OutputError, RunError
from worthit.models.contract import CARD, Card, read_card
from worthit.models.registry import HF, MODELS, is_user_code, row_name

_MEASURE = "measure with: pytest bench/ --benchmark-only"


@dataclass(frozen=True)
class Kept:
    """A saved model."""

    folder: Path
    title: str  # for people: "tfidf-cpu of 2026-01-02-quick"
    card: Card


def find(given: str, runs: Path) -> Kept:
    """The saved model that a user names.

    Args:
        given: MODEL, trained by the latest run that is complete, as it was named or as its row is
            called; RUN:MODEL or RUN:CELL; or a folder.
        runs: the folder of the saved runs.

    Raises:
        RunError: there is no such run or model, or the cache no longer has it.
    """
    if given in MODELS:
        return _latest(given, runs)
    path = Path(given).expanduser()
    if path.is_dir():
        card = read_card(path)
        return Kept(path, f"{card.model} in {path}", card)
    run_name, wanted = _taken_apart(given, runs)
    if not run_name:
        return _latest(given, runs)
    file = Path(run_name) if run_name.endswith(".json") else runs / f"{run_name}.json"
    run = run_file.load(file)
    cells = [cell for cell in run.cells if _is_meant(wanted, cell) or wanted == cell.name]
    if not cells:
        known = ", ".join(cell.name for cell in run.cells)
        raise RunError(f"{file.stem} has no cell {wanted!r}; it has: {known}")
    return _held(cells, file.stem) or _gone(wanted, file.stem)


def _taken_apart(given: str, runs: Path) -> tuple[str, str]:
    """Run and model, which may have a colon itself; no run where just a model is meant."""
    file, suffix, wanted = given.partition(".json:")
    if suffix:
        return f"{file}.json", wanted
    run_name, _, wanted = given.partition(":")
    is_code = is_user_code(given) and wanted not in MODELS
    if given.startswith(HF) or (is_code and not (runs / f"{run_name}.json").is_file()):
        return "", given
    return (run_name, wanted) if wanted else ("", given)


def _is_meant(wanted: str, cell: CellRecord) -> bool:
    code = cell.setup and cell.setup.code
    return wanted in (cell.model, code) or (row_name(wanted) == cell.model and code is None)


def _latest(model: str, runs: Path) -> Kept:
    found: list[tuple[Run, str]] = []
    for file in runs.glob("*.json"):
        try:
            found.append((run_file.load(file), file.stem))
        except RunError:
            continue  # `worthit runs` tells of it
    ever = [cell for run, _ in found for cell in run.cells if _is_meant(model, cell)]
    if not ever and ":" not in model and model not in MODELS:
        raise RunError(
            f"there is no model or folder {model!r}; give a folder, RUN:MODEL, or one of "
            f"{', '.join(MODELS)}, or your own as it was named"
        )
    for run, name in sorted(found, key=lambda pair: pair[0].started_at, reverse=True):
        cells = [cell for cell in run.cells if _is_meant(model, cell)]
        if run.complete and (kept := _held(cells, name)):
            return kept
    raise RunError(
        f"no complete run in {runs} has trained a {model} that is still in the cache "
        f"{cache_folder()}; {_MEASURE} --models {model}"
    )


def _held(cells: list[CellRecord], run: str) -> Kept | None:
    """Of the first of these cells whose model the cache holds."""
    for cell in cells:
        if cell.training is not None:
            folder = cache_folder("artifacts", cell.training.artifact)
            if folder.is_dir():
                return Kept(folder, f"{cell.name} of {run}", read_card(folder))
    return None


def _gone(wanted: str, run: str) -> Kept:
    raise RunError(
        f"the cache {cache_folder()} does not hold {wanted} of {run} (cleared, of another "
        f"machine, or its training failed); {_MEASURE}"
    )


def require_trusted(kept: Kept, code: str | None) -> None:
    """See that no folder decides which code of this machine is run.

    Args:
        code: what the user named, `module:Class`.

    Raises:
        OptionError: the model is not worthit's, was not trained here, and nobody named its code.
    """
    here = kept.folder.resolve().is_relative_to(cache_folder("artifacts").resolve())
    if is_user_code(kept.card.model) and not here and code != kept.card.model:
        raise OptionError(
            f"{kept.folder} holds a model of the code {kept.card.model}, which would be run; if you trust "
            f"that code, as it is installed here, give --code {kept.card.model}"
        )


def export(kept: Kept, target: Path) -> float:
    """Copy a saved model out of the cache, whole or not at all; returns its size in MB.

    Raises:
        OutputError: the target is there already, or cannot be written.
    """
    if target.exists():
        raise OutputError(f"{target} is there already; give a folder that is not")
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(kept.folder, scratch)
        scratch.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert (target / CARD).is_file()
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) / 1e6
