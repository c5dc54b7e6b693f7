"""Trains only the embedding rows whose tokens occur in the data; most rows do not occur.

AdamW only decays a row without gradient, so this changes no weight. It saves the gradients and
moments of a whole vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import torch

from worthit.models.transformer.batches import Tokens


class UsedRows:
    """Replaces an embedding's rows by those of the given tokens until `restore`.

    Args:
        embedding: of a network that uses token ids for nothing else.
        tokens: all training sequences.
    """

    def __init__(self, embedding: torch.nn.Embedding, tokens: Sequence[Tokens]) -> None:
        self._embedding, self._whole = embedding, embedding.weight
        self._padding = embedding.padding_idx  # its row gets no gradient
        padding = [] if self._padding is None else [self._padding]
        self._rows = np.unique(np.concatenate([*tokens, padding]).astype(np.int64))
        self._index = torch.from_numpy(self._rows).to(self._whole.device)
        embedding.weight = torch.nn.Parameter(self._whole.detach()[self._index])
        if self._padding is not None:
            embedding.padding_idx = int(np.searchsorted(self._rows, self._padding))

    def renumber(self, tokens: Sequence[Tokens]) -> list[list[int]]:
        """The sequences with the token ids that the embedding has for now."""
        return [np.searchsorted(self._rows, sequence).tolist() for sequence in tokens]

    def restore(self, decay: float) -> None:
        """Put the trained rows back among the others, which are multiplied by `decay`."""
        with torch.no_grad():
            self._whole.mul_(decay).index_copy_(0, self._index, self._embedding.weight)
        self._embedding.weight, self._embedding.padding_idx = self._whole, self._padding
