"""A Llama-family causal LM with a classification head in place of answers.

The head is a logistic regression on the mean of the comment's last states. Without adapters
(`adapted_share=0`) that is all: the LLM stays as it is, and training reads each comment once (a linear
probe; Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"). With
adapters, the head is fitted first, and then trained together with them (Kumar et al. 2022, "Fine-Tuning
can Distort Pretrained Features and Underperform Out-of-Distribution").

The LLM is not asked to choose, so it reads no list of classes, and there may be any number of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from worthit.datasets.errors import CheckpointError
from worthit.models.contract import Labels, Progress, Size
from worthit.models.features import estimators
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.transformer import batches
from worthit.models.transformer.prompting import prompts

_HEAD = "head.safetensors"


@dataclass(frozen=True)
class LlamaHeadSettings(LlamaSettings):
    adapted_share: float = 0.5  # of the computed layers, from the top; 0: only the head is trained
    layers_share: float = 1.0  # of the layers, from the bottom; those above are not computed
    C: float = 10.0  # of the logistic regression
    max_iter: int = 1_000


class LlamaHead(Llama):
    name = "llama-head"
    Settings = LlamaHeadSettings
    libraries = (*Llama.libraries, "scikit-learn")
    _center: torch.Tensor  # shape (width,), as the next one
    _scale: torch.Tensor
    #: shape (k, width + 1), with the biases; None until the checkpoint is checked
    _classifier: torch.nn.Parameter | None = None

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        space = super().search_space(comments)
        return {**space, "adapted_share": (0.0, 0.5, 1.0), "C": (1.0, 10.0, 100.0)}

    def count_passes(self, texts: Sequence[str]) -> float:
        if self.settings.adapted_share:
            return super().count_passes(texts)
        return float(self.settings.epochs or 1)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        self._open_checkpoint()
        self._require_known_logits()
        self._drop_upper_layers()
        tokens = self._tokens(texts)
        self._model.eval()
        classifier = self._fit_head(tokens, labels, progress)
        self._trained_parameters = classifier.numel()
        if self.settings.adapted_share:
            self._question = None  # adapters change it
            classifier.requires_grad_(True)
            self._tune(tokens, labels, progress, classifier)
            classifier.requires_grad_(False)

    def _open(self, folder: Path) -> None:
        self._classifier = None
        super()._open(folder)

    def _make_prompt(self) -> prompts.Prompt:
        """Any two answers will do: only the check of the checkpoint reads them."""
        return self._prompt_without_question()

    @property
    def _cues(self) -> tuple[str, ...]:
        return (self._cue,)

    @property
    def _scores_labels(self) -> bool:
        return self.multilabel

    def _drop_upper_layers(self) -> None:
        decoder = self._model.base_model
        if not isinstance(layers := getattr(decoder, "layers", None), torch.nn.ModuleList):
            raise CheckpointError(
                f"{self.settings.checkpoint} has no list of layers; use a Llama-family checkpoint"
            )
        decoder.layers = layers[: max(1, round(len(layers) * self.settings.layers_share))]
        decoder.config.num_hidden_layers = len(decoder.layers)
        self._parameters = int(self._model.num_parameters())

    def _fit_head(
        self, tokens: list[list[int]], labels: Labels, progress: Progress
    ) -> torch.nn.Parameter:
        """Fit the head to the states of the LLM as it is, each scaled to a variance of 1 / width."""
        states = self._pooled_all(tokens, progress)
        center, width = states.mean(axis=0), states.shape[1]
        scale = 1 / ((states.std(axis=0) + 1e-6) * width**0.5)
        head = estimators.fit_head(
            (states - center) * scale,
            labels,
            self._comment_weights(labels),
            C=self.settings.C,
            max_iter=self.settings.max_iter,
        )
        rows = np.column_stack([head.coef_, head.intercept_])
        if len(rows) == 1:  # of two classes, the second's
            rows = np.concatenate([-rows / 2, rows / 2])
        self._set_head(
            *(torch.from_numpy(each.astype(np.float32)) for each in (center, scale, rows))
        )
        assert self._classifier is not None
        return self._classifier

    def _set_head(self, center: torch.Tensor, scale: torch.Tensor, rows: torch.Tensor) -> None:
        self._center, self._scale = center.to(self.device), scale.to(self.device)
        self._classifier = torch.nn.Parameter(rows.to(self.device), requires_grad=False)

    def _pooled_all(
        self, tokens: Sequence[batches.Tokens], progress: Progress
    ) -> npt.NDArray[np.float32]:
        """Shape (n, width), in the order of the comments."""
        if self._is_padded:
            states = self._padded_scorer(self._padded_pooled)(tokens)
            progress(len(tokens), len(tokens))
            return states
        self._read_question()
        lengths = np.array([len(sequence) for sequence in tokens])
        size, most_tokens = self.settings.scoring_batch_size, batches.MOST_TOKENS[self.device]
        states, done = np.empty((len(tokens), self._model.config.hidden_size), np.float32), 0
        with torch.inference_mode():
            for rows in batches.for_scoring(lengths, size, most_tokens, packed=True):
                states[rows] = self._pooled([tokens[row] for row in rows]).cpu().numpy()
                done += len(rows)
                progress(done, len(tokens))
        return states

    def _pooled(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """The mean of each comment's states, the cue's included; shape (batch, width), fp32."""
        states, pack = self._states(tokens)
        sizes = torch.tensor([len(each) for each in tokens], device=self.device)
        sequence = torch.arange(len(tokens), device=self.device).repeat_interleave(sizes)
        before = len(states) - pack.filler - len(sequence)  # the question's, if it is in the row
        rows = states[before : before + len(sequence)].float()
        sums = rows.new_zeros(len(tokens), rows.shape[1]).index_add(0, sequence, rows)
        return sums / sizes[:, None]

    def _padded_pooled(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As `_pooled`, for one padded batch, whose rows begin with the question."""
        places = torch.arange(ids.shape[1], device=ids.device)
        before = len(self._question_tokens())
        is_own = (places >= before) & (places < lengths[:, None])
        sums = (self._padded_states(ids).float() * is_own[:, :, None]).sum(dim=1)
        return sums / is_own.sum(dim=1, keepdim=True).clamp(min=1)  # rows without a comment have 0

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        return self._classified(self._pooled(tokens))

    def _padded_logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if self._classifier is None:
            return super()._padded_logits(ids, lengths)
        return self._classified(self._padded_pooled(ids, lengths))

    def _classified(self, pooled: torch.Tensor) -> torch.Tensor:
        """Shape (batch, k), fp32."""
        assert self._classifier is not None
        weights, biases = self._classifier[:, :-1], self._classifier[:, -1]
        scaled = (pooled - self._center) * self._scale
        return torch.nn.functional.linear(scaled, weights, biases)

    def _save(self, folder: Path) -> None:
        """Save the head and the adapters, if any."""
        assert self._classifier is not None
        tensors = {"center": self._center, "scale": self._scale, "rows": self._classifier.detach()}
        save_file({name: each.cpu().contiguous() for name, each in tensors.items()}, folder / _HEAD)
        if self.settings.adapted_share:
            super()._save(folder)

    def _load(self, folder: Path) -> None:
        head = load_file(folder / _HEAD)
        self._open_checkpoint()
        self._drop_upper_layers()
        self._set_head(head["center"], head["scale"], head["rows"])
        self._trained_parameters = head["rows"].numel()
        if self.settings.adapted_share:
            self._trained_parameters += self._load_adapters(folder)
        self._model.eval()
        self._read_question()
        self._prepare_single()

    def size(self) -> Size:
        assert self._classifier is not None
        return Size(self._parameters + self._classifier.numel(), self._trained_parameters)
