"""What the models on top of transformers share: `TokenClassifier` for all, `Encoder` for encoders."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers

from worthit.models.contract import Base, Classifier, Probabilities, S
from worthit.models.hardware import devices
from worthit.models.transformer import batches, packing
from worthit.models.weights import checkpoints


class TokenClassifier(Classifier[S]):
    """Scores token sequences in batches of similar length.

    Its settings have the fields checkpoint, max_length, precision and scoring_batch_size.
    """

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers")
    #: the auto class of transformers that reads the checkpoint
    network_class: ClassVar[Any]
    settings: Any
    _model: Any  # the network, from transformers
    _tokenizer: Any
    _dtype: torch.dtype

    def prepare(self) -> None:
        checkpoints.import_architecture(self.settings.checkpoint, self.network_class)

    def _open_checkpoint(self) -> None:
        """Open the pretrained tokenizer and network on the device."""
        devices.use(self.device)
        folder = checkpoints.resolve(self.settings.checkpoint).folder
        with checkpoints.one_line_errors(self.settings.checkpoint):
            self._open(folder)

    def _open(self, folder: Path) -> None:
        self._dtype = devices.dtype_for(self.settings.precision, self.device)
        self._tokenizer = checkpoints.tokenizer(folder)
        self._model = self._network(folder)

    def base(self) -> Base | None:
        """The pretrained weights; models that save all weights return None."""
        checkpoint = checkpoints.resolve(self.settings.checkpoint)
        return Base(checkpoint.given, checkpoint.origin, checkpoint.identity)

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All comments at once, so that those of similar length share a batch.
        size = batch_size or self.settings.scoring_batch_size
        tokens = self._tokens(texts)
        return batches.score(self._logits, tokens, size, self.device, packed=self._packs)

    @property
    def _packs(self) -> bool:
        """True if a batch is computed as one row without padding."""
        return bool(self._model.config._attn_implementation == packing.ATTENTION)

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

    def _open(self, folder: Path) -> None:
        super()._open(folder)
        self._positions = positions(self._model)

    def _choose_attention(self, network: Any) -> None:
        """Pack where the result is known to be the same; else use the fastest with padding."""
        kinds = transformers.BertForSequenceClassification, transformers.BertModel
        packs = isinstance(network, kinds) and not network.config.is_decoder
        padding = devices.attention(self.device, self.settings.max_length)
        network.set_attn_implementation(packing.ATTENTION if packs else padding)

    def _inputs(self, tokens: Sequence[batches.Tokens]) -> dict[str, Any]:
        """The network's arguments for one batch."""
        if self._packs:
            pack = packing.Pack([len(each) for each in tokens], self.device, causal=False)
            row = batches.row(tokens, self.device)
            return {"input_ids": row, "position_ids": pack.positions[None], "packed": pack}
        ids, lengths = batches.pad(tokens, self._tokenizer.pad_token_id or 0, self.device)
        mask = torch.arange(ids.shape[1], device=self.device) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long()}

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        tokens: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self._token_limit()
        )["input_ids"]
        return tokens

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


def positions(encoder: Any) -> int:
    """The number of tokens an encoder has positions for. RoBERTa's begin after the padding token's."""
    padding = [
        module.padding_idx
        for name, module in encoder.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    unused = max((index + 1 for index in padding if index is not None), default=0)
    return int(encoder.config.max_position_embeddings) - unused
