"""A pretrained encoder, fine-tuned whole with a classification head.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers". The default checkpoint
is all-MiniLM-L6-v2, a small one already tuned for sentence similarity: it is not BERT-base.

BERT's comments are computed without padding (`packing`), those of other architectures with it.
"""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers

from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.hardware import devices
from worthit.models.transformer import batches, packing
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.finetuning import Recipe, finetune
from worthit.models.transformer.used_rows import UsedRows
from worthit.models.weights import checkpoints

KIND = transformers.AutoModelForSequenceClassification


def positions(encoder: Any) -> int:
    """Tokens that an encoder has positions for; RoBERTa's begin after the one of padding."""
    padding = [
        module.padding_idx
        for name, module in encoder.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    unused = max((index + 1 for index in padding if index is not None), default=0)
    return int(encoder.config.max_position_embeddings) - unused


def _first_tokens(
    module: Any, given: Any, options: dict[str, Any], out: tuple[torch.Tensor, Any]
) -> tuple[torch.Tensor, Any]:
    """Of what an attention block puts out, each sequence's first token: shape (sequences, 1, width)."""
    states, weights = out
    pack: packing.Pack | None = options.get("packed")
    if pack is None:
        return states[:, :1], weights
    return states[0].index_select(0, pack.first)[:, None], weights


class Bert(Classifier[BertSettings]):
    name = "bert"
    Settings = BertSettings
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers")
    _model: Any  # of transformers
    #: where the weights are that scoring may have rounded; None: in memory, since they were trained
    _saved_in: Path | None = None

    def prepare(self) -> None:
        checkpoints.import_architecture(self.settings.checkpoint, KIND)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        devices.use(self.device)
        folder = checkpoints.resolve(self.settings.checkpoint).folder
        # Master weights stay fp32; autocast multiplies in bf16.
        with checkpoints.refused_in_one_line(self.settings.checkpoint):
            self._open(folder)
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
            self._model.zero_grad()  # not to be copied
            self._model = copy.deepcopy(self._trained)
        self._made_ready()

    def _tune(self, tokens: list[list[int]], labels: Labels, progress: Progress) -> None:
        rows = None
        if self._packs:  # others may make positions or masks of the tokens' numbers
            rows = UsedRows(self._model.get_input_embeddings(), tokens)
            tokens = rows.renumbered(tokens)
        parameters, recipe = list(self._model.parameters()), Recipe.of(self.settings)
        decay = finetune(self._logits, parameters, tokens, labels, recipe, self.seed, progress)
        if rows is not None:
            rows.restore(decay)

    def _made_ready(self) -> None:
        """Cast for scoring all but the head: in bf16 half of all scores would be ties."""
        head = getattr(self._model, "classifier", None)
        for part in self._model.children():
            if part is not head:
                part.to(self._dtype)
        if head is not None:
            head.register_forward_pre_hook(lambda module, inputs: (inputs[0].float(), *inputs[1:]))

    def unrounded(self) -> Any:
        """The network as it was trained, in fp32: what is saved, and what is converted."""
        if self._saved_in is not None:
            return self._network(self._saved_in)
        return self._trained

    def _open(self, folder: Path) -> None:
        self._dtype = devices.chosen_dtype(self.settings.precision, self.device)
        self._tokenizer = checkpoints.tokenizer(folder)
        self._model = self._network(folder)
        self._positions = positions(self._model)

    def _network(self, folder: Path) -> Any:
        network = checkpoints.network(
            KIND,
            folder,
            id2label=dict(enumerate(self.classes)),
            label2id={name: index for index, name in enumerate(self.classes)},
            dtype=torch.float32,
        ).to(self.device)
        self._arrange(network)
        return network

    def _arrange(self, network: Any) -> None:
        """Have it compute in the fastest way, and no more than the head reads."""
        self._choose_attention(network)
        if isinstance(network, transformers.BertForSequenceClassification):
            # The head reads the first token alone: in the last layer only attention needs the others.
            last = network.bert.encoder.layer[-1].attention
            last.register_forward_hook(_first_tokens, with_kwargs=True)

    def _choose_attention(self, network: Any) -> None:
        """By packing where it is known to compute the same, else the fastest with padding."""
        kinds = transformers.BertForSequenceClassification, transformers.BertModel
        packs = isinstance(network, kinds) and not network.config.is_decoder
        padding = devices.attention(self.device, self.settings.max_length)
        network.set_attn_implementation(packing.ATTENTION if packs else padding)

    @property
    def _packs(self) -> bool:
        """Whether a batch is computed as one row without padding."""
        return bool(self._model.config._attn_implementation == packing.ATTENTION)

    def _inputs(self, tokens: Sequence[batches.Tokens]) -> dict[str, Any]:
        """A batch, as the network takes it."""
        if self._packs:
            pack = packing.Pack([len(each) for each in tokens], self.device, causal=False)
            row = batches.row(tokens, self.device)
            return {"input_ids": row, "position_ids": pack.positions[None], "packed": pack}
        ids, lengths = batches.padded(tokens, self._tokenizer.pad_token_id or 0, self.device)
        mask = torch.arange(ids.shape[1], device=self.device) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long()}

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        tokens: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self._limit()
        )["input_ids"]
        return tokens

    def _limit(self) -> int:
        """Tokens the encoder is given at most: those of the comment and the special ones."""
        longest = min(self._positions, int(self._tokenizer.model_max_length))
        if self.settings.max_length is None:
            return longest
        special = int(self._tokenizer.num_special_tokens_to_add())
        return min(self.settings.max_length + special, longest)

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        with self._autocast():
            logits: torch.Tensor = self._model(**self._inputs(tokens)).logits
        return logits.float()

    def _autocast(self) -> AbstractContextManager[object]:
        if self._dtype == torch.float32 or not self._model.training:
            return nullcontext()
        return torch.autocast(self.device, self._dtype)

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All at once, so that like lengths meet in a batch.
        size = batch_size or self.settings.scoring_batch_size
        tokens = self._tokens(texts)
        return batches.scored(self._logits, tokens, size, self.device, packed=self._packs)

    def truncated_share(self, texts: Sequence[str]) -> float:
        whole = self._tokenizer(list(texts), truncation=False)["input_ids"]
        return float(np.mean([len(tokens) > self._limit() for tokens in whole]))

    def _save(self, folder: Path) -> None:
        self.unrounded().save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        devices.use(self.device)
        self._saved_in = folder
        self._open(folder)
        self._made_ready()

    def size(self) -> Size:
        parameters = sum(p.numel() for p in self._model.parameters())
        return Size(parameters=parameters, trained_parameters=parameters)
