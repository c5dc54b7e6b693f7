"""Other implementations of fine-tuning an encoder, and of scoring with it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from worthit.bench.speed.implementations import (
    SCORING_BATCH,
    Task,
    encoder_limit,
    score_by_length,
)
from worthit.bench.speed.llm import train_with_trainer
from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.hardware import devices
from worthit.models.weights import checkpoints

# Settings of the reference experiment.
_REFERENCE_BATCH = 32
_REFERENCE_RATE = 2e-5


class _Bert:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._dtype = devices.dtype_for(task.precision, task.device)

    def load(self) -> None:
        self._open(Path(self._task.weights_folder) / "ours", self._dtype)
        self._model.eval()

    def _open(self, folder: Path, dtype: torch.dtype) -> None:
        self._tokenizer = checkpoints.tokenizer(folder)
        self._model: Any = checkpoints.network(
            transformers.AutoModelForSequenceClassification, folder, num_labels=2, dtype=dtype
        ).to(self._task.device)
        self._limit = encoder_limit(self._tokenizer, folder, self._task.settings["max_length"])

    def _open_for_training(self) -> None:
        # As in our model: weights in fp32, products in the comparison's dtype.
        self._open(checkpoints.resolve(self._task.checkpoint).folder, torch.float32)


class Reference(_Bert):
    """The reference experiment: batches of 32, every comment padded to the limit."""

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(0)
        self._open_for_training()
        inputs = self._encode(texts)
        targets = torch.from_numpy(labels.astype(np.int64)).to(self._task.device)
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=_REFERENCE_RATE)
        self._model.train()
        for start in range(0, len(texts), _REFERENCE_BATCH):
            rows = slice(start, start + _REFERENCE_BATCH)
            batch = {name: values[rows] for name, values in inputs.items()}
            with self._autocast():
                loss = self._model(**batch, labels=targets[rows]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            progress(min(rows.stop, len(texts)), len(texts))
        self._model.eval()

    @torch.no_grad()
    def score(self, texts: Sequence[str]) -> Probabilities:
        scores = []
        for start in range(0, len(texts), _REFERENCE_BATCH):
            inputs = self._encode(texts[start : start + _REFERENCE_BATCH])
            logits = self._model(**inputs).logits.double().cpu()
            scores.append(torch.softmax(logits, dim=1)[:, 1].numpy())
        return np.concatenate(scores)

    def _encode(self, texts: Sequence[str]) -> Any:
        return self._tokenizer(
            list(texts),
            truncation=True,
            max_length=self._limit,
            padding="max_length",
            return_tensors="pt",
        ).to(self._task.device)

    def _autocast(self) -> AbstractContextManager[object]:
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._task.device, self._dtype)


class HuggingFace(_Bert):
    """The code in the documentation of transformers: `Trainer` and the text-classification pipeline.

    Training uses our learning rate and batch size. The pipeline scores batches sorted by length.
    """

    def load(self) -> None:
        super().load()
        self._make_pipeline()

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        transformers.set_seed(0)
        self._open_for_training()
        encoded = self._tokenizer(list(texts), truncation=True, max_length=self._limit)
        examples = [
            {"label": int(label)} | {name: values[row] for name, values in encoded.items()}
            for row, label in enumerate(labels)
        ]
        collator = transformers.DataCollatorWithPadding(self._tokenizer)
        train_with_trainer(self._model, examples, collator, self._task, progress)
        self._model.eval()
        self._make_pipeline()

    def _make_pipeline(self) -> None:
        self._pipeline = transformers.pipeline(
            "text-classification",
            model=self._model,
            tokenizer=self._tokenizer,
            device=self._task.device,
            batch_size=SCORING_BATCH,
        )

    def score(self, texts: Sequence[str]) -> Probabilities:
        return score_by_length(texts, self._score_batch)

    def _score_batch(self, texts: Sequence[str]) -> Probabilities:
        outputs = self._pipeline(list(texts), truncation=True, max_length=self._limit, top_k=None)
        toxic = self._model.config.id2label[1]
        scores = ({each["label"]: each["score"] for each in output} for output in outputs)
        return np.array([by_label[toxic] for by_label in scores])
