"""A pretrained encoder, fully fine-tuned with a classification head.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers". The default checkpoint,
all-MiniLM-L6-v2, is smaller than BERT-base and already tuned for sentence similarity.
"""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from worthit.models.contract import Labels, Progress, Size
from worthit.models.hardware import devices
from worthit.models.transformer import batches, packing
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.classifiers import Encoder
from worthit.models.transformer.used_rows import UsedRows
from worthit.models.weights import checkpoints


class Bert(Encoder[BertSettings]):
    name = "bert"
    takes_weights = True
    Settings = BertSettings
    network_class = transformers.AutoModelForSequenceClassification
    settings: BertSettings
    #: where the fp32 weights are; None: in memory, since training
    _folder: Path | None = None

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {
            "learning_rate": (None, 3e-5, 5e-5, 1e-4, 2e-4, 3e-4),
            "epochs": (None, 1, 2, 4, 8),
            "batch_size": (8, 16, 32),
        }

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        # Master weights stay fp32; autocast multiplies in bf16.
        self._open_checkpoint()
        self._model.train()
        if self.settings.dropout is not None:
            for module in self._model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = self.settings.dropout
        if self.settings.learning_rate is None:
            small = self._model.num_parameters() < 50e6
            self.settings = replace(self.settings, learning_rate=2e-4 if small else 3e-5)
        self._tune(self._tokens(texts), labels, progress)
        self._trained = self._model.eval()
        if self._dtype != torch.float32:
            self._model.zero_grad()  # so that gradients are not copied
            self._model = copy.deepcopy(self._trained)
        self._cast_for_scoring()

    def _tune(self, tokens: list[list[int]], labels: Labels, progress: Progress) -> None:
        rows = None
        fill_token = self._fill_token
        if self._is_bert:  # other architectures may compute positions or masks from token ids
            rows = UsedRows(self._model.get_input_embeddings(), tokens)
            tokens, fill_token = rows.renumber(tokens), 0
        parameters = list(self._model.parameters())
        decay = self._finetune(parameters, tokens, labels, progress, fill_token)
        if rows is not None:
            rows.restore(decay)

    def _cast_for_scoring(self) -> None:
        """Cast all but the head to the scoring dtype: in bf16 half of all scores would be ties."""
        head = getattr(self._model, "classifier", None)
        for part in self._model.children():
            if part is not head:
                part.to(self._dtype)
        if head is not None:
            head.register_forward_pre_hook(lambda module, inputs: (inputs[0].float(), *inputs[1:]))

    def base(self) -> None:
        """All weights are saved."""

    def full_precision_network(self) -> Any:
        """The trained network in fp32, which is saved and converted."""
        return self._trained if self._folder is None else self._network(self._folder)

    def _network(self, folder: Path) -> Any:
        # transformers' own pipelines then apply a sigmoid, too.
        kind = {"problem_type": "multi_label_classification"} if self.multilabel else {}
        network = checkpoints.network(
            self.network_class,
            folder,
            **kind,
            id2label=dict(enumerate(self.classes)),
            label2id={name: index for index, name in enumerate(self.classes)},
            dtype=torch.float32,
        ).to(self.device)
        self._speed_up(network)
        return network

    def _speed_up(self, network: Any) -> None:
        """Use the fastest attention, and compute only what the head reads."""
        self._choose_attention(network)
        if isinstance(network, transformers.BertForSequenceClassification):
            # The head reads the first token only; the last layer needs the others for attention.
            last = network.bert.encoder.layer[-1].attention
            last.register_forward_hook(_keep_first_tokens, with_kwargs=True)

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        with self._autocast():
            logits: torch.Tensor = self._model(**self._inputs(tokens)).logits
        return logits.float()

    def _padded_logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            logits: torch.Tensor = self._model(**self._padded_inputs(ids, lengths)).logits
        return logits.float()

    def _autocast(self) -> AbstractContextManager[object]:
        if self._dtype == torch.float32 or not self._model.training:
            return nullcontext()
        return torch.autocast(self.device, self._dtype)

    def _save(self, folder: Path) -> None:
        self.full_precision_network().save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        devices.use(self.device)
        self._folder = folder
        self._open(folder)
        self._cast_for_scoring()
        self._prepare_single()

    def size(self) -> Size:
        return Size(self._parameters, self._parameters)


def _keep_first_tokens(
    module: Any, args: Any, options: dict[str, Any], output: tuple[torch.Tensor, Any]
) -> tuple[torch.Tensor, Any]:
    """Reduce an attention block's output to each sequence's first token, (sequences, 1, width)."""
    states, weights = output
    pack: packing.Pack | None = options.get("packed")
    if pack is None:
        return states[:, :1], weights
    return states[0].index_select(0, pack.first)[:, None], weights
