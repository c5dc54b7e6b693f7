"""Saved runs for reports, their options checked too."""

from pathlib import Path

from worthit.bench.saved import record, run_file
from worthit.datasets.errors import OptionError, RunError
from worthit.reports import options


def load(file: Path) -> record.Run:
    """Load a saved run and check everything that reports rely on.

    Raises:
        RunError: see `worthit.bench.saved.run_file.load`; or an option that reports read has a value
            that is not allowed.
    """
    run = run_file.load(file)
    flags = {option.destination: option.flag for option in options.OPTIONS}
    try:
        options.checked(lambda destination: run.options.get(flags[destination]))
    except OptionError as error:
        raise RunError(f"{file} is not a valid run: {error}") from error
    return run
