"""Turns `--models` and `--checkpoint` into the rows of a run and their weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from worthit.datasets.errors import OptionError
from worthit.models import registry
from worthit.models.chat import address
from worthit.models.chat.address import Address
from worthit.models.registry import ENDPOINT, HF, MODELS, is_endpoint


def names(flag: str, given: str | None) -> list[str]:
    """Split names at commas; an option that was not given has none.

    Raises:
        OptionError: the option was given without a name.
    """
    if given is None:
        return []
    result = [name.strip() for name in given.split(",") if name.strip()]
    if not result:
        raise OptionError(f"{flag} was given no name; give one or more, separated by commas")
    return result


def models(given: str | None) -> dict[str, str]:
    """The models to run: name of the row → what the user named.

    Raises:
        UnknownNameError, ModelError: as for `registry.entry`.
    """
    groups = {
        "all": list(MODELS),
        "default": [name for name, entry in MODELS.items() if entry.default],
    }
    selected = [
        _with_absolute_path(name)
        for given_name in names("--models", "default" if given is None else given)
        for name in groups.get(given_name, [given_name])
    ]
    for name in selected:
        if is_endpoint(name) and not name.startswith(ENDPOINT):
            raise OptionError("--models endpoint has no model's name; give endpoint:NAME")
        registry.entry(name)
    return registry.name_rows(selected)


def _with_absolute_path(name: str) -> str:
    """A cell may run in another folder, so its paths are absolute."""
    if not name.startswith(HF) or name == HF:
        return name
    path = _expanded("--models", name.removeprefix(HF))
    return f"{HF}{path.resolve()}" if path.exists() else name


def _expanded(flag: str, given: str) -> Path:
    """The path, with the home folder of its user; raises OptionError if there is no such user."""
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise OptionError(
            f"{flag} names {given}, but this machine has no such user; give the path without ~"
        ) from error


def checkpoints(given: Sequence[str], models: Mapping[str, str]) -> dict[str, str]:
    """The weights that replace a model's default ones: name of the row → hub id or absolute path.

    Args:
        given: each `MODEL=ID_OR_PATH`.
        models: the models of the run, as the function `models` returns them.

    Raises:
        OptionError: an item is not a pair, or its model takes no checkpoint or is not in the run.
        UnknownNameError, ModelError: as for `registry.entry`.
    """
    weights = {}
    for pair in given:
        model, _, checkpoint = pair.partition("=")
        if not checkpoint:
            raise OptionError(
                f"--checkpoint {pair!r} is not MODEL=ID_OR_PATH; try llama=SmolLM2-135M-Instruct"
            )
        _require_choice(model, pair, checkpoint)
        _require_row(model, pair, models)
        path = _expanded("--checkpoint", checkpoint)
        row = next((row for row, name in models.items() if name == model), model)
        weights[row] = str(path.resolve()) if path.exists() else checkpoint
    return weights


def _require_choice(model: str, pair: str, checkpoint: str) -> None:
    """Raises OptionError unless that model's checkpoint can be chosen."""
    entry = registry.entry(model)
    if is_endpoint(model):
        raise OptionError(f"{model} has its weights on a server; omit --checkpoint {pair}")
    if entry.location.startswith(HF):
        raise OptionError(f"{model} is a checkpoint itself; omit --checkpoint {pair}")
    if entry.trained_as:
        raise OptionError(
            f"{model} is {entry.trained_as} converted; "
            f"give --checkpoint {entry.trained_as}={checkpoint} for both"
        )
    if not entry.pretrained:
        others = ", ".join(
            name for name, other in MODELS.items() if other.pretrained and not other.trained_as
        )
        raise OptionError(f"{model} has no checkpoint to choose; those that have: {others}")


def _require_row(model: str, pair: str, models: Mapping[str, str]) -> None:
    """Raises OptionError unless that model, or one converted from it, is in the run."""
    if not any(model in (name, registry.entry(name).trained_as) for name in models.values()):
        raise OptionError(
            f"--checkpoint {pair} is for {model}, which is not in this run ({', '.join(models)}); name it with "
            "--models, or omit --checkpoint"
        )


def without_path(row: str, name: str) -> str:
    """A model as the user named it; an absolute path is shortened to the row's name."""
    return row if Path(name.removeprefix(HF).removeprefix(ENDPOINT)).is_absolute() else name


def endpoint(given: str | None, models: Mapping[str, str]) -> Address | None:
    """The server of the models endpoint:NAME.

    Raises:
        OptionError: the address makes no sense, or only one of address and model is given.
    """
    asked = [name for name in models.values() if is_endpoint(name)]
    if given is None and asked:
        raise OptionError(f"{asked[0]} needs the address of its server: --endpoint URL")
    if given is not None and not asked:
        raise OptionError("--endpoint has no model; name one, --models endpoint:NAME")
    return None if given is None else address.parse(given)


def require_portable(models: Mapping[str, str], checkpoints: Mapping[str, str]) -> None:
    """Refuse what the nodes of a cluster cannot find: files of this machine.

    Args:
        models: as the function `models` returns them.
        checkpoints: as the function `checkpoints` returns them.

    Raises:
        OptionError: a model is a server's, or its weights are a file or folder here.
    """
    for name in models.values():
        if is_endpoint(name):
            raise OptionError(f"{name} is measured on its server, not on nodes; omit --cluster")
    own = {row: name.removeprefix(HF) for row, name in models.items() if name.startswith(HF)}
    for row, weights in {**own, **checkpoints}.items():
        if Path(weights).is_absolute() or weights.endswith(".gguf"):
            raise OptionError(
                f"the weights of {row} are files of this machine, which nodes do not have; publish them on a hub "
                "and give their id"
            )
