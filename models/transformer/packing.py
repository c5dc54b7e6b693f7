"""Sequences of any lengths computed as one row without padding; attention alone keeps them apart.

Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination". All layers but attention
work on the row, on real tokens only. Attention, a small part of the work at these lengths, lays
its queries, keys and values out as padded batches, and its result as a row again.

What all sequences begin with is read once: either the row begins with it, or its keys and values
are known from before (Gim et al. 2023, "Prompt Cache").
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers

from worthit.models.hardware import devices

#: what transformers calls this attention
ATTENTION = "worthit_packed"
#: of each layer: shape (tokens, key heads, head size) both
KeysAndValues = Mapping[int, tuple[torch.Tensor, torch.Tensor]]


class Pack:
    """A row of sequences, and what attention needs to know of it.

    Args:
        lengths: tokens of each sequence, in the order in which they follow one another.
        device: where the row is.
        head: tokens at the row's beginning that precede every sequence.
        known: keys and values of what precedes every sequence and is not in the row.
        causal: whether a token sees those before it alone.
        keep: whether to keep the row's own keys and values, as `known` takes them.
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
        places = torch.arange(int(sizes.max()))
        real = places < sizes[:, None]
        # Where a sequence is padded its last token stands again: finite, and seen by nobody.
        grid = starts[:, None] + torch.minimum(places, sizes[:, None] - 1)
        positions = torch.cat([torch.arange(head), (self._before + places).expand_as(grid)[real]])
        self._sizes, self._grid = sizes.to(device), grid.to(device)
        self._cells = real.flatten().nonzero()[:, 0].to(device)
        self._plain = device == "cpu" and self._before + len(places) <= devices.SHORT_TOKENS
        self._layouts: dict[int, _Layout] = {}
        self._biases: dict[tuple[Any, ...], torch.Tensor] = {}
        #: where in the row each sequence begins and ends, shape (sequences,)
        self.first, self.last = (head + starts).to(device), (head + starts + sizes - 1).to(device)
        #: of each token of the row in its sequence, what precedes all sequences included
        self.positions = positions.to(device)
        #: of the layers that have attended, if they are kept
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
        """Softmax attention of each token to those of its sequence and to what precedes all.

        Args:
            layer: whose keys and values these are; None where none are known or kept.
            query: shape (tokens, heads, head size).
            key: shape (tokens, key heads, head size); of these heads each serves as many of the
                query's that follow one another.
            value: likewise.
            window: how many tokens back one sees, itself included; None: all.
            softcap: what scores are softly bounded by; None: by nothing.

        Returns:
            Of the query's shape.
        """
        if self._keep or self._known:
            assert layer is not None  # else a layer would go without what precedes all
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
        found = self._product(
            layout.queries(rest.reshape(len(rest), heads, -1), size),
            layout.keys(key),
            layout.keys(value),
            self._before,
            *options,
        )
        found = layout.row(found).view(rest.shape)
        if self._head:
            first = (state[: self._head] for state in (query, key, value))
            found = torch.cat([self._alone(*first, *options), found])
        return found

    def _alone(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *options: Any
    ) -> torch.Tensor:
        """Of one sequence, which needs no other layout; keys may precede it."""
        tokens, (heads, size) = len(query), key.shape[1:]
        grouped = query.reshape(tokens, heads, -1).transpose(0, 1)
        found = self._product(
            grouped.reshape(heads, -1, size),
            key.transpose(0, 1),
            value.transpose(0, 1),
            len(key) - tokens,
            *options,
        )
        return found.view(grouped.shape).transpose(0, 1).reshape(query.shape)

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
        """Of batches: queries (n, places · groups, size), keys and values (n, before + places, size)."""
        groups = query.shape[1] // (key.shape[1] - before)
        if not (self._plain or softcap):
            # torch has fused kernels for four dimensions alone; groups are one, and share a bias.
            found = torch.nn.functional.scaled_dot_product_attention(
                query.view(len(query), -1, groups, query.shape[2]).transpose(1, 2),
                key[:, None].expand(-1, groups, -1, -1),
                value[:, None].expand(-1, groups, -1, -1),
                self._bias(query, key.shape[1], before, window, 1)[:, None],
                dropout,
                scale=scaling,
            )
            return found.transpose(1, 2).flatten(1, 2)
        bias = self._bias(query, key.shape[1], before, window, groups)
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scaling)
        if softcap:  # what is not seen has a score of -inf, and of -softcap would be seen
            scores = softcap * torch.tanh(scores / softcap) + bias
        # On a CPU twice as fast as in bf16, where its width is no multiple of a vector's.
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
        if dropout:
            weights = torch.nn.functional.dropout(weights, dropout)
        return torch.bmm(weights, value)

    def _bias(
        self, query: torch.Tensor, keys: int, before: int, window: int | None, groups: int
    ) -> torch.Tensor:
        """0 where a query sees a key, else the lowest number: (n or 1, places · groups or 1, keys)."""
        known = before, window, groups, query.dtype, len(query)
        if known not in self._biases:
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
            self._biases[known] = bias.masked_fill_(~seen, torch.finfo(query.dtype).min)
        return self._biases[known]


class _Layout:
    """From a row to padded batches and back, for so many key heads.

    Args:
        grid: shape (sequences, longest), which token of the row stands there.
        cells: shape (tokens,), where in the flattened grid each token stands.
        before: tokens that precede every sequence.
    """

    def __init__(self, grid: torch.Tensor, cells: torch.Tensor, before: int, heads: int) -> None:
        self._before, (self._sequences, longest) = before, grid.shape
        self._heads, head = heads, torch.arange(heads, device=grid.device)
        places = torch.arange(before, device=grid.device).expand(len(grid), -1)
        whole = torch.cat([places, before + grid], dim=1)
        # Of tensors of shape (tokens, heads, …) and (sequences, heads, places, …), flattened.
        self._into, self._keys_into = (
            (tokens[:, None] * heads + head[:, None]).flatten() for tokens in (grid, whole)
        )
        sequence, place = cells // longest, cells % longest
        self._back = ((sequence[:, None] * heads + head) * longest + place[:, None]).flatten()

    def queries(self, row: torch.Tensor, size: int) -> torch.Tensor:
        """Shape (tokens, heads, groups · size) to (sequences · heads, places · groups, size)."""
        padded: torch.Tensor = _Padded.apply(row.flatten(0, 1), self._into, self._back)  # type: ignore[no-untyped-call]
        return padded.view(self._sequences * self._heads, -1, size)

    def keys(self, row: torch.Tensor) -> torch.Tensor:
        """Shape (before + tokens, heads, size) to (sequences · heads, before + places, size)."""
        batch = self._sequences, self._heads, self._before
        found: torch.Tensor = _PaddedKeys.apply(  # type: ignore[no-untyped-call]
            row.flatten(0, 1), self._keys_into, self._back, batch
        )
        return found

    def row(self, padded: torch.Tensor) -> torch.Tensor:
        """Shape (sequences · heads, places · groups, size) to (tokens · heads, groups · size)."""
        places = len(self._into) // (self._sequences * self._heads)
        grouped = padded.reshape(len(self._into), padded.shape[1] // places * padded.shape[2])
        found: torch.Tensor = _Row.apply(grouped, self._back)  # type: ignore[no-untyped-call]
        return found


class _Padded(torch.autograd.Function):
    """Rows by their index.

    The gradients of padding are 0, so that each row has but one to take: adding up, as torch does for
    any index, would take many times as long.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, into: torch.Tensor, back: torch.Tensor) -> Any:
        ctx.save_for_backward(back)
        return rows.index_select(0, into)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (back,) = ctx.saved_tensors
        return gradient.index_select(0, back), None, None


class _PaddedKeys(torch.autograd.Function):
    """The same of sequences behind what precedes them all, whose gradients do add up."""

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
        shared = gradient[:, :before].view(sequences, heads, before, size).sum(0).transpose(0, 1)
        own = gradient[:, before:].reshape(-1, size).index_select(0, back)
        return torch.cat([shared.reshape(-1, size), own]), None, None, None


class _Row(torch.autograd.Function):
    """Back from padded places, which get gradients of 0."""

    @staticmethod
    def forward(ctx: Any, padded: torch.Tensor, back: torch.Tensor) -> Any:
        ctx.save_for_backward(back)
        ctx.places = len(padded)
        return padded.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (back,) = ctx.saved_tensors
        found = gradient.new_zeros(ctx.places, gradient.shape[1])
        return found.index_copy_(0, back, gradient), None


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
    """As transformers calls it: of shape (1, heads, tokens, size)."""
    queries, keys, values = (state[0].transpose(0, 1) for state in (query, key, value))
    found = packed.attend(
        getattr(module, "layer_idx", None),
        queries,
        keys,
        values,
        scaling,
        window=sliding_window,
        softcap=softcap,
        dropout=dropout,
    )
    return found[None], None


transformers.AttentionInterface.register(ATTENTION, _attend)
