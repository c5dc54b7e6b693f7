"""The case that a verdict decides: one fine-tuned LLM, and the cheaper models beside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worthit.bench.saved.record import CellRecord, Run
from worthit.models.registry import MODELS
from worthit.reports.analysis import costs, error_costs, leads, prices, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.leads import Lead, Standing
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure
from worthit.reports.statistics.trainings import Spread

_DEVIATIONS = 1.96  # of a 95 % interval
_ABOUT = 0.2  # of a worthwhile lead


@dataclass(frozen=True)
class Case:
    """What the rules of a verdict read; all cells have scores."""

    analysis: Analysis
    llm: CellRecord
    rivals: tuple[CellRecord, ...]  # cheaper than the LLM, the best first
    unranked: tuple[CellRecord, ...]  # maybe cheaper than the LLM, maybe not
    leads: Mapping[str, Lead]  # of the LLM over all of these, by cell name

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        llm: CellRecord,
        rivals: Sequence[CellRecord],
        unranked: Sequence[CellRecord] = (),
    ) -> "Case":
        best_first = sorted(rivals, key=lambda rival: -figure(analysis, rival))
        over = {other.name: lead(analysis, llm, other) for other in (*rivals, *unranked)}
        return cls(analysis, llm, tuple(best_first), tuple(unranked), over)

    @property
    def run(self) -> Run:
        return self.analysis.run

    @property
    def comments(self) -> int:
        """Number of test comments by which models are compared."""
        if self.in_money:
            return error_costs.comments(self.run)
        return len(self.run.data.test.ids)

    @property
    def worthwhile(self) -> float:
        """The smallest lead that is worth its cost, as a share, or in money per 1,000 comments."""
        return worthwhile(self.analysis)

    @property
    def in_money(self) -> bool:
        """True if the cost of errors decides."""
        return self.measure == metrics.SAVED_COST

    @property
    def measure(self) -> Measure:
        """The figure that decides."""
        return leads.measure(self.run)

    @property
    def guessing(self) -> float:
        """That figure of the best constant answer."""
        return leads.guessing(self.run)

    @property
    def constant(self) -> str:
        """The answer that `guessing` is of, in words."""
        to_reach_recall = self.analysis.decisions.objective.name == "recall"
        return "flagging every comment" if to_reach_recall else "a constant answer"

    def name(self, cell: CellRecord) -> str:
        return run_view.name(self.run, cell)

    def figure(self, cell: CellRecord) -> Bounded:
        """The figure that decides, with its interval; the mean over trainings."""
        return deciding(self.analysis, cell)

    def lead(self, rival: CellRecord) -> Lead:
        return self.leads[rival.name]

    def standing(self, rival: CellRecord) -> Standing:
        return self.lead(rival).standing(self.worthwhile)

    def closest(self) -> CellRecord:
        """The rival over which the lead is smallest for certain; the cheapest of those about as close.

        They may be one model in several number formats.
        """
        closest = min(self.rivals, key=lambda rival: self.lead(rival).low)
        reach = self.lead(closest).low + _ABOUT * self.worthwhile
        near = [
            rival
            for rival in self.rivals
            if self.lead(rival).low <= reach and self.standing(rival) == self.standing(closest)
        ]
        return max(near, key=lambda rival: self.times_cheaper(rival) or 1.0, default=closest)

    def times_cheaper(self, rival: CellRecord) -> float | None:
        """How many times as much the LLM costs to run, at least; None if that is unknown."""
        return costs.times_cheaper(self.analysis.values, rival.name, self.llm.name)

    def trained_once(self, *cells: CellRecord) -> list[CellRecord]:
        """Those of the cells whose model another seed would change, and that has only one."""
        return [
            cell
            for cell in cells
            if is_seeded(cell) and len(run_view.trainings(self.run, cell)) == 1
        ]


def worthwhile(analysis: Analysis) -> float:
    """The smallest worthwhile lead, as a share, or in money per 1,000 comments.

    In money, a point is one percent of what the errors of the best constant answer cost.
    """
    share = analysis.options.worthwhile
    if leads.measure(analysis.run) != metrics.SAVED_COST:
        return share
    return share * error_costs.of_constant(analysis.run)


def lead(analysis: Analysis, first: CellRecord, second: CellRecord) -> Lead:
    """The lead of one model over another, with all trainings of both.

    In money it includes the price of the machine, whose bounds count as a 95 % interval.
    """
    run, trainings = analysis.run, run_view.trainings
    found = leads.lead(run, trainings(run, first), trainings(run, second), analysis.resamples)
    if leads.measure(run) != metrics.SAVED_COST or not analysis.options.prices_compute:
        return found
    per_thousand = error_costs.PER / prices.MILLION
    one, other = (analysis.values[cell.name, costs.PRICE] for cell in (first, second))
    if one.value is None or other.value is None:
        return replace(found, spread=Spread.of(math.inf, ()))
    reach = max(one.high - one.low, 0) / 2 + max(other.high - other.low, 0) / 2
    variance = found.spread.comments + (per_thousand * reach / _DEVIATIONS) ** 2
    return replace(
        found,
        value=found.value + per_thousand * (other.value - one.value),
        spread=replace(found.spread, comments=variance),
    )


def deciding(analysis: Analysis, cell: CellRecord) -> Bounded:
    """The figure that decides, of one model; in money with the price of the machine."""
    if leads.measure(analysis.run) != metrics.SAVED_COST:
        return analysis.values[cell.name, "deciding"]
    total = analysis.values[cell.name, prices.TOTAL_COST]
    return error_costs.below_constant(analysis.run, total)


def figure(analysis: Analysis, cell: CellRecord) -> float:
    """The figure that decides, of one model; -infinity if it is not defined."""
    value = deciding(analysis, cell).value
    return -np.inf if value is None else value


def compute_ms(analysis: Analysis, cell: CellRecord) -> float:
    return analysis.values[cell.name, "compute_ms"].value or np.inf


def is_cheaper(analysis: Analysis, cell: CellRecord, other: CellRecord) -> bool:
    """True if a cell is cheaper to run beyond the bounds of both figures."""
    return costs.is_cheaper(analysis.values, cell.name, other.name)


def is_llm(cell: CellRecord) -> bool:
    if cell.setup is not None:
        return cell.setup.kind == "llm"
    return cell.model in MODELS and MODELS[cell.model].kind == "llm"


def is_tuned_llm(cell: CellRecord) -> bool:
    return is_llm(cell) and cell.training is not None and cell.training.train_s.value is not None


def is_seeded(cell: CellRecord) -> bool:
    """True unless another seed would give the same model."""
    return cell.setup is None or cell.setup.seeded
