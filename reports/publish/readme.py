"""Published results: blocks of the READMEs, between two markers, each rendered from a saved run.

A block starts with `<!-- results: RUN -->`, `<!-- runs: RUN RUN… -->` or `<!-- speed: RUN -->`, and ends
with `<!-- end of results -->` and so on. `runs` has one line for each of its runs, and may be missing.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from worthit.bench.saved.record import Run
from worthit.bench.speed import record as speed_record
from worthit.datasets.errors import RunError, counted
from worthit.reports import saved_runs
from worthit.reports.analysis import task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import titles
from worthit.reports.sections import machine, report, speed
from worthit.reports.text.format import joined
from worthit.reports.verdict import rules

#: the READMEs that may contain blocks, relative to the project's folder
FILES = ("README.md", "bench/README.md", "reports/README.md")

_BLOCK = re.compile(
    r"<!-- (?P<kind>results|runs|speed): (?P<run>\S+(?: \S+)*?) -->\n.*?\n<!-- end of (?P=kind) -->",
    re.DOTALL,
)
_REQUIRED = ("results", "speed")
_NAMED = 4  # models of a run; more are counted
_NOISY = " The machine was noisy: small differences in time mean nothing."


def stale_files(root: Path, run_names: Mapping[str, str | None]) -> dict[Path, str]:
    """Render all blocks again.

    Args:
        root: the project's folder.
        run_names: for each kind of block, the run to publish from now on (for `runs` several, with
            spaces between them); None for those that the block names.

    Returns:
        The new text of each file that changes.

    Raises:
        RunError: a README or a block is missing, or a run is missing, not valid or incomplete.
    """
    if not (root / FILES[0]).is_file():
        raise RunError(
            f"there is no {root / FILES[0]}; run this in the project's folder, or give --root"
        )
    texts = {file: file.read_text("utf-8") for name in FILES if (file := root / name).is_file()}
    found = {block["kind"] for text in texts.values() for block in _BLOCK.finditer(text)}
    for kind in _missing(found, run_names):
        raise RunError(
            f"no block <!-- {kind}: RUN --> … <!-- end of {kind} --> in {', '.join(FILES)}"
        )
    new_texts = {file: _fill(text, root, file.parent, run_names) for file, text in texts.items()}
    return {file: text for file, text in new_texts.items() if text != texts[file]}


def _missing(found: set[str], run_names: Mapping[str, str | None]) -> list[str]:
    return [
        kind for kind in run_names if kind not in found and (kind in _REQUIRED or run_names[kind])
    ]


def _fill(text: str, root: Path, folder: Path, run_names: Mapping[str, str | None]) -> str:
    def render(block: re.Match[str]) -> str:
        kind, name = block["kind"], run_names[block["kind"]] or block["run"]
        body = _RENDERERS[kind](root, folder, name)
        return f"<!-- {kind}: {name} -->\n{body}\n<!-- end of {kind} -->"

    return _BLOCK.sub(render, text)


def _results(root: Path, folder: Path, name: str) -> str:
    """Verdict, noise warning, results table and picture; links are relative to `folder`."""
    run = _complete_run(root, name)
    report_folder = root / "reports" / "runs" / name
    link = _link(report_folder, folder)
    analysis = Analysis.of(run)
    paragraphs = [
        f"**{rules.decide(analysis).headline}**",
        report.headline(run) + f" [The whole report]({link}/README.md).",
        machine.noise_warning(run),
        *report.results(analysis),
    ]
    if (report_folder / "frontier.png").exists():
        title = titles.frontier(task.ranking(run).heading)
        paragraphs.append(f"![{title}]({link}/frontier.png)")
    return "\n\n".join(filter(None, paragraphs))


def _runs(root: Path, folder: Path, names: str) -> str:
    """One line per run: its size, its machine and its answer; links are relative to `folder`."""
    lines = []
    for name in names.split():
        run = _complete_run(root, name)
        link = _link(root / "reports" / "runs" / name, folder)
        headline = report.headline(run).removesuffix(".")
        rows = list(dict.fromkeys(cell.model for cell in run.cells))
        models = joined(rows) if len(rows) <= _NAMED else counted(len(rows), "model")
        answer = rules.decide(Analysis.of(run)).headline
        noisy = _NOISY * bool(machine.noise_warning(run))
        lines.append(f"- [{headline}]({link}/README.md); {models}: {answer}{noisy}")
    return "\n".join(lines)


def _complete_run(root: Path, name: str) -> Run:
    run = saved_runs.load(root / "reports" / "runs" / f"{name}.json")
    if not run.complete:
        raise RunError(f"{name} was interrupted; choose a complete run, see `worthit runs`")
    return run


def _link(target: Path, folder: Path) -> str:
    return Path(os.path.relpath(target, folder)).as_posix()


def _speed(root: Path, folder: Path, name: str) -> str:
    return speed.render(speed_record.load(speed_record.path(root, name)))


_RENDERERS = {"results": _results, "runs": _runs, "speed": _speed}
