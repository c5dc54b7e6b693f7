"""Publishes a run: Markdown and pictures beside its JSON file, and a summary for the terminal."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from worthit.bench.saved.record import Run
from worthit.datasets.errors import OutputError, RunError, counted
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import report
from worthit.reports.verdict import rules
from worthit.reports.verdict.rules import Verdict


def publish(
    run: Run,
    run_file: Path,
    options: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    as_html: bool = False,
) -> str:
    """Write `RUN/README.md` and its pictures beside `RUN.json`.

    Args:
        options: flag → text; they replace the options that the run was measured with.
        folder: where to write them instead.
        as_html: whether to write `RUN/report.html` too, one file.

    Returns:
        The results table for a terminal, and the files.

    Raises:
        OutputError: a folder or file cannot be written; the run itself is saved.
        OptionError: an option has a value that is not allowed.
    """
    analysis = Analysis.of(replace(run, options={**run.options, **(options or {})}))
    verdict = rules.decide(analysis)
    folder = folder or run_file.with_suffix("")
    try:
        files = {**_write(analysis, verdict, folder, as_html=as_html), "run": run_file}
    except OSError as error:
        raise OutputError(
            f"the report cannot be written ({error.strerror}: {error.filename or folder}); "
            f"correct that, then: worthit report {_relative(run_file)}"
        ) from error
    lines = (f"{kind + ':':<8}{_relative(file)}" for kind, file in files.items())
    return "\n".join([report.brief(analysis, verdict), "", *lines])


def publish_all(runs: Sequence[tuple[Run, Path]]) -> str:
    """Publish each run, and with several their comparison with the first, as Markdown beside them.

    Returns:
        The summaries, for a terminal; several have headings with their kinds of machines.

    Raises:
        OutputError: a folder or file cannot be written; the runs themselves are saved.
    """
    summaries = [publish(run, file) for run, file in runs]
    if len(runs) > 1:
        summaries = [
            f"{_heading(run)}\n\n{summary}"
            for (run, _), summary in zip(runs, summaries, strict=True)
        ]
        summaries.append(_compare(runs))
    return "\n\n".join(summaries)


def _heading(run: Run) -> str:
    """On which kind of machine a run was measured, for a terminal."""
    machine = f"{run.machine['cpu']}, {counted(run.machine['cores_allowed'], 'core')}"
    return textwrap.fill(f"== {run.options['--on']}: {machine} ==", 80)


def _compare(runs: Sequence[tuple[Run, Path]]) -> str:
    from worthit.reports.compare.compare import compare

    try:
        comparison = compare([(file.stem, run) for run, file in runs])
    except RunError as error:
        return f"no comparison: {error}"
    file = runs[0][1].with_name(f"{runs[0][1].stem}-comparison.md")
    try:
        file.write_text(comparison.text, "utf-8")
    except OSError as error:
        raise OutputError(
            f"the comparison cannot be written ({error.strerror}: {file}); correct that, then: worthit compare "
            f"{' '.join(_relative(file) for _, file in runs)} --output {_relative(file)}"
        ) from error
    return f"{comparison.verdict}\ncomparison: {_relative(file)}"


def _write(analysis: Analysis, verdict: Verdict, folder: Path, *, as_html: bool) -> dict[str, Path]:
    from worthit.reports.pictures import pictures  # matplotlib takes half a second to import

    folder.mkdir(parents=True, exist_ok=True)
    files = {"report": folder / "README.md"}  # GitHub shows it with the folder
    text = report.render(analysis, verdict, pictures.draw(analysis, folder))
    files["report"].write_text(text, "utf-8")
    if as_html:
        from worthit.reports.publish import report_html

        files["html"] = folder / "report.html"
        files["html"].write_text(report_html.as_html(text, folder), "utf-8")
    return files


def _relative(path: Path) -> str:
    """Relative to the working folder, if it is inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
