"""Figures of quality as the table of figures reads them: the mean over a model's trainings."""

from dataclasses import replace

from worthit.bench.saved.record import CellRecord, Figure, Run, unavailable
from worthit.reports.analysis import bounds, leads, run_view, task
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import Bound
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names


def train_accuracy(run: Run, cell: CellRecord) -> Figure:
    if cell.quality is None:
        return unavailable("", run_view.missing(cell, "quality"))
    if cell.training is not None and cell.training.train_s.value is None:
        return unavailable("", cell.training.train_s.reason)
    shares = [run_view.accuracy(run, one, "train") for one in run_view.trainings(run, cell)]
    known = [share for share in shares if share is not None]
    if not known:
        return unavailable("", "there are no training comments")
    mean = sum(share.value for share in known) / len(known)
    return Figure(mean, "", "measured", "training comments", known[0].comments)


def roc_auc(run: Run, cell: CellRecord) -> Figure:
    if cell.quality is None:
        return unavailable("", run_view.missing(cell, "quality"))
    labels, trained = run_view.truth(run), run_view.trainings(run, cell)
    areas = [
        metrics.roc_auc(run_view.scores(run, run_view.calibrated(one)), labels) for one in trained
    ]
    known = [area for area in areas if area is not None]
    if not known:
        return unavailable("", task.of(run).auc.undefined)
    mean = Figure(sum(known) / len(known), "", "measured", "test comments", len(labels))
    return run_view.scored(mean, cell)


def of_labels(measure: Measure) -> Bound:
    """A figure of several labels, with its interval."""

    def bounded(run: Run, cell: CellRecord) -> Bounded:
        if not class_names.of_labels(run):
            return bounds.absent("", "each comment has one class")
        if cell.quality is None:
            return bounds.absent("", run_view.missing(cell, "quality"))
        found = leads.bounded(run, cell, measure)
        return replace(found, figure=run_view.scored(found.figure, cell))

    return bounded


macro_f1, micro_f1 = of_labels(metrics.LABEL_F1), of_labels(metrics.MICRO_F1)


def no_answer(run: Run, cell: CellRecord) -> Figure:
    if cell.quality is None:
        return unavailable("", run_view.missing(cell, "quality"))
    comments = len(run.data.test.ids)
    if cell.quality.requests is None or not comments:
        return unavailable("", "it runs on no server")
    share = Figure(
        cell.quality.test_no_answer / comments, "", "measured", "test comments", comments
    )
    return run_view.scored(share, cell)
