"""What the models on top of transformers share: `TokenClassifier` for all, `Encoder` for encoders."""

import functools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import transformers

from worthit.models.card import Base
from worthit.models.contract import (
    Classifier,
    Labels,
    Probabilities,
    Progress,
    S,
    TokenCounts,
    silent,
)
from worthit.models.hardware import devices
from worthit.models.transformer import (
    batches,
    data_parallel,
    epochs,
    graphs,
    packing,
    padded,
    padded_training,
)
from worthit.models.transformer.finetuning import OnLoss, Recipe, finetune, ignore
from worthit.models.transformer.layers import packed_linear
from worthit.models.transformer.padded_scoring import PaddedResult, PaddedScorer
from worthit.models.transformer.place import Place
from worthit.models.weights import checkpoints


class TokenClassifier(Classifier[S]):
    """Scores token sequences in batches of similar length.

    CPUs compute sequences without padding where they can (`packing`), accelerators in padded batches
    of few shapes (`padded`). Its settings have the fields checkpoint, max_length, precision and
    scoring_batch_size.
    """

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers")
    #: the auto class of transformers that reads the checkpoint
    network_class: ClassVar[Any]
    #: True to compute as accelerators do; None: depends on the device
    pads: ClassVar[bool | None] = None
    takes_multilabel = True
    #: called with the loss of each training step
    on_loss: OnLoss = staticmethod(ignore)
    #: of this process, if several share the training
    place: Place | None = None
    settings: Any
    _model: Any  # the network, from transformers
    _tokenizer: Any
    _dtype: torch.dtype
    #: the network whose weights are packed
    _packed: Any = None

    def prepare(self) -> None:
        checkpoints.import_architecture(self.settings.checkpoint, self.network_class)

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> Self:
        """As `Classifier.fit`; the setting `max_length` becomes what the network has positions for."""
        super().fit(texts, labels, progress)
        given, most = self.settings.max_length, self._comment_limit()
        if given is not None and most is not None and most < given:
            self.settings = replace(self.settings, max_length=most)
        return self

    def _open_checkpoint(self) -> None:
        """Open the pretrained tokenizer and network on the device."""
        devices.use(self.device)
        folder = checkpoints.resolve(self.settings.checkpoint).folder
        with checkpoints.one_line_errors(self.settings.checkpoint):
            self._open(folder)

    def _open(self, folder: Path) -> None:
        self.__dict__.pop("_scorer", None)  # its programs read the weights of another network
        self._dtype = devices.dtype_for(self.settings.precision, self.device)
        self._tokenizer = checkpoints.tokenizer(folder)
        self._model = self._network(folder)

    def base(self) -> Base | None:
        """The pretrained weights; models that save all weights return None."""
        checkpoint = checkpoints.resolve(self.settings.checkpoint)
        return Base(checkpoint.given, checkpoint.origin, checkpoint.identity)

    def count_passes(self, texts: Sequence[str]) -> float:
        if not hasattr(self.settings, "epochs"):
            return 1.0
        each = self._sequences
        return float(each * epochs.settle(self.settings, each * len(texts), self._outputs).epochs)

    @property
    def _sequences(self) -> int:
        """Token sequences of a comment."""
        return 1

    @property
    def _outputs(self) -> int:
        """What the network tells apart in a sequence: classes, or labels."""
        return len(self.classes)

    @property
    def _scores_labels(self) -> bool:
        """True if each output is a label, independent of the others."""
        return self.multilabel

    def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        tokens = batches.encode(self._tokenizer, texts, special=False)
        unknown = self._tokenizer.unk_token_id
        return TokenCounts(
            sum(map(len, texts)),
            sum(map(len, tokens)),
            0 if unknown is None else sum(each.count(unknown) for each in tokens),
        )

    def _finetune(
        self,
        parameters: Sequence[torch.nn.Parameter],
        tokens: Sequence[batches.Tokens],
        labels: Labels,
        progress: Progress,
        fill_token: int = 0,
    ) -> float:
        """Train parameters in place.

        The setting `micro_batch_size` becomes what fitted into memory, if the batch did not, and
        `epochs` the number of passes, if none was given.

        Returns:
            What weight decay leaves of a weight of 1 that never has a gradient.
        """
        self.settings = epochs.settle(self.settings, len(tokens), self._outputs)
        recipe, weights = Recipe.of(self.settings), self._comment_weights(labels)
        if labels.ndim == 2 and not self._scores_labels:  # each sequence is about one label
            labels, weights = labels.ravel(), None if weights is None else weights.ravel()
        arguments = parameters, tokens, labels, recipe, self.seed, progress
        with data_parallel.joined(self.place, self.device, self.seed) as split:
            if not self._is_padded:
                return finetune(
                    self._logits, *arguments, on_loss=self.on_loss, weights=weights, split=split
                )
            result = padded_training.finetune(
                self._padded_logits,
                *arguments,
                device=self.device,
                # A recorded step must not wait for other processes.
                recorder=self._recorder if self.place is None else graphs.Eager(),
                fill_token=fill_token,
                widest=self._widest,
                rows_at_once=self.settings.micro_batch_size,
                on_loss=self.on_loss,
                comment_weights=weights,
                split=split,
            )
        if result.rows_at_once < recipe.batch_size:
            self.settings = replace(self.settings, micro_batch_size=result.rows_at_once)
        return result.decay

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All comments at once, so that those of similar length share a batch.
        tokens = self._tokens(texts)
        if self._is_padded:
            logits = torch.from_numpy(self._scorer(tokens, batch_size)).double()
            scores: Probabilities = batches.probabilities(logits, self._scores_labels).numpy()
            return scores
        self._pack_weights()
        return batches.score(
            self._logits,
            tokens,
            batch_size or self.settings.scoring_batch_size,
            self.device,
            packed=self._packs,
            independent=self._scores_labels,
        )

    def _pack_weights(self) -> None:
        """Called before scoring on a CPU: converting and saving a model need plain weights."""
        if self._packed is not self._model:
            packed_linear.pack(self._model)
            self._packed = self._model

    def input_shape(self, text: str) -> tuple[int, ...] | None:
        if not self._is_padded:
            return None
        sequences = self._tokens([text])
        return (len(sequences), padded.width(max(map(len, sequences)), self._widest))

    @property
    def _is_padded(self) -> bool:
        """True if batches are computed as accelerators do."""
        return self.device != "cpu" if self.pads is None else self.pads

    @property
    def _packs(self) -> bool:
        """True if a batch is computed as one row without padding."""
        return bool(self._model.config._attn_implementation == packing.ATTENTION)

    @functools.cached_property
    def _recorder(self) -> graphs.Recorder:
        return graphs.recorder(self.device)

    @functools.cached_property
    def _scorer(self) -> PaddedScorer:
        """Made after training: its programs read the weights where they are then."""
        return self._padded_scorer(self._padded_logits)

    def _padded_scorer(self, compute: PaddedResult) -> PaddedScorer:
        return PaddedScorer(compute, self.device, self._recorder, self._fill_token, self._widest)

    @property
    def _widest(self) -> int | None:
        """Positions of the network, if padding must not exceed them."""
        return None

    @property
    def _fill_token(self) -> int:
        """A token for padding."""
        return 0

    def _prepare_single(self) -> None:
        """Record the programs of single comments, so that no later call waits for it."""
        if self._is_padded:
            self._scorer.prepare_single(self._longest())

    @abstractmethod
    def _comment_limit(self) -> int | None:
        """The most tokens of a comment that are read; None: all."""

    @abstractmethod
    def _longest(self) -> int:
        """The most tokens of a sequence, as `_tokens` returns it."""

    @abstractmethod
    def _padded_logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Shape (rows, k), fp32, for one padded batch; never needs a value on the host."""

    @abstractmethod
    def _network(self, folder: Path) -> Any:
        """The network with the weights in `folder`, on the device."""

    @abstractmethod
    def _tokens(self, texts: Sequence[str]) -> list[list[int]]: ...

    @abstractmethod
    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        """Shape (batch, k), fp32, for one batch."""


class Encoder(TokenClassifier[S]):
    """Computes BERT's comments without padding (`packing`), those of other architectures with it."""

    _positions: int
    _parameters: int
    _is_bert: bool
    #: True if the network takes attention's own mask; it inspects another one on the host
    _takes_whole_mask: bool

    def _open(self, folder: Path) -> None:
        super()._open(folder)
        self._positions = positions(self._model)
        self._parameters = sum(parameter.numel() for parameter in self._model.parameters())

    def _choose_attention(self, network: Any) -> None:
        """Use our attention where the result is known to be the same; else the fastest."""
        kinds = transformers.BertForSequenceClassification, transformers.BertModel
        self._is_bert = isinstance(network, kinds) and not network.config.is_decoder
        ours = padded.ATTENTION if self._is_padded else packing.ATTENTION
        longest = self.settings.max_length
        other = "sdpa" if self._is_padded else devices.attention(self.device, longest)
        network.set_attn_implementation(ours if self._is_bert else other)
        self._takes_whole_mask = (
            self._is_padded and not self._is_bert and _takes_whole_mask(network, self.device)
        )

    def _padded_inputs(self, ids: torch.Tensor, lengths: torch.Tensor) -> dict[str, Any]:
        """The network's arguments for one padded batch."""
        if self._is_bert:
            positions = torch.arange(ids.shape[1], device=ids.device)[None]
            return {
                "input_ids": ids,
                "position_ids": positions,
                "padding": padded.Padding(lengths),
            }
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        if self._takes_whole_mask:
            return {"input_ids": ids, "attention_mask": mask[:, None, None]}
        return {"input_ids": ids, "attention_mask": mask.long()}

    def _inputs(self, tokens: Sequence[batches.Tokens]) -> dict[str, Any]:
        """The network's arguments for one batch."""
        if self._packs:
            pack = packing.Pack([len(each) for each in tokens], self.device, causal=False)
            row = batches.row(tokens, self.device, pack.filler)
            return {"input_ids": row, "position_ids": pack.positions[None], "packed": pack}
        ids, lengths = batches.pad(tokens, self._tokenizer.pad_token_id or 0, self.device)
        mask = torch.arange(ids.shape[1], device=self.device) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long()}

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return batches.encode(self._tokenizer, texts, special=True, limit=self._token_limit())

    def _comment_limit(self) -> int:
        return self._token_limit() - int(self._tokenizer.num_special_tokens_to_add())

    def _longest(self) -> int:
        return self._token_limit()

    @property
    def _widest(self) -> int | None:
        return self._positions

    @property
    def _fill_token(self) -> int:
        return int(self._tokenizer.pad_token_id or 0)  # some find positions by it

    def _token_limit(self) -> int:
        """The most tokens the encoder is given: those of the comment and the special ones."""
        longest = min(self._positions, int(self._tokenizer.model_max_length))
        if self.settings.max_length is None:
            return longest
        special = self._tokenizer.num_special_tokens_to_add()
        return min(int(self.settings.max_length + special), longest)

    def truncated_share(self, texts: Sequence[str]) -> float:
        whole = self._tokenizer(list(texts), truncation=False)["input_ids"]
        limit = self._token_limit()
        return float(np.mean([len(tokens) > limit for tokens in whole]))


@torch.no_grad()
def _takes_whole_mask(network: Any, device: str) -> bool:
    """True if a network computes the same with a mask of shape (rows, 1, 1, width)."""
    ids = torch.arange(16, device=device).view(2, 8)
    mask = torch.arange(8, device=device) < torch.tensor([[8], [3]], device=device)
    try:
        expected, found = (
            network(input_ids=ids, attention_mask=each)[0]
            for each in (mask.long(), mask[:, None, None])
        )
    except (RuntimeError, ValueError, IndexError):
        return False
    return torch.allclose(found, expected, rtol=0.01, atol=0.01)


def positions(encoder: Any) -> int:
    """The number of tokens an encoder has positions for. RoBERTa's begin after the padding token's."""
    padding = [
        module.padding_idx
        for name, module in encoder.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    unused = max((index + 1 for index in padding if index is not None), default=0)
    return int(encoder.config.max_position_embeddings) - unused
