"""Batches of token sequences of similar length, padded to the longest of the batch or packed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # a model that scores without torch must not import it
    import torch

Tokens = Sequence[int]
#: token sequences of one batch → logits, shape (batch, k), fp32
Logits = Callable[[Sequence[Tokens]], "torch.Tensor"]
Indices = npt.NDArray[np.int64]
#: `input_ids` and `attention_mask`, each of shape (batch, longest)
Inputs = dict[str, npt.NDArray[np.int64]]

# More tokens at once overflow a CPU's caches and halve the throughput. Accelerators want many.
MOST_TOKENS = {"cpu": 1_536, "cuda": 32_768, "mps": 16_384}
# Training sorts by length within this many batches: little padding, and batches stay random.
_BATCHES_SORTED_TOGETHER = 16


def encode(
    tokenizer: Any, texts: Sequence[str], *, special: bool, limit: int | None = None
) -> list[list[int]]:
    """The token ids of texts, without the masks and types that transformers makes of each.

    Args:
        tokenizer: of transformers.
        special: add the special tokens, such as BERT's [CLS].
        limit: the most tokens, special ones included; None: no limit.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # written in Python
        cut: dict[str, Any] = {} if limit is None else {"truncation": True, "max_length": limit}
        ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=special, **cut)[
            "input_ids"
        ]
        return ids
    backend.no_padding()
    if limit is None:
        backend.no_truncation()
    else:
        backend.enable_truncation(limit, direction=tokenizer.truncation_side)
    encodings = backend.encode_batch_fast(list(texts), add_special_tokens=special)
    return [encoding.ids for encoding in encodings]


def for_training(
    lengths: npt.NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[Indices]:
    """One epoch's batches, in random order, each of comments of similar length.

    Args:
        lengths: shape (n,), tokens of each comment.
    """
    order = rng.permutation(len(lengths))
    chunk = batch_size * _BATCHES_SORTED_TOGETHER
    batches = []
    for start in range(0, len(order), chunk):
        rows = order[start : start + chunk]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    rng.shuffle(batches)
    return batches


def for_scoring(
    lengths: npt.NDArray[np.int64], batch_size: int, most_tokens: int, *, packed: bool = False
) -> Iterator[Indices]:
    """All rows once, longest first, so that a batch too large for the memory fails at once.

    A batch has `batch_size` rows, or fewer if they have more than `most_tokens` tokens. Padding
    counts, unless the batch is packed.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = lengths[order].cumsum()
    start = 0
    while start < len(order):
        if packed:
            before = ends[start - 1] if start else 0
            fitting = int(np.searchsorted(ends, before + most_tokens, side="right")) - start
        else:
            fitting = most_tokens // max(int(lengths[order[start]]), 1)
        end = start + min(batch_size, max(fitting, 1))
        yield order[start:end]
        start = end


def score(
    logits: Logits,
    tokens: Sequence[Tokens],
    batch_size: int,
    device: str,
    *,
    packed: bool = False,
    independent: bool = False,
) -> npt.NDArray[np.float64]:
    """The probabilities of the k classes for each token sequence, shape (n, k).

    Args:
        batch_size: the most sequences per batch; long ones share smaller batches.
        packed: True if `logits` computes sequences without padding.
        independent: True if each logit is that of a label, of which a comment may have several.
    """
    import torch

    lengths = np.array([len(sequence) for sequence in tokens])
    order = list(for_scoring(lengths, batch_size, MOST_TOKENS[device], packed=packed))
    with torch.inference_mode():
        results = [logits([tokens[row] for row in rows]).cpu().double() for rows in order]
    scores: npt.NDArray[np.float64] = probabilities(torch.cat(results), independent).numpy()
    return scores[np.argsort(np.concatenate(order))]


def probabilities(logits: "torch.Tensor", independent: bool) -> "torch.Tensor":
    """The softmax of each row of logits; of independent labels the logistic function of each logit."""
    import torch

    return torch.sigmoid(logits) if independent else torch.softmax(logits, dim=1)


def pad(
    sequences: Sequence[Tokens], pad_token: int, device: str
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Token ids padded on the right, and each sequence's length.

    Returns:
        ids of shape (batch, longest), lengths of shape (batch,), both on `device`.
    """
    import torch

    lengths = torch.tensor([len(sequence) for sequence in sequences])
    ids = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(each, dtype=torch.long) for each in sequences], True, pad_token
    )
    return ids.to(device), lengths.to(device)


def padded(sequences: Sequence[Tokens], pad_token: int) -> Inputs:
    """A batch padded on the right to its longest sequence, for a runtime other than torch."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_token, np.int64)
    ids[mask] = np.concatenate(sequences)
    return {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


def row(sequences: Sequence[Tokens], device: str, filler: int = 0) -> "torch.Tensor":
    """The token ids of all sequences, concatenated, and `filler` zeros; shape (1, tokens)."""
    import torch

    tokens = [token for sequence in sequences for token in sequence]
    return torch.tensor([[*tokens, *[0] * filler]]).to(device)
