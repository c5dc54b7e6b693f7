"""Titles of the pictures, by which a report finds their files; imports no matplotlib."""

FRONTIER = "accuracy against each cost"
CASCADES = "cascades"
LEARNING = "learning curves"
RELIABILITY = "reliability diagram"
ROC = "ROC curves"
PRECISION_RECALL = "precision-recall curves"
CONFUSION = "confusion matrix of"  # followed by the name of the cell

#: a confusion matrix of more classes is not readable as a picture
MOST_CLASSES_DRAWN = 20


def frontier(ranked: str) -> str:
    """The title of the frontier, by the figure that it ranks."""
    return FRONTIER.replace("accuracy", ranked)
