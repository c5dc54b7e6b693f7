"""Publishes a run: pictures and Markdown beside its JSON file, and a summary for the terminal."""

from pathlib import Path

from worthit.bench.record import Run
from worthit.reports import markdown


def publish(run: Run, run_file: Path, *, as_page: bool = False) -> str:
    """Write `RUN/README.md` and its pictures beside `RUN.json`; also as a page of one file if asked.

    Returns:
        The results table for a terminal, and where the report is.
    """
    from worthit.reports import pictures  # matplotlib takes half a second to import

    folder = run_file.with_suffix("")
    folder.mkdir(exist_ok=True)
    report = folder / "README.md"  # which GitHub shows when the folder is opened
    text = markdown.render(run, pictures.draw(run, folder))
    report.write_text(text, "utf-8")
    files = {"report": report, "run": run_file}
    if as_page:
        from worthit.reports.page import page

        files["page"] = folder / "report.html"
        files["page"].write_text(page(text, folder), "utf-8")
    told = (f"{kind + ':':<8}{_shortest(file)}" for kind, file in files.items())
    return "\n".join([markdown.brief(run), "", *told])


def _shortest(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
