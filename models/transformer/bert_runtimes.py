"""What `bert` has in common in other runtimes: padded batches, scores, and a check of the conversion.

Only the conversion needs torch and transformers; scoring imports neither.
"""

import importlib.util
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from worthit.datasets.errors import CheckpointError, ModelError
from worthit.models.contract import Probabilities, Size, TokenCounts, Variant
from worthit.models.transformer import batches, token_counts
from worthit.models.transformer.bert_settings import BertSettings

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_TOKENIZER = "tokenizer.json"
_LOGIT_TOLERANCE = 1e-2  # between the converted network and the original, both in fp32


class RuntimeBert(Variant[BertSettings]):
    """A `bert` that another runtime computes, on a CPU.

    A runtime is a subclass with the attributes and abstract methods below.
    """

    Settings = BertSettings
    takes_multilabel = True
    #: the file of the converted network in the model's folder
    file: ClassVar[str]
    #: packages that converting needs, and those of them that scoring needs
    converters: ClassVar[tuple[str, ...]]
    runtimes: ClassVar[tuple[str, ...]]
    #: the extra of this project that installs them
    extra: ClassVar[str]
    #: the most tokens of a batch, padding included
    most_tokens: ClassVar[int] = batches.MOST_TOKENS["cpu"]

    @classmethod
    def original(cls) -> "type[Bert]":
        from worthit.models.bert import Bert

        return Bert

    @abstractmethod
    def _open(self, network: Any, tokenizer: str) -> None:
        """Prepare to score, and call `_describe`.

        Args:
            network: from memory, or its file; a file is not read into memory twice.
            tokenizer: JSON of the library tokenizers.
        """

    @abstractmethod
    def _logits(self, inputs: batches.Inputs) -> Probabilities:
        """The logits of one batch, shape (batch, k)."""

    @abstractmethod
    def _save_network(self, folder: Path) -> None: ...

    def require_support(self) -> None:
        self._require(self.converters)

    def _require(self, packages: Sequence[str]) -> None:
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ModelError(
                f"{self.name} needs {' and '.join(missing)}: pip install 'worthit[{self.extra}]'"
            )

    def _describe(self, metadata: Mapping[str, str], tokenizer: str) -> None:
        """Read what `metadata_of` wrote into the network."""
        from tokenizers import Tokenizer

        self._pad, self._parameters = int(metadata["pad"]), int(metadata["parameters"])
        self._tokenizer_json, self._tokenizer = tokenizer, Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(int(metadata["longest"]))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All comments at once, so that those of similar length share a batch.
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        lengths = np.array([len(sequence) for sequence in tokens])
        scores = np.empty((len(tokens), len(self.classes)))
        size = batch_size or self.settings.scoring_batch_size
        for rows in batches.for_scoring(lengths, size, self.most_tokens):
            inputs = batches.padded([tokens[row] for row in rows], self._pad)
            logits = np.asarray(self._logits(inputs), dtype=np.float64)
            # scipy.special would add 0.12 s to the cold start and 20 MB.
            if self.multilabel:
                scores[rows] = 0.5 * (1 + np.tanh(logits / 2))  # the logistic function
                continue
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            scores[rows] = powers / powers.sum(axis=1, keepdims=True)
        return scores

    def truncated_share(self, texts: Sequence[str]) -> float:
        encodings = self._tokenizer.encode_batch(list(texts))
        return float(np.mean([bool(encoding.overflowing) for encoding in encodings]))

    def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        return token_counts.count(self._tokenizer, texts)

    def _save(self, folder: Path) -> None:
        self._save_network(folder)
        (folder / _TOKENIZER).write_text(self._tokenizer_json, "utf-8")

    def _load(self, folder: Path) -> None:
        self._require(self.runtimes)
        self._open(folder / self.file, (folder / _TOKENIZER).read_text("utf-8"))

    def size(self) -> Size:
        return Size(self._parameters, self._parameters)


def metadata_of(trained: "Bert") -> dict[str, str]:
    """What scoring must know of a model in addition to its network and tokenizer."""
    return {
        "longest": str(trained._token_limit()),
        "pad": str(trained._tokenizer.pad_token_id or 0),
        "parameters": str(trained.size().parameters),
    }


def tokenizer_of(trained: "Bert") -> str:
    tokenizer: str = trained._tokenizer.backend_tokenizer.to_str()
    return tokenizer


def require_same_logits(
    trained: "Bert", logits: Callable[[batches.Inputs], Any], variant: str, runtime: str
) -> None:
    """Tracing records the operations for one sample; check the result with another batch.

    Args:
        trained: with the fp32 network that was converted.
        logits: of the converted network in fp32, shape (batch, k).
        variant: the model's name, for the message.

    Raises:
        CheckpointError: the two differ.
    """
    import torch

    tokens = trained._tokens(["this comment is longer " * 5, "this one is not", ""])
    with torch.inference_mode():
        expected = trained._logits(tokens).numpy()
    found = logits(batches.padded(tokens, trained._tokenizer.pad_token_id or 0))
    if not np.abs(found - expected).max() <= _LOGIT_TOLERANCE:
        raise CheckpointError(
            f"the checkpoint {trained.settings.checkpoint} scores differently after conversion to "
            f"{runtime}; omit {variant}, or give an encoder such as BERT with --checkpoint "
            "bert=ID_OR_PATH"
        )
