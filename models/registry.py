"""The known models. A new one is a file with a `Classifier`, and a line here.

A model's file is imported only when that model is used, so what has to be known before is told
here: what kind of model it is, the devices it runs on, and whether it starts from pretrained weights.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from worthit.datasets.errors import UnknownNameError
from worthit.models.contract import Classifier

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
