"""Sequences of any lengths computed as one row without padding; only attention separates them.

Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination". All layers but attention
work on the row of real tokens. Attention, a small part of the work at these lengths, arranges its
queries, keys and values as padded batches, and its result as a row again.

A prefix that all sequences share is read once. Either the row begins with it, or its keys and
values are already known (Gim et al. 2023, "Prompt Cache").
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from torch.nn.functional import pad

from worthit.models.hardware import devices, processor

#: the name of this attention in transformers
ATTENTION = "worthit_packed"
# A kernel is prepared for each shape, which takes as long as a batch. With such rows and widths few
# shapes occur in scoring. Wider multiples pay no more.
_ROW_MULTIPLE = 64
# torch's fused attention is faster than plain products with AMX, if no width is odd.
_FUSED_MULTIPLE = 16

#: by layer: both have the shape (tokens, key heads, head size)
KeysAndValues = Mapping[int, tuple[torch.Tensor, torch.Tensor]]


class Pack:
    """A row of sequences, and how attention separates them.

    Args:
        lengths: tokens of each sequence, in the row's order.
        device: of the row.
        head: tokens of the shared prefix at the beginning of the row.
        known: keys and values of a shared prefix that is not in the row.
        causal: True if a token sees only earlier ones.
        keep: True to store the row's keys and values in `seen`, for `known` of another pack.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        device: str,
        *,
        head: int = 0,
        known: KeysAndValues | None = None,
        causal: bool = True,
        keep: bool = False,
    ) -> None:
        self._head, self._known, self._causal, self._keep = head, known or {}, causal, keep
        self._before = head or next((len(key) for key, _ in self._known.values()), 0)
        sizes = torch.tensor(lengths)
        starts = sizes.cumsum(0) - sizes
        longest, tokens = int(sizes.max()), head + int(sizes.sum())
        scores_many = device == "cpu" and len(sizes) > 1 and not torch.is_grad_enabled()
        #: tokens at the end of the row that belong to no sequence
        self.filler = -tokens % _ROW_MULTIPLE if scores_many else 0
        fused = scores_many and processor.has_amx()
        if fused:
            longest += -(self._before + longest) % _FUSED_MULTIPLE
        places = torch.arange(longest)
        real = places < sizes[:, None]
        # Padding repeats the sequence's last token: it is finite, and no token sees it.
        grid = starts[:, None] + torch.minimum(places, sizes[:, None] - 1)
        positions = torch.cat([torch.arange(head), (self._before + places).expand_as(grid)[real]])
        positions = pad(positions, (0, self.filler))
        self._sizes, self._grid = sizes.to(device), grid.to(device)
        self._cells = pad(real.flatten().nonzero()[:, 0], (0, self.filler)).to(device)
        short = self._before + longest <= devices.SHORT_TOKENS
        self._plain = device == "cpu" and short and not fused
        self._layouts: dict[int, _Layout] = {}
        self._biases: dict[tuple[Any, ...], torch.Tensor] = {}
        #: index in the row of each sequence's first and last token, shape (sequences,)
        self.first, self.last = (head + starts).to(device), (head + starts + sizes - 1).to(device)
        #: position of each token in its sequence, including the shared prefix
        self.positions = positions.to(device)
        #: the keys and values of each layer so far, if `keep`
        self.seen: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def attend(
        self,
        layer: int | None,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float,
        *,
        window: int | None = None,
        softcap: float | None = None,
        dropout: float = 0.0,
    ) -> torch.Tensor:
        """Softmax attention of each token to its sequence and the shared prefix.

        Args:
            layer: the layer's number; None is allowed without `known` and `keep`.
            query: shape (tokens, heads, head size).
            key: shape (tokens, key heads, head size); each key head serves a group of
                consecutive query heads.
            value: like `key`.
            window: number of tokens that one sees, including itself; None: all.
            softcap: soft bound of the scores; None: no bound.

        Returns:
            The query's shape.
        """
        if self._keep or self._known:
            assert layer is not None  # otherwise a layer would miss the prefix
            if self._keep:
                self.seen[layer] = key, value
            if self._known:
                known_key, known_value = self._known[layer]
                key, value = torch.cat([known_key, key]), torch.cat([known_value, value])
        options = scaling, window, softcap, dropout
        if len(self._sizes) == 1 and not self._head:
            return self._alone(query, key, value, *options)
        heads, size = key.shape[1:]
        layout = self._layouts.get(heads)
        if layout is None:
            layout = self._layouts[heads] = _Layout(self._grid, self._cells, self._before, heads)
        rest = query[self._head :]
        padded = self._product(
            layout.queries(rest.reshape(len(rest), heads, -1), size),
            layout.keys(key),
            layout.keys(value),
            self._before,
            *options,
        )
        result = layout.row(padded).view(rest.shape)
        if self._head:
            first = (state[: self._head] for state in (query, key, value))
            result = torch.cat([self._alone(*first, *options), result])
        return result

    def _alone(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *options: Any
    ) -> torch.Tensor:
        """Attention within one sequence, which needs no padding; a prefix's keys may precede it."""
        tokens, (heads, size) = len(query), key.shape[1:]
        grouped = query.reshape(tokens, heads, -1).transpose(0, 1)
        result = self._product(
            grouped.reshape(heads, -1, size),
            key.transpose(0, 1),
            value.transpose(0, 1),
            len(key) - tokens,
            *options,
        )
        return result.view(grouped.shape).transpose(0, 1).reshape(query.shape)

    def _product(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        before: int,
        scaling: float,
        window: int | None,
        softcap: float | None,
        dropout: float,
    ) -> torch.Tensor:
        """Attention in a batch.

        Queries have the shape (n, places · groups, size); keys and values (n, before + places, size).
        """
        groups = query.shape[1] // (key.shape[1] - before)
        if not (self._plain or softcap):
            # torch's fused kernels need four dimensions; one is for the groups, which share a bias.
            result = torch.nn.functional.scaled_dot_product_attention(
                query.view(len(query), -1, groups, query.shape[2]).transpose(1, 2),
                key[:, None].expand(-1, groups, -1, -1),
                value[:, None].expand(-1, groups, -1, -1),
                self._bias(query, key.shape[1], before, window, 1)[:, None],
                dropout,
                scale=scaling,
            )
            return result.transpose(1, 2).flatten(1, 2)
        bias = self._bias(query, key.shape[1], before, window, groups)
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scaling)
        if softcap:  # the cap would raise the scores of hidden keys, so the bias is added again
            scores = softcap * torch.tanh(scores / softcap) + bias
        # In fp32, twice as fast on a CPU as bf16 with a width that is not a multiple of a vector's.
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
        if dropout:
            weights = torch.nn.functional.dropout(weights, dropout)
        return torch.bmm(weights, value)

    def _bias(
        self, query: torch.Tensor, keys: int, before: int, window: int | None, groups: int
    ) -> torch.Tensor:
        """0 where a query sees a key, else the lowest number.

        Returns:
            Shape (n or 1, places · groups or 1, keys).
        """
        arguments = before, window, groups, query.dtype, len(query)
        if arguments not in self._biases:
            at = torch.arange(keys, device=query.device)
            if self._causal:
                behind = (at[before:, None] - at).repeat_interleave(groups, dim=0)
                seen = (behind >= 0)[None]
                if window is not None:
                    seen &= behind < window
            else:
                seen = (at < before + self._sizes[:, None])[:, None]
                seen = seen.repeat_interleave(len(query) // len(seen), dim=0)
            bias = torch.zeros(seen.shape, dtype=query.dtype, device=query.device)
            self._biases[arguments] = bias.masked_fill_(~seen, torch.finfo(query.dtype).min)
        return self._biases[arguments]


class _Layout:
    """Converts a row to padded batches and back, for a number of key heads.

    Args:
        grid: shape (sequences, longest), the row's token at each place.
        cells: shape (tokens,), the index in the flattened grid of each token.
        before: tokens of the shared prefix.
    """

    def __init__(self, grid: torch.Tensor, cells: torch.Tensor, before: int, heads: int) -> None:
        self._before, (self._sequences, longest) = before, grid.shape
        self._heads, head = heads, torch.arange(heads, device=grid.device)
        places = torch.arange(before, device=grid.device).expand(len(grid), -1)
        whole = torch.cat([places, before + grid], dim=1)
        # Indices into flattened (tokens, heads, …) and (sequences, heads, places, …).
        self._into, self._keys_into = (
            (tokens[:, None] * heads + head[:, None]).flatten() for tokens in (grid, whole)
        )
        sequence, place = cells // longest, cells % longest
        self._back = ((sequence[:, None] * heads + head) * longest + place[:, None]).flatten()

    def queries(self, row: torch.Tensor, size: int) -> torch.Tensor:
        """Shape (tokens, heads, groups · size) to (sequences · heads, places · groups, size)."""
        padded = self._pad(row, self._into, 0)
        return padded.view(len(padded), -1, size)

    def keys(self, row: torch.Tensor) -> torch.Tensor:
        """Shape (before + tokens, heads, size) to (sequences · heads, before + places, size)."""
        return self._pad(row, self._keys_into, self._before)

    def _pad(self, row: torch.Tensor, into: torch.Tensor, before: int) -> torch.Tensor:
        batch = self._sequences, self._heads, before
        padded: torch.Tensor = _Padded.apply(row.flatten(0, 1), into, self._back, batch)  # type: ignore[no-untyped-call]
        return padded

    def row(self, padded: torch.Tensor) -> torch.Tensor:
        """Shape (sequences · heads, places · groups, size) to (tokens · heads, groups · size)."""
        places = len(self._into) // (self._sequences * self._heads)
        grouped = padded.reshape(len(self._into), padded.shape[1] // places * padded.shape[2])
        row: torch.Tensor = _Row.apply(grouped, self._back)  # type: ignore[no-untyped-call]
        return row


class _Padded(torch.autograd.Function):
    """Selects rows by index, as a batch of shape (sequences · heads, before + places, …).

    Padding has gradients of 0, so each row after the prefix takes exactly one gradient. torch adds
    gradients up for any index, which takes many times as long.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        into: torch.Tensor,
        back: torch.Tensor,
        batch: tuple[int, int, int],
    ) -> Any:
        ctx.save_for_backward(back)
        ctx.batch = batch
        sequences, heads, _ = batch
        return rows.index_select(0, into).view(sequences * heads, -1, rows.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (back,) = ctx.saved_tensors
        sequences, heads, before = ctx.batch
        size = gradient.shape[-1]
        rows = gradient[:, before:].reshape(-1, size).index_select(0, back)
        if before:
            prefix = gradient[:, :before].view(sequences, heads, before, size)
            rows = torch.cat([prefix.sum(0).transpose(0, 1).reshape(-1, size), rows])
        return rows, None, None, None


class _Row(torch.autograd.Function):
    """Selects rows back from padded places, which get gradients of 0."""

    @staticmethod
    def forward(ctx: Any, padded: torch.Tensor, back: torch.Tensor) -> Any:
        ctx.save_for_backward(back)
        ctx.places = len(padded)
        return padded.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (back,) = ctx.saved_tensors
        zeros = gradient.new_zeros(ctx.places, gradient.shape[1])
        return zeros.index_copy_(0, back, gradient), None


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    packed: Pack,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """The interface of transformers: shape (1, heads, tokens, size)."""
    queries, keys, values = (state[0].transpose(0, 1) for state in (query, key, value))
    result = packed.attend(
        getattr(module, "layer_idx", None),
        queries,
        keys,
        values,
        scaling,
        window=sliding_window,
        softcap=softcap,
        dropout=dropout,
    )
    return result[None], None


transformers.AttentionInterface.register(ATTENTION, _attend)
