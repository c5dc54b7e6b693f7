"""The picture of the learning curves: accuracy and training time by size of the training set."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from worthit.reports.analysis import task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures.style import cell_styles, plain_frame, plain_log, with_legend


def draw(analysis: Analysis) -> Figure:
    accuracy = task.of(analysis.run).correct.heading
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.9), layout="constrained")
    styles = cell_styles(analysis)
    for number, (label, points) in enumerate(analysis.curves.items()):
        look = {"color": styles[label].colour, "marker": styles[label].marker, "markersize": 5}
        shares = [point.accuracy for point in points]
        errors = [
            [100 * (share.value - share.low) for share in shares],
            [100 * (share.high - share.value) for share in shares],
        ]
        sizes = [point.comments * (1 + 0.02 * number) for point in points]  # bars side by side
        left.errorbar(
            sizes, [100 * share.value for share in shares], errors, capsize=2, label=label, **look
        )
        timed = [point for point in points if point.train_s.value is not None]
        right.plot(
            [point.comments for point in timed], [point.train_s.value for point in timed], **look
        )
    sizes = sorted({point.comments for points in analysis.curves.values() for point in points})
    for axes, title, y_label in (
        (
            left,
            f"{accuracy.capitalize()} by training set size",
            f"{accuracy} on the {analysis.run.data.test_set}, %",
        ),
        (right, "Training time by training set size", "training, s (log)"),
    ):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{comments:,}" for comments in sizes])
        axes.set_xlabel("training comments (log)")
        axes.set_ylabel(y_label)
        axes.set_title(title, loc="left")
        plain_frame(axes)
    right.set_yscale("log")
    plain_log(right.yaxis)
    return with_legend(figure)
