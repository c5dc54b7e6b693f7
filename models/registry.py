"""The known models. A new one is a file with a `Classifier`, and a line here.

A model's file is imported only when the model is used. So a line has what must be known before: the
kind of model, its devices, whether it starts from pretrained weights, and whether a seed changes it.

Unregistered models have three forms of name: `module:Class` is the user's code, `hf:CHECKPOINT` is other
weights for a model here, and `endpoint:NAME` a model on a chat-completions server.
"""

import importlib
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from worthit.datasets.errors import (
    DeviceError,
    RunError,
    UnknownNameError,
    WorthitError,
    is_out_of_memory,
    one_line,
)
from worthit.models.card import read_card
from worthit.models.contract import DEVICES, Classifier, ModelEntry

HF = "hf:"
ENDPOINT = "endpoint:"
USAGES = ("module:Class", "hf:CHECKPOINT", "endpoint:NAME")
_USER_CODE = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")

_pretrained = partial(ModelEntry, pretrained=True, languages=("en",))
_ENDPOINT = ModelEntry(
    "worthit.models.endpoint:Endpoint", "endpoint", default=False, multilabel=False, seeded=False
)

MODELS = {
    # Each additional model takes time and a row, so less informative models are not default.
    "majority": ModelEntry("worthit.models.majority:Majority", default=False, seeded=False),
    "word-list": ModelEntry("worthit.models.word_list:WordList", default=False, seeded=False),
    "lsa": ModelEntry("worthit.models.lsa:LSA"),
    "word2vec": ModelEntry("worthit.models.word2vec:Word2Vec"),
    "fasttext": ModelEntry("worthit.models.fasttext:FastText", default=False),
    "tfidf": ModelEntry("worthit.models.tfidf:TfIdf", seeded=False),
    "static": _pretrained("worthit.models.static:Static", "classical", default=False, seeded=False),
    "embeddings": _pretrained(
        "worthit.models.embeddings:Embeddings", "encoder", DEVICES, seeded=False
    ),
    "bert": _pretrained("worthit.models.bert:Bert", "encoder", DEVICES),
    "bert-int8": _pretrained(
        "worthit.models.bert_int8:BertInt8", "encoder", default=False, trained_as="bert"
    ),
    "bert-onnx-int8": _pretrained(
        "worthit.models.bert_onnx_int8:BertOnnxInt8", "encoder", default=False, trained_as="bert"
    ),
    "bert-openvino": _pretrained(
        "worthit.models.bert_openvino:BertOpenVino", "encoder", default=False, trained_as="bert"
    ),
    "llama": _pretrained("worthit.models.llama:Llama", "llm", DEVICES),
    "llama-int8": _pretrained(
        "worthit.models.llama_int8:LlamaInt8", "llm", default=False, trained_as="llama"
    ),
    "llama-head": _pretrained("worthit.models.llama_head:LlamaHead", "llm", DEVICES, default=False),
    "llama-zero-shot": _pretrained(
        "worthit.models.llama_zero_shot:LlamaZeroShot", "llm", DEVICES, seeded=False
    ),
    "llama-few-shot": _pretrained(
        "worthit.models.llama_few_shot:LlamaFewShot", "llm", DEVICES, default=False
    ),
    "llama-qlora": _pretrained("worthit.models.llama_qlora:LlamaQLoRA", "llm", ("cpu", "cuda")),
}


def entry(name: str) -> ModelEntry:
    """The registry line of a model; the user's own code is imported for it.

    Raises:
        UnknownNameError: the name is not registered and has no form of `USAGES`.
        ModelError: the user's model cannot be used.
    """
    if name in MODELS:
        return MODELS[name]
    if name.removeprefix(HF) and name.startswith(HF):
        return ModelEntry(name, None, DEVICES, pretrained=True)
    if is_endpoint(name):
        return _ENDPOINT
    if is_user_code(name):
        from worthit.models import user_model

        return user_model.entry(name, MODELS.values())
    raise UnknownNameError("model", name, (*MODELS, *USAGES))


def is_user_code(name: str) -> bool:
    """True if the name has the form module:Class."""
    reserved = name in MODELS or name.startswith((HF, ENDPOINT))
    return not reserved and bool(_USER_CODE.fullmatch(name))


def is_endpoint(name: str) -> bool:
    """True if the name has the form endpoint:NAME, or is that in the card of such a model."""
    return name == ENDPOINT.removesuffix(":") or (name.startswith(ENDPOINT) and name != ENDPOINT)


def model_class(name: str) -> type[Classifier[Any]]:
    """The class of a model, imported now.

    Raises:
        UnknownNameError, ModelError: as for `entry`.
        CheckpointError: the weights are missing, or no model here takes them.
    """
    if name.startswith(HF):
        from worthit.models.weights import checkpoints

        return model_class(checkpoints.recipe(name.removeprefix(HF)))
    if is_user_code(name):
        from worthit.models import user_model

        return user_model.classifier(name)
    module, _, attribute = entry(name).location.partition(":")
    registered: type[Classifier[Any]] = getattr(importlib.import_module(module), attribute)
    return registered


def settings(name: str) -> dict[str, Any]:
    """The settings that a model's name implies."""
    if name.startswith(ENDPOINT):
        return {"model": name.removeprefix(ENDPOINT)}
    return {"checkpoint": name.removeprefix(HF)} if name.startswith(HF) else {}


def name_rows(given: Iterable[str]) -> dict[str, str]:
    """Short, unique row names for the models of a run: row name → what the user named.

    The names suit tests and pictures, and hide the user's folders. `my_package.my_module:MyClassifier`
    becomes `MyClassifier`, and `hf:distilbert/distilbert-base-uncased` becomes
    `hf:distilbert-base-uncased`. If two short names are equal, the second is written in full.
    """
    named: dict[str, str] = {}
    for name in dict.fromkeys(given):
        row, number = row_name(name), 2
        if row in named:
            row = row_name(name, short=False)
        while row in named:  # two folders with the same name
            row, number = f"{row_name(name)}.{number}", number + 1
        named[row] = name
    return named


def row_name(given: str, *, short: bool = True) -> str:
    """The row name of one model; registered names stay as they are."""
    if is_user_code(given):
        name = given.rpartition(":")[2]
        return name if short and name not in MODELS else given.replace(":", ".")
    if given.startswith(ENDPOINT):
        model = given.removeprefix(ENDPOINT)
        model = model.rpartition("/")[2] if short else model
        return ENDPOINT + re.sub(r"[^\w.-]+", "-", model)
    if not given.startswith(HF):
        return given
    path = Path(given.removeprefix(HF)).expanduser()
    is_local = path.is_absolute() or path.exists()
    name = path.name if short or is_local else str(path).replace("/", "--")
    return HF + re.sub(r"[^\w.-]+", "-", name.removesuffix(".gguf"))


def require_able(name: str, device: str) -> None:
    """Raise DeviceError unless the model can run on that kind of device."""
    able = entry(name).devices
    if device not in able:
        raise DeviceError(f"{name} runs on {', '.join(able)} only")


def load(folder: Path, device: str = "cpu", checkpoint: str | None = None) -> Classifier[Any]:
    """Load any saved model, ready to score on `device`; see `Classifier.load`.

    Raises:
        RunError: the folder holds no model, or a damaged one.
        UnknownNameError, DeviceError, CheckpointError: this worthit or machine cannot run it.
    """
    kind = model_class(name := read_card(folder).model)
    require_able(name, device)
    try:
        return kind.load(folder, device, checkpoint)
    except WorthitError:
        raise
    except Exception as error:  # each library raises its own errors for damaged files
        if is_out_of_memory(error):
            raise
        raise RunError(
            f"the {name} model in {folder} cannot be read ({one_line(error)}); copy the whole folder "
            "again"
        ) from error
