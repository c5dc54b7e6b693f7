"""Where a process stands in a training that several share. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

#: the error of a process whose training ends because another process has ended
LOST = "another process of the training ended"


@dataclass(frozen=True)
class Place:
    """One of the processes that share a training.

    Args:
        rank: from 0; the model of process 0 is saved.
        processes: that share the training.
        meeting: a file in a private folder by which they find each other, a new one for each training.
    """

    rank: int
    processes: int
    meeting: Path
