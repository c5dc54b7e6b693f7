"""Publishes a run: pictures and Markdown beside its JSON file, and a summary for the terminal."""

from pathlib import Path

from worthit.bench.record import Run
from worthit.reports import markdown


def publish(run: Run, run_file: Path) -> str:
    """Write `RUN/README.md` and its pictures beside `RUN.json`.

    Returns:
        The results table for a terminal, and where the report is.
    """
    from worthit.reports import pictures  # matplotlib takes half a second to import

    folder = run_file.with_suffix("")
    folder.mkdir(exist_ok=True)
    report = folder / "README.md"  # which GitHub shows when the folder is opened
    report.write_text(markdown.render(run, pictures.draw(run, folder)), "utf-8")
    return f"{markdown.brief(run)}\n\nreport: {_shortest(report)}\nrun:    {_shortest(run_file)}"


def _shortest(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
