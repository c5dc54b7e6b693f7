"""Publishes a run: pictures and Markdown beside its JSON file, and a summary for the terminal."""

from pathlib import Path

from worthit.bench.saved.record import Run
from worthit.datasets.errors import OutputError
from worthit.reports.sections import report


def publish(run: Run, run_file: Path, *, as_page: bool = False) -> str:
    """Write `RUN/README.md` and its pictures beside `RUN.json`; also as a page of one file if asked.

    Returns:
        The results table for a terminal, and where the report is.

    Raises:
        OutputError: a folder or file cannot be written; the run itself is kept.
    """
    folder = run_file.with_suffix("")
    try:
        files = {**_written(run, folder, as_page), "run": run_file}
    except OSError as error:
        raise OutputError(
            f"the report cannot be written ({error.strerror}: {error.filename or folder}); "
            f"mend that, then: worthit report {_shortest(run_file)}"
        ) from error
    told = (f"{kind + ':':<8}{_shortest(file)}" for kind, file in files.items())
    return "\n".join([report.brief(run), "", *told])


def _written(run: Run, folder: Path, as_page: bool) -> dict[str, Path]:
    from worthit.reports.pictures import pictures  # matplotlib takes half a second to import

    folder.mkdir(exist_ok=True)
    files = {"report": folder / "README.md"}  # which GitHub shows when the folder is opened
    text = report.render(run, pictures.draw(run, folder))
    files["report"].write_text(text, "utf-8")
    if as_page:
        from worthit.reports.publish.page import page

        files["page"] = folder / "report.html"
        files["page"].write_text(page(text, folder), "utf-8")
    return files


def _shortest(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
