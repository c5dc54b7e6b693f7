"""Whether this machine has a place, a GPU or a core, for each process of a training."""

from worthit.bench.cells import trainers
from worthit.bench.instruments import machine
from worthit.bench.options import BenchmarkOptions
from worthit.datasets.errors import DeviceError, OptionError
from worthit.models import registry


def require(options: BenchmarkOptions) -> None:
    """Raise OptionError if a device of this machine lacks places for the processes of a training."""
    entries = [registry.entry(name) for name in options.models.values()]
    trained = [registry.entry(each.trained_as) if each.trained_as else each for each in entries]
    if not any(each.shares_training for each in trained):
        return
    for device in options.devices:
        most = machine.places(device)
        if most is not None:
            try:
                trainers.require(device, options.processes, most)
            except DeviceError as error:
                raise OptionError(str(error)) from error
