"""Training those rows of an embedding that occur in the data; of the others there are many more.

AdamW, to which a row without gradient is a row like any other, does nothing to it but decay it. So
what is left out here changes no weight, and saves gradients and moments of a whole vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import torch

from worthit.models.transformer.batches import Tokens


class UsedRows:
    """An embedding's rows of the tokens given, in place of all of them until `restore`.

    Args:
        embedding: of a network that does nothing else with the tokens it is given.
        tokens: all sequences to train on.
    """

    def __init__(self, embedding: torch.nn.Embedding, tokens: Sequence[Tokens]) -> None:
        self._embedding, self._whole = embedding, embedding.weight
        self._padding = embedding.padding_idx  # whose row gets no gradient
        padding = [] if self._padding is None else [self._padding]
        self._rows = np.unique(np.concatenate([*tokens, padding]).astype(np.int64))
        self._index = torch.from_numpy(self._rows).to(self._whole.device)
        embedding.weight = torch.nn.Parameter(self._whole.detach()[self._index])
        if self._padding is not None:
            embedding.padding_idx = int(np.searchsorted(self._rows, self._padding))

    def renumbered(self, tokens: Sequence[Tokens]) -> list[list[int]]:
        """The sequences, as the embedding knows their tokens for now."""
        return [np.searchsorted(self._rows, sequence).tolist() for sequence in tokens]

    def restore(self, decay: float) -> None:
        """Put the trained rows among all others, which are multiplied by `decay`."""
        with torch.no_grad():
            self._whole.mul_(decay).index_copy_(0, self._index, self._embedding.weight)
        self._embedding.weight, self._embedding.padding_idx = self._whole, self._padding
