"""Frozen sentence embeddings of a pretrained encoder, logistic regression on top.

Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks". The
encoder is never changed: an embedding is the mean of its last layer's token vectors, scaled to
length 1, as all-MiniLM-L6-v2 was trained to be read. Training scores each comment once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from worthit.models.bert import Bert, positions
from worthit.models.contract import Base, Labels, Progress, Size
from worthit.models.hardware import devices
from worthit.models.transformer import batches
from worthit.models.weights import checkpoints

_HEAD = "head.safetensors"


@dataclass(frozen=True)
class EmbeddingsSettings:
    checkpoint: str = "all-MiniLM-L6-v2"  # packaged name, folder or hub id
    max_length: int | None = 128  # tokens of a comment; None: as many as the encoder reads
    C: float = 3.0
    max_iter: int = 1000
    precision: str = "auto"  # auto: bf16 where it pays; or fp32, bf16
    scoring_batch_size: int = 32


class Embeddings(Bert):
    name = "embeddings"
    Settings: ClassVar[type[Any]] = EmbeddingsSettings
    settings: EmbeddingsSettings  # type: ignore[assignment]
    libraries = ("torch", "transformers", "tokenizers", "scikit-learn")

    def prepare(self) -> None:
        checkpoints.import_architecture(self.settings.checkpoint, transformers.AutoModel)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._open_encoder()
        features = self._embedded(texts, progress)
        head = LogisticRegression(C=self.settings.C, max_iter=self.settings.max_iter)
        head.fit(features, labels)
        self._put_on(head.coef_, head.intercept_)

    def _open_encoder(self) -> None:
        devices.use(self.device)
        chosen = self.settings
        folder = checkpoints.resolve(chosen.checkpoint).folder
        self._dtype = devices.chosen_dtype(chosen.precision, self.device)
        with checkpoints.refused_in_one_line(chosen.checkpoint):
            self._tokenizer = checkpoints.tokenizer(folder)
            encoder = checkpoints.network(transformers.AutoModel, folder, dtype=self._dtype)
        self._model = encoder.to(self.device).eval()
        self._positions = positions(self._model)
        self._choose_attention(self._model)

    def _put_on(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Keep a logistic regression's weights, one row for each class; of two, the first is 0."""
        if len(coef) == 1:
            coef, intercept = (np.concatenate([0 * part, part]) for part in (coef, intercept))
        # scikit-learn lays out more than two rows by columns, and safetensors writes memory as it lies.
        coef = np.ascontiguousarray(coef, dtype=np.float32)
        self._weights = torch.from_numpy(coef).to(self.device)
        self._biases = torch.from_numpy(intercept.astype(np.float32)).to(self.device)

    @torch.inference_mode()
    def _embedded(self, texts: Sequence[str], progress: Progress) -> np.ndarray:
        """Shape (n, dimensions), in the order of the comments."""
        tokens = self._tokens(texts)
        lengths = np.array([len(sequence) for sequence in tokens])
        found, done = np.empty((len(tokens), self._model.config.hidden_size), np.float32), 0
        for rows in batches.for_scoring(
            lengths,
            self.settings.scoring_batch_size,
            batches.MOST_TOKENS[self.device],
            packed=self._packs,
        ):
            found[rows] = self._embeddings([tokens[row] for row in rows]).cpu().numpy()
            done += len(rows)
            progress(done, len(tokens))
        return found

    def _embeddings(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """Shape (batch, dimensions), fp32, each of length 1."""
        given = self._inputs(tokens)
        states = self._model(**given).last_hidden_state.float()
        # The sum suffices: it is scaled to length 1.
        if self._packs:
            sizes = torch.tensor([len(each) for each in tokens], device=self.device)
            sequence = torch.arange(len(tokens), device=self.device).repeat_interleave(sizes)
            sums = states.new_zeros(len(tokens), states.shape[2]).index_add_(0, sequence, states[0])
        else:
            sums = (states * given["attention_mask"][:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(sums, dim=1)

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        return self._embeddings(tokens) @ self._weights.T + self._biases

    def base(self) -> Base:
        """The head alone is saved, not the encoder, which is as it was."""
        found = checkpoints.resolve(self.settings.checkpoint)
        return Base(found.given, found.origin, found.identity)

    def _save(self, folder: Path) -> None:
        head = {"coef": self._weights.cpu().numpy(), "intercept": self._biases.cpu().numpy()}
        save_file(head, folder / _HEAD)

    def _load(self, folder: Path) -> None:
        self._open_encoder()
        stored = load_file(folder / _HEAD)
        self._put_on(stored["coef"], stored["intercept"])

    def size(self) -> Size:
        fitted = self._biases.numel() if len(self.classes) > 2 else 1
        head = fitted * (self._weights.shape[1] + 1)
        frozen = sum(parameter.numel() for parameter in self._model.parameters())
        return Size(parameters=frozen + head, trained_parameters=head)
