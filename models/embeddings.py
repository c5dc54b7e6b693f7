"""Frozen sentence embeddings of a pretrained encoder, logistic regression on top.

Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks". An
embedding is the mean of the last layer's token vectors, or what the checkpoint's files of
sentence-transformers say (`sentence_modules`), scaled to length 1, for which the penalty was chosen.
The encoder never changes, so training scores each comment once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

from worthit.models.contract import Labels, Progress, Size
from worthit.models.features import estimators
from worthit.models.transformer import batches
from worthit.models.transformer.classifiers import Encoder
from worthit.models.transformer.sentence_modules import SentenceModules, read
from worthit.models.weights import checkpoints

_HEAD = "head.safetensors"


@dataclass(frozen=True)
class EmbeddingsSettings:
    checkpoint: str = "all-MiniLM-L6-v2"  # packaged name, folder or hub id
    max_length: int | None = 128  # tokens per comment; None: as many as the checkpoint says
    C: float | None = None  # None: 3 for two classes or several labels, 10 for more classes
    max_iter: int = 1000
    precision: str = "auto"  # auto: bf16 where it is faster; or fp32, bf16
    scoring_batch_size: int = 32


class Embeddings(Encoder[EmbeddingsSettings]):
    name = "embeddings"
    takes_weights = True
    takes_multilabel = True
    Settings = EmbeddingsSettings
    network_class = transformers.AutoModel
    settings: EmbeddingsSettings
    libraries = (*Encoder.libraries, "scikit-learn")
    _modules: SentenceModules
    _prompt_tokens: int
    _before_comment: int  # tokens, special ones included

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {"C": (None, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        if self.settings.C is None:
            # Chosen on validation comments: toxicity in comments, 64 intents of short questions.
            of_two = len(self.classes) == 2 or self.multilabel
            self.settings = replace(self.settings, C=3.0 if of_two else 10.0)
        self._open_checkpoint()
        features = self._embed_all(texts, progress)
        head = estimators.fit_head(
            features,
            labels,
            self._comment_weights(labels),
            C=self.settings.C,
            max_iter=self.settings.max_iter,
        )
        self._set_head(head.coef_, head.intercept_)

    def prepare(self) -> None:
        super().prepare()
        self._read_modules(checkpoints.resolve(self.settings.checkpoint).folder)

    def _open(self, folder: Path) -> None:
        self._modules = self._read_modules(folder)
        super()._open(folder)
        self._prompt_tokens, self._before_comment = self._count_prompt_tokens()

    def _read_modules(self, folder: Path) -> SentenceModules:
        given = self.settings.checkpoint
        return read(folder, given, self.device, is_packaged=given in checkpoints.PACKAGED)

    def _count_prompt_tokens(self) -> tuple[int, int]:
        """The tokens of the prompt alone, and those before a comment's: special ones included."""
        prompt = self._modules.text("")
        if not self._modules.prompt:
            return 0, 0
        (alone,) = batches.encode(self._tokenizer, [prompt], special=False)
        (whole,) = batches.encode(self._tokenizer, [prompt], special=True)
        ends_in_special = whole[-1] in self._tokenizer.all_special_ids
        return len(alone), len(whole) - ends_in_special

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return super()._tokens([self._modules.text(text) for text in texts])

    def _comment_limit(self) -> int:
        return super()._comment_limit() - self._prompt_tokens

    def truncated_share(self, texts: Sequence[str]) -> float:
        return super().truncated_share([self._modules.text(text) for text in texts])

    def _token_limit(self) -> int:
        """As `Encoder`; a prompt's tokens are not the comment's."""
        limit = super()._token_limit()
        if self.settings.max_length is None:
            return min(limit, self._modules.most_tokens or limit)
        longest = min(self._positions, int(self._tokenizer.model_max_length))
        return min(limit + self._prompt_tokens, longest)

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
        vectors, order = list[np.ndarray](), list[batches.Indices]()
        for rows in batches.for_scoring(lengths, size, most_tokens, packed=self._packs):
            vectors.append(self._embed([tokens[row] for row in rows]).cpu().numpy())
            order.append(rows)
            progress(sum(map(len, order)), len(tokens))
        as_computed = np.concatenate(vectors)
        features = np.empty_like(as_computed)
        features[np.concatenate(order)] = as_computed
        return features

    def _embed(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """Shape (batch, dimensions), fp32, each of length 1."""
        inputs = self._inputs(tokens)
        states = self._model(**inputs).last_hidden_state.float()
        lengths = torch.tensor([len(each) for each in tokens], device=self.device)
        if not self._packs:
            return self._pooled(states, lengths)
        row = states[0][: int(lengths.sum())]
        if not self._modules.is_plain_mean:
            padded = torch.nn.utils.rnn.pad_sequence(row.split(lengths.tolist()), batch_first=True)
            return self._pooled(padded, lengths)
        sequence = torch.arange(len(tokens), device=self.device).repeat_interleave(lengths)
        sums = states.new_zeros(len(tokens), states.shape[2]).index_add_(0, sequence, row)
        if not self._modules.needs_only_direction:
            sums = sums / lengths[:, None]
        return self._modules.finish(sums)

    def _pooled(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The embeddings of a padded batch's states, shape (rows, width, size)."""
        skipped = 0 if self._modules.pools_prompt else self._before_comment
        return self._modules.finish(self._modules.pool(states, lengths, skipped))

    def _padded_embedding(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As `_embed`, for one padded batch."""
        states = self._model(**self._padded_inputs(ids, lengths)).last_hidden_state.float()
        return self._pooled(states, lengths)

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
        is_pair = len(self.classes) == 2 and not self.multilabel
        fitted = 1 if is_pair else self._biases.numel()
        head = fitted * (self._weights.shape[1] + 1)
        return Size(self._parameters + head, head)
