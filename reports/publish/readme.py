"""The README's results, between two markers, from a committed run."""

import re
from pathlib import Path

from worthit.datasets.errors import RunError
from worthit.reports import saved_runs
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import titles
from worthit.reports.sections import report
from worthit.reports.verdict import rules

_BLOCK = re.compile(r"(<!-- results: (?P<run>\S+) -->\n).*?(\n<!-- end of results -->)", re.DOTALL)


def filled(readme: str, root: Path, run_name: str | None = None) -> str:
    """The README's text with its results block rendered anew.

    Args:
        readme: the text as it is; its marker names the run: `<!-- results: NAME -->`.
        root: the folder of the README, from which links are relative.
        run_name: another run to take from now on.

    Raises:
        RunError: there is no such block, or no such run, or it is not complete.
    """
    block = _BLOCK.search(readme)
    if block is None:
        raise RunError(
            "README.md has no block <!-- results: RUN --> … <!-- end of results --> to fill"
        )
    name = run_name or block["run"]
    run = saved_runs.load(root / "reports" / "runs" / f"{name}.json")
    if not run.complete:
        raise RunError(f"{name} was interrupted; choose a complete run, see `worthit runs`")
    analysis = Analysis.of(run)
    folder = f"reports/runs/{name}"
    analysis = Analysis.of(run)
    parts = [
        f"**{rules.decide(analysis).headline}**",
        report.headline(run) + f" [The whole report]({folder}/README.md).",
        report.noise_warning(run),
        *report.results(analysis),
    ]
    if (root / folder / "frontier.png").exists():
        parts.append(f"![{titles.FRONTIER}]({folder}/frontier.png)")
    body = "\n\n".join(filter(None, parts))
    return (
        readme[: block.start()]
        + f"<!-- results: {name} -->\n{body}\n<!-- end of results -->"
        + readme[block.end() :]
    )
