"""Which models a run has, and on top of which weights: the user's words to rows and what they mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from worthit.datasets.errors import OptionError
from worthit.models import registry
from worthit.models.registry import HF, MODELS


def listed(option: str, given: str | None) -> list[str]:
    """Names separated by commas; none where the option is not given.

    Raises:
        OptionError: it is given, without a name.
    """
    if given is None:
        return []
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise OptionError(f"{option} was given no name; give one or more, separated by commas")
    return names


def models(given: str | None) -> dict[str, str]:
    """The models to run, by what their rows are called.

    Raises:
        UnknownNameError, ModelError: as for `registry.entry`.
    """
    groups = {
        "all": list(MODELS),
        "default": [name for name, entry in MODELS.items() if entry.default],
    }
    names = [
        name
        for part in listed("--models", "default" if given is None else given)
        for name in groups.get(part, [part])
    ]
    names = [_with_whole_path(name) for name in names]
    for name in names:
        registry.entry(name)
    return registry.name_rows(names)


def _with_whole_path(name: str) -> str:
    """A path means the same wherever the cell runs from."""
    path = Path(name.removeprefix(HF)).expanduser()
    if not name.startswith(HF) or name == HF or not path.exists():
        return name
    return f"{HF}{path.resolve()}"


def checkpoints(given: Sequence[str], chosen_models: Mapping[str, str]) -> dict[str, str]:
    """The weights to use instead of a model's own, by what its row is called.

    Args:
        given: as written, `MODEL=ID_OR_PATH` each.

    Raises:
        OptionError: one is no such pair, or that model takes no checkpoint.
        UnknownNameError, ModelError: as for `registry.entry`.
    """
    chosen = {}
    for pair in given:
        model, _, checkpoint = pair.partition("=")
        if not checkpoint:
            raise OptionError(
                f"--checkpoint {pair!r} is not MODEL=ID_OR_PATH; try llama=SmolLM2-135M-Instruct"
            )
        if registry.entry(model).location.startswith(HF):
            raise OptionError(f"{model} is a checkpoint itself; leave --checkpoint {pair} away")
        if trained_as := registry.entry(model).trained_as:
            raise OptionError(
                f"{model} is {trained_as} converted; give --checkpoint {trained_as}={checkpoint} for both"
            )
        if not registry.entry(model).pretrained:
            takers = ", ".join(
                name for name, entry in MODELS.items() if entry.pretrained and not entry.trained_as
            )
            raise OptionError(f"{model} has no checkpoint to choose; those that have: {takers}")
        # A path means the same wherever the cell runs from.
        path = Path(checkpoint).expanduser()
        row = next((row for row, name in chosen_models.items() if name == model), model)
        chosen[row] = str(path.resolve()) if path.exists() else checkpoint
    return chosen


def shown(row: str, named: str) -> str:
    """A model as the user named it, a checkpoint's path shortened as its row's name is."""
    return row if Path(named.removeprefix(HF)).is_absolute() else named
