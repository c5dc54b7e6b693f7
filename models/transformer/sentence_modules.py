"""How a checkpoint of sentence-transformers makes an embedding of a text, read from its files.

    modules.json                          the steps after the encoder, in order
    N_Pooling/config.json                 how token vectors become one vector
    N_Dense/config.json, model.safetensors  a linear layer after that
    config_sentence_transformers.json     texts to put before each text, and which by default
    sentence_bert_config.json             the most tokens, and whether letters are made small

A checkpoint without modules.json is pooled by the mean, as sentence-transformers does. Steps that are
not known here are refused: the vectors would not be those that the checkpoint was trained to give.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from worthit.datasets.errors import CheckpointError

#: states (rows, width, size), real (rows, width), lengths (rows,) → (rows, size)
Pool = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
#: vectors (rows, size) → (rows, another size)
Step = Callable[[torch.Tensor], torch.Tensor]

_OTHER = "give another checkpoint"
_ACTIVATIONS: dict[str, Step] = {
    "Identity": lambda vectors: vectors,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "Sigmoid": torch.sigmoid,
    "GELU": torch.nn.functional.gelu,
}


def _sum(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (states * weights[:, :, None]).sum(dim=1)


def _mean(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return _sum(states, weights) / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)


def _weighted(states: torch.Tensor, real: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return _mean(states, real * torch.arange(1, states.shape[1] + 1, device=states.device))


def _last(states: torch.Tensor, _: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states), device=states.device), lengths - 1]


_POOLS: dict[str, Pool] = {
    "cls": lambda states, real, lengths: states[:, 0],
    "max": lambda states, real, lengths: states.masked_fill(~real[:, :, None], -1e9).amax(dim=1),
    "mean": lambda states, real, lengths: _mean(states, real),
    "mean_sqrt_len_tokens": lambda states, real, lengths: (
        _sum(states, real) / real.sum(dim=1, keepdim=True).clamp(min=1e-9).sqrt()
    ),
    "weightedmean": _weighted,
    "lasttoken": _last,
}
# As older configurations spell them, in the order in which vectors of several modes are put side by side.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True)
class SentenceModules:
    """What a checkpoint does around its encoder."""

    modes: tuple[str, ...] = ("mean",)
    prompt: str = ""  # before each text
    pools_prompt: bool = True  # False: the prompt's tokens are read, but not pooled
    small_letters: bool = False
    most_tokens: int | None = None  # with the prompt and special tokens
    steps: tuple[Step, ...] = ()

    @property
    def is_plain_mean(self) -> bool:
        return self.modes == ("mean",) and (self.pools_prompt or not self.prompt)

    @property
    def needs_only_direction(self) -> bool:
        """True if the length of a pooled vector does not matter, so that a sum is as good as a mean."""
        return self.modes == ("mean",) and not self.steps

    def text(self, comment: str) -> str:
        """What the tokenizer gets."""
        text = f"{self.prompt}{comment}".strip()
        return text.lower() if self.small_letters else text

    def pool(self, states: torch.Tensor, lengths: torch.Tensor, skipped: int = 0) -> torch.Tensor:
        """One vector for each row of a padded batch.

        Args:
            states: shape (rows, width, size).
            lengths: tokens of each row, shape (rows,).
            skipped: first tokens that do not count.
        """
        places = torch.arange(states.shape[1], device=states.device)
        real = (places < lengths[:, None]) & (places >= skipped)
        if self.needs_only_direction:
            return _sum(states, real)
        return torch.cat([_POOLS[mode](states, real, lengths) for mode in self.modes], dim=1)

    def finish(self, vectors: torch.Tensor) -> torch.Tensor:
        """The steps after pooling, and a length of 1, whether or not they end in it."""
        for step in self.steps:
            vectors = step(vectors)
        return torch.nn.functional.normalize(vectors, dim=1)


def read(folder: Path, given: str, device: str, *, is_packaged: bool = False) -> SentenceModules:
    """What the files of a checkpoint say.

    Args:
        given: the checkpoint, as the user named it.
        device: of the vectors.
        is_packaged: True for packaged weights, which are pooled by the mean; their package lacks the file
            that says so.

    Raises:
        CheckpointError: a file is missing or damaged, or has a step that is not known here.
    """
    if not (folder / "modules.json").is_file():
        return SentenceModules()
    try:
        return _read(folder, given, device, is_packaged)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{given} has damaged files of sentence-transformers ({type(error).__name__}: {error}); "
            f"{_OTHER}"
        ) from error


def _read(folder: Path, given: str, device: str, is_packaged: bool) -> SentenceModules:
    modules = _json(folder / "modules.json")
    kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
    if kinds[:1] != ["Transformer"] or modules[0]["path"]:
        raise CheckpointError(f"{given} does not begin with an encoder in its own folder; {_OTHER}")
    if kinds[1:2] != ["Pooling"]:
        raise CheckpointError(f"{given} does not pool after its encoder; {_OTHER}")
    steps = [
        _step(kind, folder / module["path"], given, device)
        for kind, module in zip(kinds[2:], modules[2:], strict=True)
    ]
    if kinds[-1] == "Normalize":
        steps.pop()  # `finish` ends in it
    pooling = {"pooling_mode": "mean"}
    if not is_packaged:
        pooling = _json(folder / modules[1]["path"] / "config.json")
    texts = _optional_json(folder / "config_sentence_transformers.json")
    limits = _optional_json(folder / "sentence_bert_config.json")
    name = texts.get("default_prompt_name")
    return SentenceModules(
        modes=_modes(pooling, given),
        prompt="" if name is None else str(texts["prompts"][name]),
        pools_prompt=bool(pooling.get("include_prompt", True)),
        small_letters=bool(limits.get("do_lower_case", False)),
        most_tokens=limits.get("max_seq_length"),
        steps=tuple(steps),
    )


def _modes(pooling: Mapping[str, Any], given: str) -> tuple[str, ...]:
    named = pooling.get("pooling_mode")  # of newer versions: one name or several
    modes = [named] if isinstance(named, str) else list(named or ())
    modes += [] if modes else [mode for flag, mode in _FLAGS.items() if pooling.get(flag)]
    unknown = [key for key in pooling if key.startswith("pooling_mode_") and key not in _FLAGS]
    unknown = [key for key in unknown if pooling[key]] + [m for m in modes if m not in _POOLS]
    if unknown or not modes:
        raise CheckpointError(
            f"{given} pools by {', '.join(unknown) or 'nothing'}; known: {', '.join(_POOLS)}; {_OTHER}"
        )
    if "cls" in modes and not pooling.get("include_prompt", True):
        raise CheckpointError(
            f"{given} pools its first token without the prompt, which versions of sentence-transformers do "
            f"differently; {_OTHER}"
        )
    return tuple(modes)


def _step(kind: str, folder: Path, given: str, device: str) -> Step:
    if kind == "Normalize":
        return lambda vectors: torch.nn.functional.normalize(vectors, dim=1)
    if kind == "Dropout":  # in training only
        return lambda vectors: vectors
    if kind != "Dense":
        raise CheckpointError(
            f"{given} has the step {kind}; known: Pooling, Dense, Dropout, Normalize; {_OTHER}"
        )
    config = _json(folder / "config.json")
    if config.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise CheckpointError(
            f"{given} has a Dense step for {config['module_input_name']}; {_OTHER}"
        )
    name = str(config["activation_function"]).rpartition(".")[2]
    if name not in _ACTIVATIONS:
        raise CheckpointError(
            f"{given} has the activation {name}; known: {', '.join(_ACTIVATIONS)}; {_OTHER}"
        )
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError(
            f"{given} has {folder.name} without model.safetensors; pickled weights (*.bin) can run "
            f"code and are never opened; {_OTHER}"
        )
    tensors = {key: value.float() for key, value in load_file(folder / "model.safetensors").items()}
    weight, bias = tensors["linear.weight"].to(device), tensors.get("linear.bias")
    bias, activate = bias if bias is None else bias.to(device), _ACTIVATIONS[name]
    return lambda vectors: activate(torch.nn.functional.linear(vectors, weight, bias))


def _json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def _optional_json(file: Path) -> dict[str, Any]:
    return dict(_json(file)) if file.is_file() else {}
