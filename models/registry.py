"""The known models. A new one is a file with a `Classifier`, and a line here.

A model's file is imported only when that model is used, so what has to be known before is told
here: what kind of model it is, the devices it runs on, and whether it starts from pretrained weights.

Models that nobody registered are named by where they are: `module:Class` is the user's own code,
`hf:CHECKPOINT` further weights for one of the recipes here.
"""

import importlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from worthit.datasets.errors import (
    DeviceError,
    RunError,
    UnknownNameError,
    WorthitError,
    is_out_of_memory,
)
from worthit.models.contract import DEVICES, Classifier, Entry, read_card

HF = "hf:"
_OWN = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
USAGES = ("module:Class", "hf:CHECKPOINT")

MODELS = {
    # Each pair more makes the paired tests stricter: what says little beside others is no default.
    "majority": Entry("worthit.models.majority:Majority", default=False),
    "word-list": Entry("worthit.models.word_list:WordList", default=False),
    "lsa": Entry("worthit.models.lsa:LSA"),
    "word2vec": Entry("worthit.models.word2vec:Word2Vec"),
    "fasttext": Entry("worthit.models.fasttext:FastText", default=False),
    "tfidf": Entry("worthit.models.tfidf:TfIdf"),
    "embeddings": Entry(
        "worthit.models.embeddings:Embeddings", "encoder", DEVICES, pretrained=True
    ),
    "bert": Entry("worthit.models.bert:Bert", "encoder", DEVICES, pretrained=True),
    "bert-int8": Entry(
        "worthit.models.bert_int8:BertInt8",
        "encoder",
        pretrained=True,
        default=False,
        trained_as="bert",
    ),
    "bert-onnx-int8": Entry(
        "worthit.models.bert_onnx_int8:BertOnnxInt8",
        "encoder",
        pretrained=True,
        default=False,
        trained_as="bert",
    ),
    "llama": Entry("worthit.models.llama:Llama", "llm", DEVICES, pretrained=True),
    "llama-int8": Entry(
        "worthit.models.llama_int8:LlamaInt8",
        "llm",
        pretrained=True,
        default=False,
        trained_as="llama",
    ),
    "llama-zero-shot": Entry(
        "worthit.models.llama_zero_shot:LlamaZeroShot", "llm", DEVICES, pretrained=True
    ),
    "llama-qlora": Entry(
        "worthit.models.llama_qlora:LlamaQLoRA", "llm", ("cpu", "cuda"), pretrained=True
    ),
}


def entry(name: str) -> Entry:
    """What is to be known of a model before it is used; the user's own code is imported for it.

    Raises:
        UnknownNameError: nobody registered it, and it is no place either.
        ModelError: the user's own cannot be used; says why.
    """
    if name in MODELS:
        return MODELS[name]
    if name.removeprefix(HF) and name.startswith(HF):
        return Entry(name, None, DEVICES, pretrained=True)
    if is_own(name):
        from worthit.models import user_model as own

        return own.entry(name, MODELS.values())
    raise UnknownNameError("model", name, (*MODELS, *USAGES))


def is_own(name: str) -> bool:
    """Whether this names code of the user's."""
    return name not in MODELS and not name.startswith(HF) and bool(_OWN.fullmatch(name))


def model_class(name: str) -> type[Classifier[Any]]:
    """The class of a model, imported now.

    Raises:
        UnknownNameError, ModelError: as for `entry`.
        CheckpointError: those weights cannot be had, or no recipe takes them.
    """
    if name.startswith(HF):
        from worthit.models.weights import checkpoints

        return model_class(checkpoints.recipe(name.removeprefix(HF)))
    location = entry(name).location
    if name not in MODELS:
        from worthit.models import user_model as own

        return own.classifier(location)
    module, _, attribute = location.partition(":")
    found: type[Classifier[Any]] = getattr(importlib.import_module(module), attribute)
    return found


def settings(name: str) -> dict[str, Any]:
    """The settings that a model's name decides."""
    return {"checkpoint": name.removeprefix(HF)} if name.startswith(HF) else {}


def rows(given: Iterable[str]) -> dict[str, str]:
    """What to call the models of a run: a row's name → what the user named.

    Names are fit for tests and pictures, as short as can be, and tell no folder of the user's:
    `my_package.my_module:MyClassifier` is `MyClassifier`, `hf:distilbert/distilbert-base-uncased`
    is `hf:distilbert-base-uncased`, and of two that would be the same the second has all of it.
    """
    named: dict[str, str] = {}
    for name in dict.fromkeys(given):
        row, number = row_name(name), 2
        if row in named:
            row = row_name(name, short=False)
        while row in named:  # two folders of one name
            row, number = f"{row_name(name)}.{number}", number + 1
        named[row] = name
    return named


def row_name(given: str, *, short: bool = True) -> str:
    """One model's name in a run that has no other of that name; any other name stays as it is."""
    if is_own(given):
        name = given.rpartition(":")[2]
        return name if short and name not in MODELS else given.replace(":", ".")
    if not given.startswith(HF):
        return given
    path = Path(given.removeprefix(HF)).expanduser()
    own_path = path.is_absolute() or path.exists()
    name = path.name if short or own_path else str(path).replace("/", "--")
    return HF + re.sub(r"[^\w.-]+", "-", name.removesuffix(".gguf"))


def require_able(name: str, device: str) -> None:
    """Raises DeviceError unless that model can run on that kind of device."""
    able = entry(name).devices
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
    except WorthitError:
        raise
    except Exception as error:  # damaged files have each library raise something of its own
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"the {name} model in {folder} cannot be read ({reason}); copy it again whole"
        ) from error
