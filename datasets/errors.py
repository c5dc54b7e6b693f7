"""All errors that a user can cause. The message is one line: what was given, what is allowed, what to do.

WorthitError
├── UnknownNameError            a model, dataset, device or preset that is not registered
├── OptionError                 an option with an invalid value
├── DataError                   comments that cannot be read or split
├── DownloadError               a package that cannot be downloaded, or is damaged
├── CacheError                  the cache folder is full or not writable
├── CheckpointError             pretrained weights that cannot be loaded or used
├── ModelError                  a user's model that cannot be found or breaks the contract
├── DeviceError                 a device that this machine or torch build does not have
├── CellError                   a cell that crashed, ran out of memory or exceeded its limit
├── ClusterError                a cluster that does not answer, or has unsuitable nodes
├── OutputError                 results that cannot be written or resumed
└── RunError                    a saved run or model that cannot be read
"""

from collections.abc import Iterable, Sequence


class WorthitError(Exception):
    """The base class. The message is shown without a traceback."""


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


class ClusterError(WorthitError): ...


class OutputError(WorthitError): ...


class RunError(WorthitError): ...


def one_line(error: BaseException, most: int = 200) -> str:
    """The message of an error of a library, which may have many lines."""
    return " ".join(str(error).split())[:most]


def described(error: BaseException, most: int = 200) -> str:
    """The kind and the message of an error of a library, in one line."""
    return f"{type(error).__name__}: {one_line(error, most)}".removesuffix(": ")


def listed(names: Sequence[str], most: int = 6, width: int = 30) -> str:
    """The first names, for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(name[:width] for name in names[:most]) or "none") + more


def counted(count: int, noun: str) -> str:
    """1 column, 2 columns."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def is_out_of_memory(error: BaseException) -> bool:
    """True if an allocation failed, by Python or by torch on a CPU or an accelerator."""
    words = str(error)
    return (
        isinstance(error, MemoryError)
        or "out of memory" in words
        or "can't allocate memory" in words
    )


def says_full(message: str) -> bool:
    """True if the message of an error says that memory or a disk was full."""
    return any(
        words in message for words in ("out of memory", "is full", "No space left on device")
    )
