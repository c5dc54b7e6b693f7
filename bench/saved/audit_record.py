"""What is known against the data, as a record keeps it."""

from worthit.bench.saved.record import Figure, Trust, measured, unavailable
from worthit.datasets.audit import audit, near_duplicates

_COPIES = f"MinHash, then Jaccard similarity ≥ {near_duplicates.SIMILAR:g} of character {near_duplicates.SHINGLE}-grams"
_CONFIDENT_LEARNING = "confident learning with a tf-idf logistic regression"
_ESTIMATE = "hard comments count as wrong labels too"


def recorded(found: audit.Trust) -> Trust:
    noise = found.noise

    def wrong(labels: int | None, comments: int) -> Figure:
        if labels is None:
            return unavailable("labels", noise.reason)
        return Figure(labels, "labels", "estimated", _CONFIDENT_LEARNING, comments, _ESTIMATE)

    return Trust(
        train=found.train,
        test=found.test,
        twins=measured(len(found.twins), "comments", _COPIES, found.tested),
        twin_ids=found.twins,
        twins_other_label=found.twins_other_label,
        wrong_train_labels=wrong(noise.train, found.train.comments),
        wrong_test_labels=wrong(noise.test, found.test.comments),
        judge_accuracy=noise.model_accuracy,
        suspect_ids=noise.suspects,
        length_auc=found.length_auc,
    )


def in_a_line(found: Trust) -> str:
    """What to see before hours are spent."""
    said = [
        f"{found.twins.value:,.0f} of {found.twins.samples:,} comments tested on nearly repeat one trained on"
    ]
    labels = found.wrong_train_labels
    if labels.value is not None:
        said.append(
            f"≈{100 * labels.value / labels.samples:.0f} % of the training labels look wrong"
        )
    return "; ".join(said)
