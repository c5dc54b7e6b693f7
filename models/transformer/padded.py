"""Sequences as padded batches of a few fixed shapes, for accelerators.

The CPU computes real tokens only (`packing`), because arithmetic is what costs time there. On a card
arithmetic is nearly free, and three other things cost time: each new shape (attention kernels make a
plan, the allocator finds other blocks), each kernel launch, and each wait of the host for the device.
So the code here does the opposite. Sequences are padded on the right to a few widths, and batches
have a few sizes. The host prepares all batches of an epoch in advance and copies them at once. A
language model reads its question again with each comment. Because all shapes are known, a whole
training step or scoring batch can be recorded and replayed (`graphs`).

Right padding needs no mask in a causal model: no token sees what follows. An encoder hides padding
with a mask of the keys, which is computed on the device from the lengths.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel

from worthit.models.transformer.batches import Indices, Tokens

#: the name of this attention in transformers
ATTENTION = "worthit_padded"
#: widths are multiples of this; tensor cores need multiples of 8
_NARROWEST = 32
# Recording a training step takes the time of a few steps.
_FEWEST_STEPS = 6
# Not cuDNN's, which makes a plan for each shape, forwards and backwards.
_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, order=True)
class Shape:
    """Of a padded batch."""

    width: int
    rows: int


@dataclass(frozen=True)
class Padding:
    """How attention treats a padded batch.

    Args:
        lengths: shape (rows,), on the device; None if the model is causal.
    """

    lengths: torch.Tensor | None = None


def width(tokens: int, widest: int | None = None) -> int:
    """The width of a batch whose longest sequence has so many tokens.

    Multiples of 32 up to 256, of 64 up to 512, of 128 up to 1,024 and so on: a few widths for any
    length, and above 128 tokens at most a fifth of the longest row is padding.

    Args:
        widest: positions of the network; None: no limit.
    """
    step = max(_NARROWEST, 1 << max(tokens - 1, 0).bit_length() >> 3)
    rounded = -(-max(tokens, 1) // step) * step
    return rounded if widest is None else min(rounded, max(tokens, widest))


def widths(longest: int, widest: int | None = None) -> list[int]:
    """All widths of sequences of up to `longest` tokens, in ascending order."""
    found = [width(1, widest)]
    while found[-1] < longest:
        found.append(width(found[-1] + 1, widest))
    return found


def shapes_for_scoring(
    lengths: npt.NDArray[np.int64],
    most_rows: int,
    most_tokens: int,
    widest: int | None = None,
) -> Iterator[tuple[Shape, Indices]]:
    """All sequences once, longest first, in batches of few shapes.

    Batches have a power of two of rows, some of them without a sequence in the last batch.

    Args:
        lengths: shape (n,), tokens of each sequence.
        most_rows: sequences in a batch.
        most_tokens: in a batch, padding included. A longer sequence is a batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        wide = width(int(lengths[order[start]]), widest)
        fitting = max(1, most_tokens // wide)
        most = min(most_rows, 1 << fitting.bit_length() - 1)
        chosen = order[start : start + most]
        yield Shape(wide, 1 << (len(chosen) - 1).bit_length()), chosen
        start += most


def widths_for_training(
    steps: Sequence[Indices], lengths: npt.NDArray[np.int64], widest: int | None = None
) -> list[int]:
    """The width of each step's batch.

    Widths that occur in fewer than 6 steps are merged into the next one.
    """
    exact = [width(int(lengths[rows].max()), widest) for rows in steps]
    count = {each: exact.count(each) for each in set(exact)}
    merged: dict[int, int] = {}
    waiting: list[int] = []
    for each in sorted(count):
        waiting.append(each)
        if sum(count[one] for one in waiting) >= _FEWEST_STEPS or each == max(count):
            merged |= dict.fromkeys(waiting, each)
            waiting = []
    return [merged[each] for each in exact]


def fill(
    batches: Sequence[tuple[Shape, Sequence[Tokens]]], fill_token: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The token ids of batches, padded on the right, and the lengths of their rows.

    Missing rows are one `fill_token`.

    Returns:
        All ids of all batches in one dimension, and the lengths, in one dimension too.
    """
    sizes = np.array([shape.width * shape.rows for shape, _ in batches])
    ids = np.full(sizes.sum(), fill_token, np.int64)
    lengths = np.ones(sum(shape.rows for shape, _ in batches), np.int64)
    first_id = first_row = 0
    for (shape, sequences), size in zip(batches, sizes, strict=True):
        real = np.array([len(sequence) for sequence in sequences])
        lengths[first_row : first_row + len(real)] = real
        grid = ids[first_id : first_id + size].reshape(shape.rows, shape.width)
        grid[: len(real)][np.arange(shape.width) < real[:, None]] = np.fromiter(
            itertools.chain.from_iterable(sequences), np.int64, int(real.sum())
        )
        first_id, first_row = first_id + size, first_row + shape.rows
    return ids, lengths


def to_device(values: npt.NDArray[Any], device: str) -> torch.Tensor:
    """Copy an array to a device, from pinned memory where the copy need not be waited for."""
    tensor = torch.from_numpy(values)
    if device == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class DeviceBatches:
    """Batches on the device, copied in one go: `batches[i]` has the ids and lengths of one."""

    def __init__(
        self, batches: Sequence[tuple[Shape, Sequence[Tokens]]], fill_token: int, device: str
    ) -> None:
        ids, lengths = fill(batches, fill_token)
        self._ids, self._lengths = to_device(ids, device), to_device(lengths, device)
        shapes = [shape for shape, _ in batches]
        self._ids_of = _slices([shape.width * shape.rows for shape in shapes])
        self._rows_of = _slices([shape.rows for shape in shapes])
        self._shapes = shapes

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """`ids` of shape (rows, width) and `lengths` of shape (rows,)."""
        shape = self._shapes[number]
        ids = self._ids[self._ids_of[number]].view(shape.rows, shape.width)
        return {"ids": ids, "lengths": self._lengths[self._rows_of[number]]}


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def last_states(states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Of states of shape (rows, width, size), those of each row's last token: (rows, size)."""
    rows, wide, size = states.shape
    last = torch.arange(rows, device=states.device) * wide + lengths - 1
    return states.reshape(rows * wide, size).index_select(0, last)


@contextmanager
def kernels() -> Iterator[None]:
    """Use attention kernels that make no plan for each shape."""
    with sdpa_kernel(_KERNELS):
        yield


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    padding: Padding,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """The interface of transformers: shape (rows, heads, width, size) to (rows, width, heads, size)."""
    wide, groups = query.shape[2], query.shape[1] // key.shape[1]
    causal = padding.lengths is None
    if sliding_window is not None and sliding_window >= wide:
        sliding_window = None
    seen = None
    if not causal or sliding_window is not None or softcap:
        seen = _seen(padding, wide, sliding_window, query.device)
    if softcap:
        key, value = (state.repeat_interleave(groups, dim=1) for state in (key, value))
        scores = softcap * torch.tanh(query @ key.transpose(2, 3) * scaling / softcap)
        scores = scores.masked_fill(~seen, float("-inf"))  # type: ignore[operator]
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
        result = torch.nn.functional.dropout(weights, dropout) @ value
    else:
        # Flash attention reads a key head for its whole group; the other kernels need copies.
        grouped = groups > 1 and query.is_cuda and seen is None and query.dtype != torch.float32
        if not grouped and groups > 1:
            key, value = (state.repeat_interleave(groups, dim=1) for state in (key, value))
        result = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, seen, dropout, seen is None, scale=scaling, enable_gqa=grouped
        )
    return result.transpose(1, 2).contiguous(), None


def _seen(padding: Padding, wide: int, window: int | None, device: torch.device) -> torch.Tensor:
    """True where a query sees a key, shape (rows or 1, 1, width or 1, width)."""
    at = torch.arange(wide, device=device)
    if padding.lengths is not None:
        return (at < padding.lengths[:, None])[:, None, None]
    behind = at[:, None] - at
    seen = behind >= 0
    if window is not None:
        seen &= behind < window
    return seen[None, None]


transformers.AttentionInterface.register(ATTENTION, _attend)
