"""Saved runs as reports take them: with options that make sense, too."""

from pathlib import Path

from worthit.bench.saved import record, run_file
from worthit.datasets.errors import OptionError, RunError
from worthit.reports import options


def load(file: Path) -> record.Run:
    """Read a saved run and check all that reports rely on.

    Raises:
        RunError: as `worthit.bench.saved.run_file.load`, or an option that reports read makes no sense.
    """
    run = run_file.load(file)
    flags = {option.destination: option.flag for option in options.OPTIONS}
    try:
        options.checked(lambda destination: run.options.get(flags[destination]))
    except OptionError as error:
        raise RunError(f"{file} is not a valid run: {error}") from error
    return run
