"""Work of a fixed shape, recorded once and replayed: CUDA graphs, or plain calls elsewhere.

A replay launches all kernels of the work at once. So the work must read its inputs where they were at
recording (`Program` copies new ones there), and must never need a value on the host.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol

import torch

from worthit.datasets.errors import is_out_of_memory

Tensors = Mapping[str, torch.Tensor]
#: static inputs → a result
Work = Callable[[Tensors], torch.Tensor]

# The first call of a kernel allocates workspaces, which a recording must not.
_WARM_UPS = 2


class Program:
    """Recorded work.

    Args:
        inputs: static tensors that the work reads.
        replay: does the work, and returns its result, which the next replay overwrites.
    """

    def __init__(self, inputs: Tensors, replay: Callable[[], torch.Tensor]) -> None:
        self.inputs, self._replay = inputs, replay

    def __call__(self, values: Tensors) -> torch.Tensor:
        for name, tensor in self.inputs.items():
            tensor.copy_(values[name], non_blocking=True)
        return self._replay()


class Recorder(Protocol):
    """Turns work into programs."""

    def record(self, work: Work, example: Tensors) -> Program:
        """Record the work for inputs of the example's shapes.

        Raises:
            RuntimeError: out of memory.
        """

    def drop(self, programs: MutableMapping[Any, Program]) -> None:
        """Remove programs, and release their memory and what they share."""


class Eager:
    """Records nothing: each replay calls the work. For devices without graphs."""

    def record(self, work: Work, example: Tensors) -> Program:
        inputs = {name: tensor.clone() for name, tensor in example.items()}
        return Program(inputs, lambda: work(inputs))

    def drop(self, programs: MutableMapping[Any, Program]) -> None:
        programs.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class CudaGraphs:
    """Records CUDA graphs, which share a memory pool: only one replays at a time.

    Work that cannot be recorded (a library that synchronises) runs eagerly from then on, and
    `reason` says why.

    Args:
        cuda: torch.cuda, or a fake of it.
    """

    def __init__(self, cuda: Any = torch.cuda) -> None:
        self._cuda = cuda
        self._stream, self._pool = cuda.Stream(), cuda.graph_pool_handle()
        self.reason = ""

    def record(self, work: Work, example: Tensors) -> Program:
        if self.reason:
            return Eager().record(work, example)
        inputs = {name: tensor.clone() for name, tensor in example.items()}
        with self._on_side_stream():
            for _ in range(_WARM_UPS):
                work(inputs)
        graph = self._cuda.CUDAGraph()
        try:
            # Other threads of the process may use the device meanwhile.
            with self._cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                result = work(inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self.reason = " ".join(str(error).split())[:200] or type(error).__name__
            print(f"worthit: runs without CUDA graphs ({self.reason})", file=sys.stderr)
            self.drop({})
            return Eager().record(work, example)

        def replay() -> torch.Tensor:
            graph.replay()
            return result

        return Program(inputs, replay)

    def drop(self, programs: MutableMapping[Any, Program]) -> None:
        self._cuda.synchronize()  # a replay may be under way
        programs.clear()
        self._pool = self._cuda.graph_pool_handle()
        self._cuda.empty_cache()

    @contextlib.contextmanager
    def _on_side_stream(self) -> Iterator[None]:
        """Recordings need a stream other than the default one, and the same as their warm-up."""
        current = self._cuda.current_stream()
        self._stream.wait_stream(current)
        with self._cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)


def recorder(device: str) -> Recorder:
    """Records CUDA graphs on CUDA; elsewhere the work is called as it is."""
    return CudaGraphs() if device == "cuda" else Eager()
