"""Scoring on accelerators: padded batches of few shapes, each a program that is recorded once."""

import sys
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from worthit.datasets.errors import is_out_of_memory
from worthit.models.transformer import batches, graphs, padded
from worthit.models.transformer.batches import Tokens

#: ids (rows, width) and lengths (rows,) → a result (rows, k)
PaddedResult = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# Results stay on the device until all batches are done; so does their input.
_BATCHES_COPIED_TOGETHER = 256
#: longer comments are rare; their shapes are recorded at first use
_WIDEST_PREPARED = 512


class PaddedScorer:
    """Computes a result for each sequence, with one program per shape.

    A batch that does not fit into memory is repeated with half the rows, now and from then on.

    Args:
        compute: what a program computes.
        fill_token: any valid token; padding is never read.
        widest: positions of the network; None: no limit.
    """

    def __init__(
        self,
        compute: PaddedResult,
        device: str,
        recorder: graphs.Recorder,
        fill_token: int = 0,
        widest: int | None = None,
    ) -> None:
        self._compute, self._device, self._recorder = compute, device, recorder
        self._fill_token, self._widest = fill_token, widest
        self._programs: dict[torch.Size, graphs.Program] = {}
        self.most_tokens = batches.MOST_TOKENS[device]

    def prepare_single(self, longest: int) -> None:
        """Record the programs of single sequences of up to `longest` tokens."""
        for width in padded.widths(min(longest, _WIDEST_PREPARED), self._widest):
            self([[self._fill_token] * width])

    @torch.inference_mode()
    def __call__(
        self, tokens: Sequence[Tokens], batch_size: int | None = None
    ) -> npt.NDArray[np.float32]:
        """The results of n sequences, shape (n, k), on the host.

        Args:
            batch_size: the most sequences per batch; None: as many as fit the budget of tokens.
        """
        lengths = np.array([len(sequence) for sequence in tokens])
        most_rows = batch_size or len(tokens)
        while True:
            try:
                with padded.kernels():
                    return self._results(tokens, lengths, most_rows)
            except RuntimeError as error:
                if not is_out_of_memory(error) or not self._can_halve(lengths, most_rows):
                    raise
            # Outside of `except`, which keeps the tensors of the failed batch.
            self._recorder.drop(self._programs)
            print(
                f"worthit: out of memory; scores {self.most_tokens:,} tokens at once",
                file=sys.stderr,
            )

    def _can_halve(self, lengths: npt.NDArray[np.int64], most_rows: int) -> bool:
        """Halve the budget below the largest batch, unless that is a single sequence already."""
        shapes = [shape for shape, _ in self._shapes(lengths, most_rows)]
        largest = max(shapes, key=lambda shape: shape.width * shape.rows)
        if largest.rows == 1:
            return False
        self.most_tokens = largest.width * largest.rows // 2
        return True

    def _shapes(
        self, lengths: npt.NDArray[np.int64], most_rows: int
    ) -> list[tuple[padded.Shape, batches.Indices]]:
        return list(padded.shapes_for_scoring(lengths, most_rows, self.most_tokens, self._widest))

    def _results(
        self, tokens: Sequence[Tokens], lengths: npt.NDArray[np.int64], most_rows: int
    ) -> npt.NDArray[np.float32]:
        shapes = self._shapes(lengths, most_rows)
        results = []
        for start in range(0, len(shapes), _BATCHES_COPIED_TOGETHER):
            part = shapes[start : start + _BATCHES_COPIED_TOGETHER]
            on_device = padded.DeviceBatches(
                [(shape, [tokens[row] for row in rows]) for shape, rows in part],
                self._fill_token,
                self._device,
            )
            computed = [
                # A copy, because the next replay of the program overwrites its result.
                self._program(on_device[number])(on_device[number])[: len(rows)].clone()
                for number, (_, rows) in enumerate(part)
            ]
            results.append(torch.cat(computed).cpu())
        in_order = torch.cat(results).numpy()
        scattered = np.empty_like(in_order)
        scattered[np.concatenate([rows for _, rows in shapes])] = in_order
        return scattered

    def _program(self, batch: graphs.Tensors) -> graphs.Program:
        shape = batch["ids"].shape
        if shape not in self._programs:
            self._programs[shape] = self._recorder.record(
                lambda inputs: self._compute(inputs["ids"], inputs["lengths"]), batch
            )
        return self._programs[shape]
