"""The known models. A new one is a file with a `Classifier`, and a line here.

A model's file is imported only when that model is used, so what has to be known before is told
here: what kind of model it is, the devices it runs on, and whether it starts from pretrained weights.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from worthit.datasets.errors import DeviceError, RunError, UnknownNameError, is_out_of_memory
from worthit.models.contract import Classifier, read_card

Kind = Literal["classical", "encoder", "llm"]


@dataclass(frozen=True)
class Entry:
    location: str  # module:class
    kind: Kind = "classical"
    devices: tuple[str, ...] = ("cpu",)
    pretrained: bool = False


DEVICES = ("cpu", "cuda", "mps")

MODELS = {
    "lsa": Entry("worthit.models.lsa:LSA"),
    "word2vec": Entry("worthit.models.word2vec:Word2Vec"),
    "tfidf": Entry("worthit.models.tfidf:TfIdf"),
    "bert": Entry("worthit.models.bert:Bert", "encoder", DEVICES, pretrained=True),
    "llama": Entry("worthit.models.llama:Llama", "llm", DEVICES, pretrained=True),
    "llama-zero-shot": Entry(
        "worthit.models.llama_zero_shot:LlamaZeroShot", "llm", DEVICES, pretrained=True
    ),
    "llama-qlora": Entry(
        "worthit.models.llama_qlora:LlamaQLoRA", "llm", ("cpu", "cuda"), pretrained=True
    ),
}


def require_known(name: str) -> None:
    """Raises UnknownNameError, listing the known models, unless `name` is one of them."""
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS)


def model_class(name: str) -> type[Classifier[Any]]:
    """The class of a model, imported now.

    Raises:
        UnknownNameError: nobody registered it.
    """
    require_known(name)
    module, _, attribute = MODELS[name].location.partition(":")
    found: type[Classifier[Any]] = getattr(importlib.import_module(module), attribute)
    return found


def require_able(name: str, device: str) -> None:
    """Raises DeviceError unless that model can run on that kind of device."""
    able = MODELS[name].devices
    if device not in able:
        raise DeviceError(f"{name} runs on {', '.join(able)} only")


def load(folder: Path, device: str = "cpu", checkpoint: str | None = None) -> Classifier[Any]:
    """A saved model of whatever kind, ready to score on `device`; see `Classifier.load`.

    Raises:
        RunError: the folder holds none, or a damaged one.
        UnknownNameError, DeviceError, CheckpointError: this worthit or machine cannot run it.
    """
    kind = model_class(name := read_card(folder).model)
    require_able(name, device)
    try:
        return kind.load(folder, device, checkpoint)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"the {name} model in {folder} cannot be read ({reason}); copy it again whole"
        ) from error
