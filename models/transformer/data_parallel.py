"""Training that several processes of one machine share, one accelerator each.

Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training" (DDP), by
accelerate. Each process has the whole model and computes some comments of every batch. DDP adds the
gradients up, so each process makes the step that one process makes with the whole batch.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch

from worthit.datasets.errors import CellError, is_out_of_memory
from worthit.models.transformer.batches import Indices
from worthit.models.transformer.place import LOST, Place


class Part(NamedTuple):
    """The comments of a step that one process computes."""

    rows: Indices
    #: of the sum of losses. DDP takes the mean over the processes, so the result is the sum over the
    #: batch divided by its comments, however many of them a process has.
    divisor: float


class Split:
    """What one process does of a training; without a place it does all."""

    def __init__(self, place: Place | None = None, accelerator: Any = None) -> None:
        self._rank = place.rank if place else 0
        self.processes = place.processes if place else 1
        self._accelerator = accelerator

    def part(self, rows: Indices) -> Part:
        """Every N-th comment, since those of a batch are sorted by length.

        All processes take part in each step. One without a comment computes one that does not count.
        """
        own = rows[self._rank :: self.processes]
        return Part(own, len(rows) / self.processes) if len(own) else Part(rows[:1], np.inf)

    def largest_part(self, batch_size: int) -> int:
        """The most comments of a step that a process computes."""
        return -(-batch_size // self.processes)

    def share(
        self, logits: Callable[..., torch.Tensor], parameters: Sequence[torch.nn.Parameter]
    ) -> Callable[..., torch.Tensor]:
        """The same function, whose backward pass adds up the gradients of all processes.

        All processes get the parameters of process 0. Nothing else is sent: with LoRA, only adapters.
        """
        if self._accelerator is None:
            return logits
        shared: Callable[..., torch.Tensor] = self._accelerator.prepare_model(
            _Logits(logits, parameters), device_placement=False
        )
        return shared

    def without_sum(self, shared: Callable[..., torch.Tensor]) -> AbstractContextManager[None]:
        """Backward passes in this context leave each process its own gradients, to be added to."""
        if self._accelerator is None:
            return nullcontext()
        context: AbstractContextManager[None] = self._accelerator.no_sync(shared)
        return context

    def least(self, number: int) -> int:
        """The smallest number of all processes."""
        if self._accelerator is None:
            return number
        numbers = self._accelerator.gather(torch.tensor([number], device=self._accelerator.device))
        return int(numbers.min())


class _Logits(torch.nn.Module):
    """A function and the parameters that it is trained by, as DDP takes them."""

    def __init__(
        self, logits: Callable[..., torch.Tensor], parameters: Sequence[torch.nn.Parameter]
    ) -> None:
        super().__init__()
        self._logits = logits
        self.trained = torch.nn.ParameterList(parameters)

    def forward(self, *inputs: Any) -> torch.Tensor:
        return self._logits(*inputs)


@contextmanager
def joined(place: Place | None, device: str, seed: int) -> Iterator[Split]:
    """Meet the other processes for one training.

    Args:
        device: of this process; on CUDA, its current card.
        seed: of the training; each process gets its own one for dropout.

    Raises:
        CellError: another process ended.
    """
    if place is None:
        yield Split()
        return
    if place.rank:
        state = np.random.SeedSequence([seed, place.rank]).generate_state(1)
        torch.manual_seed(int(state[0]))
    try:
        with _environment(place), _group(place, device):
            yield Split(place, _accelerator(device))
    except RuntimeError as error:
        if _is_of_connection(error):
            raise CellError(LOST) from error
        raise


def _accelerator(device: str) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # Some networks have a pooler or positions that no gradient reaches.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=[unused])


@contextmanager
def _environment(place: Place) -> Iterator[None]:
    """What accelerate and gloo read, until the end of the training."""
    ranks = dict.fromkeys(("RANK", "LOCAL_RANK"), str(place.rank))
    sizes = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(place.processes))
    before = dict(os.environ)
    # Without a number of threads, accelerate sets its own.
    defaults = {"GLOO_SOCKET_IFNAME": _loopback(), "OMP_NUM_THREADS": f"{torch.get_num_threads()}"}
    os.environ.update(defaults | before | ranks | sizes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _loopback() -> str:
    """The interface that no other machine reaches; empty if it has another name, as on Windows."""
    import socket

    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), "")


@contextmanager
def _group(place: Place, device: str) -> Iterator[None]:
    """The processes meet by a file, so no port is to be chosen."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # accelerate keeps the first one
    torch.distributed.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        store=torch.distributed.FileStore(str(place.meeting), place.processes),  # type: ignore[attr-defined]
        rank=place.rank,
        world_size=place.processes,
    )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)


def _is_of_connection(error: RuntimeError) -> bool:
    if is_out_of_memory(error):
        return False
    is_named = any(name in str(error).lower() for name in ("gloo", "nccl", "connection"))
    return is_named or isinstance(error, torch.distributed.DistError)
