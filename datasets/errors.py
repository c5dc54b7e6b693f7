"""Every error a person can cause, in one tree. The message is one line: given, allowed, next.

WorthitError
├── UnknownNameError            a model, dataset, device or preset nobody registered
├── OptionError                 an option whose value makes no sense
├── DataError                   comments that cannot be read or split
├── DownloadError               a package that did not come, or came damaged
├── CacheError                  the cache folder is full or not writable
├── CheckpointError             pretrained weights that cannot be had or used
├── ModelError                  a model of the user's own that cannot be found or breaks the contract
├── DeviceError                 a device this machine, or this torch build, does not have
├── CellError                   a cell that crashed, ran out of memory or exceeded its limit
├── OutputError                 results that cannot be written, or gone on with
└── RunError                    a saved run or model that cannot be read
"""

from collections.abc import Iterable


class WorthitError(Exception):
    """The root; its text is one line for people and never needs a traceback beside it."""


class UnknownNameError(WorthitError):
    def __init__(self, kind: str, given: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {given!r}; known: {', '.join(known)}")


class OptionError(WorthitError): ...


class DataError(WorthitError): ...


class DownloadError(WorthitError): ...


class CacheError(WorthitError): ...


class CheckpointError(WorthitError): ...


class ModelError(WorthitError): ...


class DeviceError(WorthitError): ...


class CellError(WorthitError): ...


class OutputError(WorthitError): ...


class RunError(WorthitError): ...


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: Python's own, a CPU's or an accelerator's by torch."""
    words = str(error)
    return (
        isinstance(error, MemoryError)
        or "out of memory" in words
        or "can't allocate memory" in words
    )
