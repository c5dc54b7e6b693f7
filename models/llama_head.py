"""A Llama-family causal LM with a classification head in place of answers.

The head is a logistic regression on the mean of the comment's last states. Without adapters
(`adapted_share: 0`) that is all: the LLM stays as it is, and training reads each comment once (a linear
probe: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"). With
adapters, the head is fitted first, and then trained together with them (Kumar et al. 2022, "Fine-Tuning
can Distort Pretrained Features and Underperform Out-of-Distribution").

A head has an output per class, so the LLM is not asked to choose among them and reads no list of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Labels, Progress, Size
from worthit.models.llama import Llama
from worthit.models.transformer import batches, packing, prompts
from worthit.models.weights import checkpoints

_HEAD = "head.safetensors"


@dataclass(frozen=True)
class LlamaHeadSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"  # packaged name, folder, .gguf file or hub id
    max_length: int | None = 128  # tokens per comment; None: no limit
    question: str = ""
    pooling: str = "mean"
    layers_share: float = 1.0  # of the layers, from the bottom; those above are not computed
    C: float = 1.0  # of the logistic regression
    max_iter: int = 300
    probe: bool = True
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: tuple[str, ...] = ("all-linear",)
    adapted_share: float = 0.5  # of the layers, from the top; 0: only the head is trained
    learning_rate: float | None = None  # None: 1e-3 below 300 M parameters, else 2e-4
    batch_size: int = 8
    micro_batch_size: int | None = None  # computed at once, on accelerators; None: what fits
    epochs: int = 1
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    precision: str = "auto"  # auto: bf16 where it is faster; or fp32, bf16
    scoring_batch_size: int = 128  # at most, on CPUs; fewer for long comments


class LlamaHead(Llama):
    name = "llama-head"
    Settings = LlamaHeadSettings
    libraries = (*Llama.libraries, "scikit-learn")
    #: the head, of shape (k, width + 1) with the bias; None before training
    _classifier: torch.nn.Parameter | None = None

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        self._open_checkpoint()
        self._require_known_logits()
        tokens = self._tokens(texts)
        self._fit_head(tokens, labels, progress)
        assert self._classifier is not None
        if self.settings.adapted_share:
            self._tune(tokens, labels, progress, self._classifier)
        else:
            self._trained_parameters = self._classifier.numel()

    def _open(self, folder: Path) -> None:
        self._classifier = None
        super()._open(folder)

    def _network(self, folder: Path) -> Any:
        """Without the layers that are not computed."""
        network = super()._network(folder)
        decoder = network.base_model
        layers = max(1, round(len(decoder.layers) * self.settings.layers_share))
        decoder.layers = decoder.layers[:layers]
        decoder.config.num_hidden_layers = layers
        return network

    def _make_prompt(self) -> prompts.Prompt:
        """Any two answers: only the check of the checkpoint reads them."""
        q = self.settings.question
        return prompts.Prompt(
            (q + "\n\n" if q else "") + "Comment:", tuple(self._first_tokens([" False", " True"]))
        )

    @torch.no_grad()
    def _fit_head(self, tokens: list[list[int]], labels: Labels, progress: Progress) -> None:
        """Fit the head to the states of the LLM as it is."""
        self._model.eval()
        states = self._pooled_all(tokens, progress)
        self._mean = torch.from_numpy(states.mean(0)).to(self.device)
        scale = 1 / (states.std(0) + 1e-6) / np.sqrt(states.shape[1])
        self._scale = torch.from_numpy(scale.astype(np.float32)).to(self.device)
        if not self.settings.probe:
            self._classifier = torch.nn.Parameter(
                torch.zeros(len(self.classes), states.shape[1] + 1, device=self.device)
            )
            return
        head = LogisticRegression(C=self.settings.C, max_iter=self.settings.max_iter)
        head.fit((states - states.mean(0)) * scale, labels)
        coef = np.column_stack([head.coef_, head.intercept_]).astype(np.float32)
        if len(coef) == 1:  # of two classes, the weights of the second
            coef = np.concatenate([-coef / 2, coef / 2])
        self._classifier = torch.nn.Parameter(torch.from_numpy(coef).to(self.device))

    def _pooled_all(self, tokens: Sequence[batches.Tokens], progress: Progress) -> np.ndarray:
        """Shape (n, width), in the order of the comments."""
        if self._is_padded:
            features = self._padded_scorer(self._padded_pooled)(tokens)
            progress(len(tokens), len(tokens))
            return features
        self._read_question()
        lengths = np.array([len(sequence) for sequence in tokens])
        size, most_tokens = self.settings.scoring_batch_size, batches.MOST_TOKENS[self.device]
        features, done = np.empty((len(tokens), self._model.config.hidden_size), np.float32), 0
        with torch.inference_mode():
            for rows in batches.for_scoring(lengths, size, most_tokens, packed=True):
                features[rows] = self._pooled([tokens[row] for row in rows]).cpu().numpy()
                done += len(rows)
                progress(done, len(tokens))
        if self.settings.adapted_share:
            self._question = None
        return features

    def _pooled(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """The mean of each comment's states, shape (batch, width), fp32."""
        states, pack = self._states(tokens)
        if self.settings.pooling == "last":
            return states[pack.last].float()
        sizes = torch.tensor([len(each) for each in tokens], device=self.device)
        sequence = torch.arange(len(tokens), device=self.device).repeat_interleave(sizes)
        first = int(pack.first[0])
        rows = states[first : first + len(sequence)].float()
        sums = rows.new_zeros(len(tokens), rows.shape[1]).index_add(0, sequence, rows)
        return sums / sizes[:, None]

    def _padded_pooled(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As `_pooled`, for one padded batch, whose rows begin with the question."""
        states = self._padded_states(ids).float()
        places = torch.arange(ids.shape[1], device=ids.device)
        before = len(self._question_tokens())
        real = (places >= before) & (places < lengths[:, None])
        return (states * real[:, :, None]).sum(dim=1) / real.sum(1, keepdim=True).clamp(min=1)

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        return self._classified(self._pooled(tokens))

    def _classified(self, pooled):
        x = (pooled - self._mean) * self._scale
        return torch.nn.functional.linear(x, self._classifier[:, :-1], self._classifier[:, -1])
