"""Sizes of pretrained networks, read from the headers of their files. Nothing is downloaded or loaded."""

import contextlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worthit.datasets.cache import cache_folder
from worthit.models.weights import checkpoints

_LAYER = re.compile(r"(^|\.)(layers?|h|blocks?)\.\d+\.")
_SAMPLE = 200  # comments whose tokens are counted
_BYTES_PER_TOKEN = 4.0  # without the tokenizer; right for English
#: tokens of the question that an LLM is asked with each comment
PROMPT_TOKENS = 18


@dataclass(frozen=True)
class Network:
    """What decides the time and memory of a transformer."""

    parameters: int
    layer_weights: int  # in the layers' linear maps: each token is multiplied by all of them
    width: int
    layers: int
    is_llm: bool
    folder: Path | None  # None: its weights are still to be downloaded
    download_bytes: int = 0


#: packaged ones, so that they can be forecast before they are downloaded
_PACKAGED = {
    "all-MiniLM-L6-v2": (22_713_216, 10_616_832, 384, 6, False),
    "SmolLM2-135M-Instruct": (134_515_008, 106_168_320, 576, 30, True),
}


def find(given: str) -> Network | None:
    """The network of a checkpoint; None if it is not on this machine, or has no readable sizes."""
    if given in checkpoints.PACKAGED:
        package, _ = checkpoints.PACKAGED[given]
        cached = cache_folder("checkpoints", f"{given}-{package.sha256[:16]}")
        here = cached.is_dir()
        sizes = _PACKAGED[given]
        return Network(*sizes, cached if here else None, 0 if here else package.size_bytes)
    file = Path(given).expanduser()
    try:
        if file.suffix == ".gguf" and file.is_file() and not checkpoints.converted(file).is_dir():
            return _read_gguf(file)
        folder = _folder(given)
        return None if folder is None else _read(folder)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        return None


def tokens(network: Network, texts: Sequence[str], limit: int | None) -> float:
    """Mean number of tokens that the network reads of a comment, an LLM's question included."""
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    most = limit or math.inf
    counts = _count(network, sample)
    read = sum(min(count, most) for count in counts) / max(len(counts), 1)
    return read + (PROMPT_TOKENS if network.is_llm else 0)


def _count(network: Network, texts: Sequence[str]) -> list[float]:
    """The tokens of each text; by its bytes if the network's tokenizer is not here, or cannot be read."""
    file = network.folder / "tokenizer.json" if network.folder else None
    if file is not None and file.is_file():
        from tokenizers import Tokenizer

        # It raises no narrower error. The cell says what is wrong.
        with contextlib.suppress(Exception):
            tokenizer = Tokenizer.from_file(str(file))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            return [len(each.ids) for each in tokenizer.encode_batch_fast(list(texts))]
    return [len(text.encode()) / _BYTES_PER_TOKEN + 2 for text in texts]


def _folder(given: str) -> Path | None:
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    if path.suffix == ".gguf":
        return checkpoints.converted(path)
    if given.count("/") > 1:
        return None
    import huggingface_hub

    name, _, revision = given.partition("@")
    try:
        file = huggingface_hub.try_to_load_from_cache(
            name, "config.json", revision=revision or None
        )
    except ValueError:  # not a repository's name
        return None
    return Path(file).parent if isinstance(file, str) else None


def _read(folder: Path) -> Network | None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    parameters = layer_weights = 0
    for file in folder.glob("*.safetensors"):
        for name, tensor in checkpoints.tensors(file).items():
            count = math.prod(tensor["shape"])
            parameters += count
            is_matrix = len(tensor["shape"]) == 2 and _LAYER.search(name)
            layer_weights += count if is_matrix else 0
    if not layer_weights:
        return None
    heads = config.get("architectures") or []
    is_llm = any(head.endswith(("ForCausalLM", "LMHeadModel")) for head in heads)
    width = config.get("hidden_size") or config["dim"]
    layers = config.get("num_hidden_layers") or config["n_layers"]
    return Network(parameters, layer_weights, int(width), int(layers), is_llm, folder)


def _read_gguf(file: Path) -> Network:
    """The network of a file that is not converted yet; reading its vocabulary takes seconds."""
    from gguf import GGUFReader

    reader = GGUFReader(file)
    kind = reader.fields["general.architecture"].contents()
    width, layers = (
        int(reader.fields[f"{kind}.{name}"].contents())
        for name in ("embedding_length", "block_count")
    )
    sizes = {tensor.name: tensor.shape for tensor in reader.tensors}
    matrices = [
        math.prod(map(int, shape))
        for name, shape in sizes.items()
        if name.startswith("blk.") and len(shape) == 2
    ]
    parameters = sum(math.prod(map(int, shape)) for shape in sizes.values())
    return Network(parameters, sum(matrices), width, layers, is_llm=True, folder=None)
