"""The section on learning curves: what more labels bring."""

from worthit.reports.analysis import learning, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.learning import Crossing, Plateau
from worthit.reports.analysis.run_view import truth
from worthit.reports.sections import labels
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, percent, written
from worthit.reports.text.tables import listed, table


def section(analysis: Analysis) -> list[str]:
    """Accuracy and training time by training size, and what more labels buy at their price."""
    run, curves = analysis.run, analysis.curves
    of_labels = labels.paragraphs(analysis)
    if not curves:
        return ["## Learning curves", *of_labels] if of_labels else []
    sizes = sorted({point.comments for points in curves.values() for point in points})
    notes = Footnotes()
    accuracies, seconds = [], []
    for model, points in curves.items():
        at = {point.comments: point for point in points}
        row = [at.get(size) for size in sizes]
        accuracies.append([model, *(percent(p.accuracy.value) if p else "" for p in row)])
        seconds.append([model, *(written(p.train_s, notes) if p else "" for p in row)])
    majority = percent(metrics.majority_accuracy(truth(run)))
    accuracies.append([class_names.constant(run), *[majority] * len(sizes)])
    accuracy = task.of(run).correct.heading
    widest = max(p.accuracy.high - p.accuracy.low for points in curves.values() for p in points)
    headings = ["model", *(f"{size:,}" for size in sizes)]
    plateaus = map(_plateau, learning.plateaus(run, curves))
    crossings = map(_crossing, learning.crossings(run, curves))
    conclusions = listed([*plateaus, *crossings]) or [
        "No training size is shown to be enough, and no model overtakes another."
    ]
    return [
        "## Learning curves",
        *conclusions,
        f"Test {accuracy} of the models' own answers by number of training comments, on the same "
        f"{len(run.data.test.ids):,} test "
        f"comments; 95 % intervals reach up to ±{100 * widest / 2:.1f} points "
        f"({link('learning curve', 'method')}).",
        *table(f"Test {accuracy} of the models' own answers", headings, accuracies),
        "Training time, s.",
        *table("Training time", headings, seconds, notes),
        *of_labels,
    ]


def _plateau(plateau: Plateau) -> str:
    if plateau.enough is None:
        return f"{plateau.model}: the last comments, up to {plateau.comments:,}, still increased accuracy"
    return (
        f"{plateau.model}: accuracies with {plateau.enough:,} and {plateau.comments:,} comments do not "
        "differ significantly"
    )


def _crossing(crossing: Crossing) -> str:
    return (
        f"{crossing.leader} overtakes {crossing.overtaken} between {crossing.before:,} and "
        f"{crossing.after:,} comments"
    )
