"""The case that a verdict is about: one fine-tuned LLM, and the cheaper models beside it."""

from dataclasses import dataclass

import numpy as np

from worthit.bench.saved.record import CellRecord, Run
from worthit.models.registry import MODELS
from worthit.reports.analysis import bounds, metrics
from worthit.reports.analysis.cascade import Tested
from worthit.reports.analysis.paired_tests import Pair, between
from worthit.reports.analysis.run_view import by_model, name, test_accuracy


@dataclass(frozen=True)
class Case:
    """What the rules of a verdict look at; all cells in it have scores."""

    run: Run
    llm: CellRecord
    rivals: tuple[CellRecord, ...]  # cheaper than the LLM, the most accurate first
    pairs: tuple[Pair, ...]
    cascades: tuple[Tested, ...]

    @property
    def comments(self) -> int:
        """How many the models are tested on."""
        return len(self.run.data.test.labels)

    def shown(self, cell: CellRecord) -> str:
        return name(self.run, cell)

    def accuracy(self, cell: CellRecord) -> metrics.Share:
        return accuracy(self.run, cell)

    def compute_ms(self, cell: CellRecord) -> float:
        return bounds.compute_ms(self.run, cell).value or np.inf

    def lead(self, rival: CellRecord) -> Pair:
        """The LLM less a rival."""
        return between(self.pairs, self.llm.name, rival.name)

    def is_better(self, rival: CellRecord) -> bool:
        """Whether the LLM is, in each of its trainings than in each of the rival's."""
        return self._is_ahead(self.llm, rival)

    def is_worse(self, rival: CellRecord) -> bool:
        """Likewise."""
        return self._is_ahead(rival, self.llm)

    def seeds_disagree(self, rival: CellRecord) -> bool:
        """Whether the paired test tells the first seeds apart, but other seeds do not bear it out."""
        told_apart = self.lead(rival).accuracy_differs
        return told_apart and not (self.is_better(rival) or self.is_worse(rival))

    def seeds(self) -> int:
        """How often the LLM was trained."""
        return len(self.trainings(self.llm))

    def trainings(self, cell: CellRecord) -> list[float]:
        """The accuracy with each seed."""
        alike = next(cells for cells in by_model(self.run).values() if cell in cells)
        return [self.accuracy(other).value for other in alike]

    def _is_ahead(self, first: CellRecord, second: CellRecord) -> bool:
        lead = between(self.pairs, first.name, second.name)
        supported = lead.accuracy_differs and lead.accuracy_difference > 0
        return supported and min(self.trainings(first)) > max(self.trainings(second))


def accuracy(run: Run, cell: CellRecord) -> metrics.Share:
    """Of a cell that has scores."""
    share = test_accuracy(run, cell)
    assert share is not None
    return share


def is_llm(cell: CellRecord) -> bool:
    if cell.setup is not None:
        return cell.setup.kind == "llm"
    return cell.model in MODELS and MODELS[cell.model].kind == "llm"


def is_tuned_llm(cell: CellRecord) -> bool:
    return is_llm(cell) and cell.training is not None and cell.training.train_s.value is not None
