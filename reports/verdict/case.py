"""The case that a verdict decides: one fine-tuned LLM, and the cheaper models beside it."""

from dataclasses import dataclass

import numpy as np

from worthit.bench.saved.record import CellRecord, Run
from worthit.models.registry import MODELS
from worthit.reports.analysis import run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.metrics import Share
from worthit.reports.analysis.paired_tests import Difference, between


@dataclass(frozen=True)
class Case:
    """What the rules of a verdict read; all cells have scores."""

    analysis: Analysis
    llm: CellRecord
    rivals: tuple[CellRecord, ...]  # cheaper than the LLM, the most accurate first

    @property
    def run(self) -> Run:
        return self.analysis.run

    @property
    def comments(self) -> int:
        """Number of test comments."""
        return len(self.run.data.test.labels)

    def name(self, cell: CellRecord) -> str:
        return run_view.name(self.run, cell)

    def accuracy(self, cell: CellRecord) -> Share:
        return test_accuracy(self.analysis, cell)

    def compute_ms(self, cell: CellRecord) -> float:
        return self.analysis.values[cell.name, "compute_ms"].value or np.inf

    def lead(self, rival: CellRecord) -> Difference:
        """The accuracy of the LLM minus that of a rival."""
        return between(self.analysis.pairs, self.llm.name, rival.name).accuracy

    def is_better(self, rival: CellRecord) -> bool:
        """True if the LLM is better than a rival, in each of its trainings than in each of theirs."""
        ahead = min(self.trainings(self.llm)) > max(self.trainings(rival))
        return self.lead(rival).is_significant and self.lead(rival).value > 0 and ahead

    def is_worse(self, rival: CellRecord) -> bool:
        """The opposite of `is_better`, under the same rule."""
        behind = max(self.trainings(self.llm)) < min(self.trainings(rival))
        return self.lead(rival).is_significant and self.lead(rival).value < 0 and behind

    def seeds_disagree(self, rival: CellRecord) -> bool:
        """True if the first seeds differ significantly, but other seeds do not confirm it."""
        differs = self.lead(rival).is_significant
        return differs and not (self.is_better(rival) or self.is_worse(rival))

    def seeds(self) -> int:
        """Number of trainings of the LLM."""
        return len(self.trainings(self.llm))

    def trainings(self, cell: CellRecord) -> list[float]:
        """The accuracy with each seed."""
        seeds = next(cells for cells in self.analysis.models.values() if cell in cells)
        return [self.accuracy(other).value for other in seeds]


def test_accuracy(analysis: Analysis, cell: CellRecord) -> Share:
    """The test accuracy of a cell with scores."""
    found = analysis.values[cell.name, "accuracy"]
    assert found.value is not None
    return Share(found.value, found.low, found.high, found.figure.samples)


def is_llm(cell: CellRecord) -> bool:
    if cell.setup is not None:
        return cell.setup.kind == "llm"
    return cell.model in MODELS and MODELS[cell.model].kind == "llm"


def is_tuned_llm(cell: CellRecord) -> bool:
    return is_llm(cell) and cell.training is not None and cell.training.train_s.value is not None
