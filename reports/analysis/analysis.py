"""Everything that more than one part of a report needs to know of a run, computed once."""

from collections.abc import Mapping
from dataclasses import dataclass

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import (
    budgets,
    cascade,
    figures,
    frontier,
    human_rater,
    learning,
    paired_tests,
    prices,
    run_view,
    transfer,
)
from worthit.reports.analysis.budgets import Fit
from worthit.reports.analysis.cascade import CascadeTest
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.figure_spec import Values
from worthit.reports.analysis.frontier import Frontier
from worthit.reports.analysis.human_rater import Rater
from worthit.reports.analysis.learning import Curves
from worthit.reports.analysis.paired_tests import Pair
from worthit.reports.analysis.transfer import Transfers
from worthit.reports.options import ReportOptions
from worthit.reports.statistics import bootstrap
from worthit.reports.statistics.ranking_curve import Matrix
from worthit.reports.text import class_names


@dataclass(frozen=True)
class Analysis:
    """A run, its report's options, and the results that follow from both."""

    run: Run  # with scores for which the answers are those chosen on validation comments
    options: ReportOptions
    decisions: Decisions
    models: Mapping[str, list[CellRecord]]  # cells with scores; seeds of one model share a name
    values: Values  # figures with their bounds
    resamples: Matrix  # of the test comments, see `bootstrap.counts`
    pairs: tuple[Pair, ...]
    cascades: tuple[CascadeTest, ...]
    frontiers: tuple[Frontier, ...]
    fits: Mapping[str, tuple[Fit, ...]]  # by cell name; empty tuples without a budget
    transfers: Transfers
    rater: Rater | None  # None without votes
    curves: Curves

    @classmethod
    def of(cls, measured: Run) -> "Analysis":
        """Compute all results of a run as it was saved.

        Raises:
            OptionError: the run's options make no sense.
        """
        options, decided = ReportOptions.of(measured.options), Decisions.of(measured)
        run = decided.decided
        specs = [spec for spec in figures.FIGURES if spec.bounds is not None]
        specs += prices.figures(run, options)
        costs = [spec for spec in specs if spec.frontier is not None]
        values = figures.values(run, specs)
        resamples = bootstrap.counts(len(run.data.test.ids))
        pairs = paired_tests.pairs(run, resamples)
        cascades = cascade.select(run, values, options.worthwhile)
        return cls(
            run,
            options,
            decided,
            models=run_view.by_model(run),
            values=values,
            resamples=resamples,
            pairs=pairs,
            cascades=cascades,
            frontiers=frontier.frontiers(run, costs, values, paired_tests.differ(pairs), cascades),
            fits={cell.name: budgets.fits(cell, options.limits, values) for cell in run.cells},
            transfers=transfer.transfers(run),
            rater=human_rater.rater(run.data.test, resamples) if class_names.of_two(run) else None,
            curves=learning.curves(measured),
        )
