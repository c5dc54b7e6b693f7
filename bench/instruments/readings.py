"""What energy counters show after a window."""

from collections.abc import Mapping
from dataclasses import dataclass

from worthit.bench.saved.record import Figure, unavailable

#: metered separately, and never added up unless all are measured
COMPONENTS = ("CPU", "RAM", "GPU")


@dataclass(frozen=True)
class Readings:
    """Energy in J."""

    joules: Mapping[str, Figure]  # by component; GPU: the card that the cell uses
    idle_gpu: Figure  # of the cards, if the cell uses none


def counted(joules: float, counter: str) -> Figure:
    """The reading of a counter, unless it is impossible: a powered component uses energy.

    Args:
        counter: the library and what it reads, such as `codecarbon: RAPL`.
    """
    if joules <= 0:
        name = counter.partition(": ")[2]
        return unavailable("J", f"a counter of {name} did not advance during the window")
    return Figure(joules, "J", "measured", counter)
