"""Models trained by benchmark runs and still in this machine's cache: find them, export them."""

import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import OptionError, OutputError, RunError
from worthit.models.card import CARD, Card, read_card
from worthit.models.registry import ENDPOINT, HF, MODELS, is_user_code, row_name

_MEASURE = "measure with: worthit run"


@dataclass(frozen=True)
class TrainedModel:
    folder: Path
    title: str  # for people: "tfidf-cpu of 2026-01-02-quick"
    card: Card
    run: Run | None = None  # that trained it, with its cell; None: a folder
    cell: CellRecord | None = None


def find(given: str, runs: Path) -> TrainedModel:
    """The trained model that a user names.

    Args:
        given: a folder; RUN:MODEL or RUN:CELL; or MODEL, as the user named it or as reports call it, which
            is the one trained by the latest complete run.
        runs: the folder of the saved runs.

    Raises:
        RunError: the run or model does not exist, or the model is no longer in the cache.
    """
    if given in MODELS:
        return _find_latest(given, runs)
    path = _expanded(given)
    if path.is_dir():
        card = read_card(path)
        return TrainedModel(path, f"{card.model} in {path}", card)
    run_name, name = _split_name(given, runs)
    if not run_name:
        return _find_latest(given, runs)
    file = Path(run_name) if run_name.endswith(".json") else runs / f"{run_name}.json"
    run = run_file.load(file)
    cells = [cell for cell in run.cells if _matches(name, cell) or name == cell.name]
    if not cells:
        known = ", ".join(cell.name for cell in run.cells)
        raise RunError(f"{file.stem} has no cell {name!r}; it has: {known}")
    model = _find_cached(cells, run, file.stem)
    if model is None:
        raise RunError(
            f"the cache {cache_folder()} does not hold {name} of {file.stem} (cleared, on another "
            f"machine, or its training failed); {_MEASURE}"
        )
    return model


def _expanded(given: str) -> Path:
    """The path, with the home folder of its user; raises RunError if there is no such user."""
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise RunError(
            f"{given} names a user that this machine does not have; give a path"
        ) from error


def _split_name(given: str, runs: Path) -> tuple[str, str]:
    """Run and model. A model's name may contain a colon; the run is empty if only a model is named."""
    file, suffix, name = given.partition(".json:")
    if suffix:
        return f"{file}.json", name
    run_name, _, name = given.partition(":")
    is_code = is_user_code(given) and name not in MODELS
    if given.startswith((HF, ENDPOINT)) or (is_code and not (runs / f"{run_name}.json").is_file()):
        return "", given
    return (run_name, name) if name else ("", given)


def _matches(name: str, cell: CellRecord) -> bool:
    code = cell.setup and cell.setup.code
    return name in (cell.model, code) or (row_name(name) == cell.model and code is None)


def _find_latest(model: str, runs: Path) -> TrainedModel:
    loaded = dict(run_file.readable(runs.glob("*.json")))
    matches = {
        name: [cell for cell in run.cells if _matches(model, cell)] for name, run in loaded.items()
    }
    if not any(matches.values()) and ":" not in model and model not in MODELS:
        raise RunError(
            f"there is no model or folder {model!r}; give a folder, RUN:MODEL, or one of "
            f"{', '.join(MODELS)}, or the name of your own model in a run"
        )
    for name in sorted(loaded, key=lambda name: loaded[name].started_at, reverse=True):
        if loaded[name].complete and (found := _find_cached(matches[name], loaded[name], name)):
            return found
    raise RunError(
        f"no complete run in {runs} has trained a {model} that is still in the cache "
        f"{cache_folder()}; {_MEASURE} --models {model}"
    )


def _find_cached(cells: Iterable[CellRecord], run: Run, run_name: str) -> TrainedModel | None:
    """The model of the first of these cells that is in the cache."""
    for cell in cells:
        if cell.training is not None:
            folder = cache_folder("artifacts", cell.training.artifact)
            if folder.is_dir():
                title = f"{cell.name} of {run_name}"
                return TrainedModel(folder, title, read_card(folder), run, cell)
    return None


def require_named_code(model: TrainedModel, code: str | None) -> None:
    """Refuse a folder from elsewhere that decides which code of this machine runs.

    Args:
        code: `module:Class`, as the user named it.

    Raises:
        OptionError: the folder needs the user's code, was not trained here, and `code` does not name it.
    """
    here = model.folder.resolve().is_relative_to(cache_folder("artifacts").resolve())
    if is_user_code(model.card.model) and not here and code != model.card.model:
        raise OptionError(
            f"{model.folder} holds a model of the code {model.card.model}, which would run; if you trust "
            f"that code, as it is installed here, give --code {model.card.model}"
        )


def export(model: TrainedModel, target: Path, beside: Mapping[str, bytes]) -> float:
    """Copy a trained model out of the cache, whole or not at all; returns its size in MB.

    Args:
        beside: content of more files, by name.

    Raises:
        OutputError: the target exists, or cannot be written.
    """
    if target.exists():
        raise OutputError(f"{target} exists already; give a new folder")
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model.folder, scratch)
        for name, content in beside.items():
            (scratch / name).write_bytes(content)
        scratch.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert (target / CARD).is_file()
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) / 1e6
