"""Frozen sentence embeddings of a pretrained encoder, logistic regression on top.

Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks". An
embedding is the mean of the last layer's token vectors, scaled to length 1, as all-MiniLM-L6-v2 was
trained. The encoder never changes, so training scores each comment once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Labels, Progress, Size
from worthit.models.transformer import batches
from worthit.models.transformer.classifiers import Encoder
from worthit.models.weights import checkpoints

_HEAD = "head.safetensors"


@dataclass(frozen=True)
class EmbeddingsSettings:
    checkpoint: str = "all-MiniLM-L6-v2"  # packaged name, folder or hub id
    max_length: int | None = 128  # tokens per comment; None: as many as the encoder reads
    C: float | None = None  # None: 3 for two classes, 10 for more
    max_iter: int = 1000
    precision: str = "auto"  # auto: bf16 where it is faster; or fp32, bf16
    scoring_batch_size: int = 32


class Embeddings(Encoder[EmbeddingsSettings]):
    name = "embeddings"
    takes_weights = True
    Settings = EmbeddingsSettings
    network_class = transformers.AutoModel
    settings: EmbeddingsSettings
    libraries = (*Encoder.libraries, "scikit-learn")

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {"C": (None, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        if self.settings.C is None:
            # Chosen on validation comments: toxicity in comments, 64 intents of short questions.
            self.settings = replace(self.settings, C=3.0 if len(self.classes) == 2 else 10.0)
        self._open_checkpoint()
        features = self._embed_all(texts, progress)
        head = LogisticRegression(C=self.settings.C, max_iter=self.settings.max_iter)
        head.fit(features, labels, self._comment_weights(labels))
        self._set_head(head.coef_, head.intercept_)

    def _network(self, folder: Path) -> Any:
        encoder = checkpoints.network(self.network_class, folder, dtype=self._dtype)
        encoder = encoder.to(self.device).eval()
        self._choose_attention(encoder)
        return encoder

    def _set_head(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Take a logistic regression's weights, one row per class; of two, the first row is 0."""
        if len(coef) == 1:
            coef, intercept = (np.concatenate([0 * part, part]) for part in (coef, intercept))
        # scikit-learn stores more than two rows by columns; safetensors writes memory as it is.
        coef = np.ascontiguousarray(coef, dtype=np.float32)
        self._weights = torch.from_numpy(coef).to(self.device)
        self._biases = torch.from_numpy(intercept.astype(np.float32)).to(self.device)

    @torch.inference_mode()
    def _embed_all(self, texts: Sequence[str], progress: Progress) -> np.ndarray:
        """Shape (n, dimensions), in the order of the comments."""
        tokens = self._tokens(texts)
        if self._is_padded:
            features = self._padded_scorer(self._padded_embedding)(tokens)
            progress(len(tokens), len(tokens))
            return features
        self._pack_weights()
        lengths = np.array([len(sequence) for sequence in tokens])
        size, most_tokens = self.settings.scoring_batch_size, batches.MOST_TOKENS[self.device]
        features, done = np.empty((len(tokens), self._model.config.hidden_size), np.float32), 0
        for rows in batches.for_scoring(lengths, size, most_tokens, packed=self._packs):
            features[rows] = self._embed([tokens[row] for row in rows]).cpu().numpy()
            done += len(rows)
            progress(done, len(tokens))
        return features

    def _embed(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """Shape (batch, dimensions), fp32, each of length 1."""
        inputs = self._inputs(tokens)
        states = self._model(**inputs).last_hidden_state.float()
        # The sum is enough: it is scaled to length 1.
        if self._packs:
            sizes = torch.tensor([len(each) for each in tokens], device=self.device)
            sequence = torch.arange(len(tokens), device=self.device).repeat_interleave(sizes)
            sums = states.new_zeros(len(tokens), states.shape[2]).index_add_(
                0, sequence, states[0][: len(sequence)]
            )
        else:
            sums = (states * inputs["attention_mask"][:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(sums, dim=1)

    def _padded_embedding(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As `_embed`, for one padded batch."""
        states = self._model(**self._padded_inputs(ids, lengths)).last_hidden_state.float()
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return torch.nn.functional.normalize((states * real[:, :, None]).sum(dim=1), dim=1)

    def _padded_logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self._padded_embedding(ids, lengths) @ self._weights.T + self._biases

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        return self._embed(tokens) @ self._weights.T + self._biases

    def _save(self, folder: Path) -> None:
        """Save the head only; the encoder is unchanged."""
        head = {"coef": self._weights.cpu().numpy(), "intercept": self._biases.cpu().numpy()}
        save_file(head, folder / _HEAD)

    def _load(self, folder: Path) -> None:
        self._open_checkpoint()
        head = load_file(folder / _HEAD)
        self._set_head(head["coef"], head["intercept"])
        self._prepare_single()

    def size(self) -> Size:
        fitted = self._biases.numel() if len(self.classes) > 2 else 1
        head = fitted * (self._weights.shape[1] + 1)
        return Size(self._parameters + head, head)
