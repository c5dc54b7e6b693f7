"""Static token vectors distilled from a pretrained encoder, logistic regression on top.

Model2Vec (https://github.com/MinishLab/model2vec, Tulkens and van Dongen 2024): the encoder embeds
each token of its vocabulary on its own; principal components of these vectors, weighted by token
frequency, replace the encoder. A comment's embedding is the mean of its tokens' vectors, scaled to
length 1. Distilling is part of training. Scoring needs only tokenizers and NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from safetensors.numpy import load_file, save_file

from worthit.datasets.errors import ModelError
from worthit.models.contract import (
    Classifier,
    Labels,
    Probabilities,
    Progress,
    Size,
    TokenCounts,
)
from worthit.models.features import estimators
from worthit.models.transformer import token_counts
from worthit.models.weights import checkpoints

Vectors = npt.NDArray[np.float32]

# Names and types as in Model2Vec's own folders
_VECTORS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_CHUNK = 1024  # comments; larger chunks need more memory


@dataclass(frozen=True)
class StaticSettings:
    checkpoint: str = "all-MiniLM-L6-v2"  # packaged name, folder or hub id
    max_length: int | None = 512  # tokens per comment, as in Model2Vec; None: all
    dimensions: int = 256  # principal components
    C: float | None = None  # None: 10 for two classes or several labels, 30 for more classes
    max_iter: int = 1000


class Static(Classifier[StaticSettings]):
    name = "static"
    takes_weights = True
    takes_multilabel = True
    Settings = StaticSettings
    # torch distils too; but where it is listed, scoring imports it.
    libraries = ("numpy", "scipy", "scikit-learn", "model2vec", "tokenizers", "transformers")

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {"C": (None, 1.0, 3.0, 10.0, 30.0, 100.0), "dimensions": (128, 256, 384)}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        if self.settings.C is None:
            # Chosen on validation comments: toxicity in comments, 64 intents of short questions.
            of_two = len(self.classes) == 2 or self.multilabel
            self.settings = replace(self.settings, C=10.0 if of_two else 30.0)
        distilled = _distil(self.settings.checkpoint, self.settings.dimensions)
        self._set_vectors(distilled.embedding, distilled.tokenizer)
        features = self._embed(texts)
        self._head = estimators.fit_head(
            features,
            labels,
            self._comment_weights(labels),
            C=self.settings.C,
            max_iter=self.settings.max_iter,
        )
        progress(len(texts), len(texts))

    def _set_vectors(self, vectors: npt.NDArray[Any], tokenizer: tokenizers.Tokenizer) -> None:
        """Take the token vectors, shape (tokens, dimensions), and what splits comments into tokens."""
        self._vectors: Vectors = vectors.astype(np.float32)
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        if self.settings.max_length is None:
            tokenizer.no_truncation()
        else:
            tokenizer.enable_truncation(self.settings.max_length)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, dimensions), each of length 1; 0 without any token."""
        starts = range(0, len(texts), _CHUNK)
        return np.concatenate([self._embed_chunk(texts[at : at + _CHUNK]) for at in starts])

    def _embed_chunk(self, texts: Sequence[str]) -> Vectors:
        # Only the direction matters, so a sum is as good as a mean.
        sums = np.stack([self._vectors[each.ids].sum(axis=0) for each in self._encode(texts)])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)

    def _encode(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        return self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)

    def truncated_share(self, texts: Sequence[str]) -> float:
        truncated = [bool(encoding.overflowing) for encoding in self._encode(texts)]
        return float(np.mean(truncated)) if truncated else 0.0

    def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        return token_counts.count(self._tokenizer, texts)

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return estimators.score(self._head, self._embed(texts), independent=self.multilabel)

    def _save(self, folder: Path) -> None:
        # Distilling rounded them to this precision.
        save_file({"embeddings": self._vectors.astype(np.float16)}, folder / _VECTORS)
        self._tokenizer.save(str(folder / _TOKENIZER))
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / _TOKENIZER))
        self._set_vectors(load_file(folder / _VECTORS)["embeddings"], tokenizer)
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        head = estimators.count_parameters(self._head)
        return Size(int(self._vectors.size) + head, head)


def _distil(checkpoint: str, dimensions: int) -> Any:
    """Model2Vec's StaticModel of a checkpoint.

    Raises:
        ModelError: model2vec is not installed.
        CheckpointError: the weights are missing, or Model2Vec cannot use them.
    """
    import transformers

    try:
        from model2vec.distill import distill_from_model
    except ImportError as error:
        raise ModelError(
            f"static needs {error.name} to train: pip install 'worthit[static]'"
        ) from error
    folder = checkpoints.resolve(checkpoint).folder
    with checkpoints.one_line_errors(checkpoint):
        return distill_from_model(
            checkpoints.network(transformers.AutoModel, folder),
            checkpoints.tokenizer(folder),
            device="cpu",
            pca_dims=dimensions,
            quantize_to="float16",
        )
