"""Saved runs for reports, their options checked too."""

from pathlib import Path

from worthit.bench.saved import record, run_file
from worthit.datasets.errors import OptionError, RunError
from worthit.reports import options

#: where `worthit run` saves runs, in the current folder
FOLDER = "worthit-runs"
_OF_CLONE = Path("reports", "runs")


def folder(root: Path) -> Path:
    """The folder of the runs of a project: a clone's, `worthit-runs`, or any `reports/runs`."""
    new = folder_for_new(root)
    return root / _OF_CLONE if not new.is_dir() and (root / _OF_CLONE).is_dir() else new


def folder_for_new(root: Path) -> Path:
    """Where new runs go: a clone has its own folder; another project's `reports` is not touched."""
    is_clone = (root / "bench" / "bench_classifiers.py").is_file()
    return root / (_OF_CLONE if is_clone else FOLDER)


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


def latest(folder: Path) -> Path:
    """The file of the latest complete run of a folder.

    Raises:
        RunError: there is none.
    """
    runs = dict(run_file.readable(folder.glob("*.json")))
    complete = [name for name, run in runs.items() if run.complete]
    if not complete:
        raise RunError(f"no complete run in {folder}; measure one with: worthit run")
    return folder / f"{max(complete, key=lambda name: runs[name].started_at)}.json"
