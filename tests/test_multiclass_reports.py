"""reports/: runs of more classes than two, and of two that are not called toxic."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from worthit.bench import record
from worthit.bench.record import Figure, measured, unavailable
from worthit.datasets.errors import RunError
from worthit.reports import (
    by_class,
    cascade,
    classes,
    compare,
    markdown,
    mistakes,
    pairs,
    pictures,
    quality,
    resampling,
    scores,
    verdict,
)

Labels = tuple[int, ...]
Floats = npt.NDArray[np.float64]
RATES = {"tfidf": 3_000.0, "bert": 400.0, "llama": 40.0}
THREE = ("news", "sport", "arts")


def drawn(comments: int, kinds: int, seed: int = 0) -> Labels:
    """Class indices, the first classes the commonest, each there at least once."""
    rng = np.random.default_rng(seed)
    shares = np.arange(kinds, 0, -1) / np.arange(kinds, 0, -1).sum()
    found = np.concatenate([np.arange(kinds), rng.choice(kinds, comments - kinds, p=shares)])
    return tuple(rng.permutation(found).tolist())


def told(labels: Labels, kinds: int, noise: float, seed: int) -> Floats:
    """Probabilities that favour the true class, or the next one, shape (n, kinds), with ties."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, noise, (len(labels), kinds))
    logits[np.arange(len(labels)), labels] += 3
    logits[np.arange(len(labels)), (np.asarray(labels) + 1) % kinds] += 1
    odds = np.exp(logits)
    return np.asarray(np.round(odds / odds.sum(axis=1, keepdims=True), 3))


def flat(probabilities: Floats) -> tuple[float, ...]:
    """As a record holds them."""
    positive = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    return tuple(positive.ravel().tolist())


def part(labels: Labels) -> record.Part:
    size = len(labels)
    ids = tuple(f"{number:08x}" for number in range(size))
    return record.Part(ids, labels, (None,) * size, (None,) * size, tuple(range(9, 9 + size)))


def cell(model: str, run: record.Run, noise: float, seed: int = 0) -> record.CellRecord:
    """A cell with all that a verdict and its cascades look at."""
    kinds = len(run.data.classes)
    number = list(RATES).index(model) + 10 * seed
    test, natural, validation = (
        flat(told(side.labels, kinds, noise, number))
        for side in (run.data.test, run.data.natural, run.data.validation)
    )
    nothing, milliseconds = unavailable("MB", "CPU"), tuple(np.linspace(5, 9, 400).tolist())
    memory = record.Memory(measured(700, "MB", "m"), measured(300, "MB", "m"), nothing)
    fewer = record.CurvePoint(
        100, measured(1, "s", "c"), flat(told(run.data.test.labels, kinds, 3 * noise, number))
    )
    return record.CellRecord(
        model, "cpu", seed,
        training=record.Training(
            measured(10.0, "s", "clock"), memory, "2026-01-02T03:04:05+00:00", {}, "a",
            measured(1, "MB", "sizes"), 135_000_000, 1, 1_000, 0.0,
        ),
        latency=record.Latency(
            milliseconds, (9,) * 400, measured(7, "ms", "c", 400), measured(8, "ms", "c", 400),
            measured(9, "ms", "c", 400), measured(1, "s", "c"), measured(9, "ms", "c"),
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(RATES[model], "comments/s", "c")),), "no gain"
        ),
        memory=memory,
        quality=record.Quality(test, test, natural, 1.0, 0.0, validation),
        learning_curve=(fewer,),
    )  # fmt: skip


def run(
    names: tuple[str, ...],
    noises: dict[str, float],
    *,
    comments: int = 300,
    balanced: bool = False,
    seeds: int = 1,
) -> record.Run:
    labels, others = drawn(comments, len(names)), drawn(200, len(names), seed=1)
    counts = tuple(np.bincount(labels, minlength=len(names)).tolist())
    steps = tuple(
        record.StepRecord(name, comments, counts[1], counts)
        for name in ("without duplicates", "balanced", "train", "test")
    )
    natural = part(others) if balanced else part(labels)
    data = record.Data(
        "own", "made comments", "nobody", "fp", "key", 42, 0.1, steps,
        part(labels), part(labels), natural, part(others), classes=names, balanced=balanced,
    )  # fmt: skip
    empty = record.Run(
        "made", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick", {},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "fingerprint": "f"},
        data, (), True, Figure(2.0, "%", "measured", "loop"),
    )  # fmt: skip
    cells = [cell(model, empty, noise, seed) for model, noise in noises.items() for seed in range(seeds)]  # fmt: skip
    return dataclasses.replace(empty, cells=tuple(cells))


NOISES = {"tfidf": 2.5, "bert": 1.5, "llama": 1.4}


def many(kinds: int) -> tuple[str, ...]:
    return tuple(f"class-{number}" for number in range(kinds))


def row(text: str, begins: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} ")]
    return [entry.strip() for entry in line.split(" | ")]


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


# --- figures


def scikit_learn(labels: Labels, scored: Floats, weights: Floats) -> dict[quality.Measure, float]:
    """The same figures by scikit-learn; classes that do not occur are left out, as there."""
    truth, called = np.asarray(labels), scored.argmax(axis=1)
    occur = np.unique(truth[weights > 0])
    given = {"labels": occur, "average": "macro", "sample_weight": weights, "zero_division": 0}
    areas = [metrics.roc_auc_score(truth == k, scored[:, k], sample_weight=weights) for k in occur]
    precisions = [
        metrics.average_precision_score(truth == k, scored[:, k], sample_weight=weights)
        for k in occur
    ]
    kept = truth == np.arange(scored.shape[1])[:, None]
    return {
        quality.ACCURACY: metrics.accuracy_score(truth, called, sample_weight=weights),
        quality.MACRO_RECALL: metrics.recall_score(truth, called, **given),
        quality.MACRO_PRECISION: metrics.precision_score(truth, called, **given),
        quality.MACRO_F1: metrics.f1_score(truth, called, **given),
        quality.MACRO_ROC_AUC: float(np.mean(areas)),
        quality.MACRO_AVERAGE_PRECISION: float(np.mean(precisions)),
        quality.BRIER: float(np.average(((scored - kept.T) ** 2).sum(axis=1), weights=weights)),
    }


@pytest.mark.parametrize(
    ("comments", "kinds"), [(60, 3), (60, 12)]
)  # with 12 some resamples lack one
def test_figures_and_resamples_are_those_of_scikit_learn(comments: int, kinds: int) -> None:
    labels = drawn(comments, kinds)
    scored = told(labels, kinds, 2.0, 3)
    times = resampling.counts(comments, 12)
    assert (kinds == 3) == all(
        len(np.unique(np.asarray(labels)[drawn > 0])) == kinds for drawn in times.T
    )
    found = resampling.resampled(times, labels, scored)
    assert set(found) == {*quality.MACRO_DECISIONS, *quality.MACRO_SCORES}
    expected = scikit_learn(labels, scored, np.ones(comments))
    for measure, value in expected.items():
        assert measure.value(scored, labels) == pytest.approx(value), measure.heading
    for number, weights in enumerate(times.T):
        for measure, value in scikit_learn(labels, scored, weights).items():
            assert found[measure][number] == pytest.approx(value, abs=1e-5), measure.heading
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = quality.calibration_error(scored[rows], [labels[i] for i in rows])
        assert found[quality.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


def test_scores_of_three_comments_by_hand() -> None:
    scored = np.asarray([(0.7, 0.2, 0.1), (0.2, 0.5, 0.3), (0.1, 0.6, 0.3)])
    labels = (0, 1, 2)
    assert quality.called(scored).tolist() == [0, 1, 1]
    assert quality.sureness(scored).tolist() == [0.7, 0.5, 0.6]
    squares = [0.09 + 0.04 + 0.01, 0.04 + 0.25 + 0.09, 0.01 + 0.36 + 0.49]
    assert quality.brier(scored, labels) == pytest.approx(sum(squares) / 3)
    # each in a bin of its own: 0.7 right, 0.5 right, 0.6 wrong
    assert quality.calibration_error(scored, labels) == pytest.approx((0.3 + 0.5 + 0.6) / 3)
    assert quality.macro_precision(scored, labels) == pytest.approx((1 + 0.5 + 0) / 3)
    assert quality.macro_f1(scored, labels) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert quality.balanced_accuracy(scored, labels) == pytest.approx(2 / 3)
    assert quality.confusion(scored, labels).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    # 2 is above both others for 0.3, but ties with the second comment
    assert quality.roc_auc(scored, labels) == pytest.approx((1 + 0.5 + 0.75) / 3)
    assert quality.guessing((0, 2, 2, 1)) == 0.5


def test_where_one_class_occurs_there_is_no_area() -> None:
    found = resampling.estimates(
        resampling.counts(2), (1, 1), [np.asarray([(0.1, 0.8, 0.1), (0.5, 0.3, 0.2)])]
    )
    assert found[quality.MACRO_ROC_AUC].value is None
    assert found[quality.MACRO_RECALL].reason == "only one class among these comments"
    assert found[quality.ACCURACY].value == 0.5


def test_the_interval_of_macro_average_precision_makes_up_for_what_chance_adds() -> None:
    kinds, covered = 15, 0.0  # the rarest has one or two comments
    everything = drawn(20_000, kinds, seed=7)
    truth = quality.average_precision(told(everything, kinds, 2.0, 8), everything)
    assert truth is not None
    times = resampling.counts(150, 200)
    for seed in range(40):
        labels = drawn(150, kinds, seed=100 + seed)
        scored = told(labels, kinds, 2.0, 200 + seed)
        found = resampling.estimates(times, labels, [scored])[quality.MACRO_AVERAGE_PRECISION]
        assert found.low is not None
        assert found.high is not None
        covered += (found.low <= truth <= found.high) / 40
    assert covered >= 0.7  # without, a third


def test_a_record_is_read_row_by_row() -> None:
    data = run(THREE, {"bert": 1.0}, comments=10).data
    assert classes.probabilities(data, (0.1, 0.2, 0.7, 0.6, 0.3, 0.1)).tolist() == [
        [0.1, 0.2, 0.7], [0.6, 0.3, 0.1],
    ]  # fmt: skip
    of_two = dataclasses.replace(data, classes=("ham", "spam"))
    assert classes.probabilities(of_two, (0.1, 0.2)).tolist() == [0.1, 0.2]


def test_pairs_are_told_apart_by_what_is_right_and_by_macro_auc() -> None:
    made = run(THREE, NOISES)
    found = pairs.between(pairs.pairs(made), "bert-cpu", "tfidf-cpu")
    labels = made.data.test.labels
    first, second = (told(labels, 3, NOISES[model], place) for model, place in (("bert", 1), ("tfidf", 0)))  # fmt: skip
    areas = [
        metrics.roc_auc_score(labels, scored / scored.sum(axis=1, keepdims=True), multi_class="ovr")
        for scored in (first, second)
    ]
    assert found.auc_difference == pytest.approx(areas[0] - areas[1], abs=2e-3)
    right = [scored.argmax(axis=1) == np.asarray(labels) for scored in (first, second)]
    assert found.accuracy_difference == pytest.approx(right[0].mean() - right[1].mean())
    assert found.accuracy_differs
    assert found.auc_differs


def test_a_cascade_passes_on_where_no_class_is_likely() -> None:
    made = run(THREE, {"tfidf": 1.7, "bert": 1.3}, comments=600)
    cheap, dear = made.cells
    assert cheap.quality is not None
    sweep = cascade.swept(made, cheap, dear)
    accuracies = [
        quality.accuracy(classes.probabilities(made.data, one.quality.test), made.data.test.labels)
        for one in made.cells
        if one.quality is not None
    ]
    assert [sweep[0].accuracy, sweep[-1].accuracy] == accuracies
    some = sweep[5]
    sure = classes.probabilities(made.data, cheap.quality.test).max(axis=1)
    assert some.passed_share == pytest.approx((sure < some.sure_from).mean())
    assert 0.1 < some.passed_share < 0.5
    text = "\n".join(cascade.section(made, cascade.chosen(made)))
    assert "likeliest class" in text or "No model can spare" in text


# --- what is rendered


def test_a_report_of_three_classes() -> None:
    made = run(THREE, NOISES)
    text = markdown.render(made, {})
    assert "toxic" not in text
    assert "nan" not in text.lower()
    figures = section(text, "Quality")
    assert "| macro precision |" in " ".join(figures.split())
    assert "Called the class of the highest probability" in figures
    assert "means over the 3 classes" in figures
    assert "raters' votes tell one class from the rest, and here are 3" in figures
    scored = told(made.data.test.labels, 3, NOISES["bert"], 1)
    f1 = metrics.f1_score(made.data.test.labels, scored.argmax(axis=1), average=None)
    assert (
        row(section(text, "Class by class").split("<details>")[0], "sport")[3]
        == f"{100 * f1[1]:.1f} %"
    )
    assert "macro ROC AUC not told apart from" in text
    assert "this run has 3 classes" in section(text, "At natural prevalence")
    assert "the classes' own shares already" in section(text, "At natural prevalence")
    confusion = metrics.confusion_matrix(made.data.test.labels, scored.argmax(axis=1))
    confused = section(text, "Confusion matrices")
    entries = [line.split("|")[1:-1] for line in confused.splitlines() if line.startswith("| bert")]
    worst = [entry.strip() for entry in entries[0]]
    true, called = THREE.index(worst[1]), THREE.index(worst[2])
    assert worst[3] == str(confusion[true, called])
    np.fill_diagonal(confusion, 0)
    assert confusion[true, called] == confusion.max()
    assert row(section(text, "Data"), "step")[2:] == ["news", "sport", "arts |"]
    assert "3 classes, 300 comments to train on" in text
    assert "each class against the rest" in section(text, "Results")
    assert "each class against the rest" in markdown.brief(made)
    assert "## Learning curves" in text
    assert markdown.render(made, {}) == text


def test_balanced_sets_of_many_classes_have_a_second_one_at_their_own_shares() -> None:
    made = run(THREE, NOISES, balanced=True)
    text = section(markdown.render(made, {}), "At natural prevalence")
    scored = told(made.data.natural.labels, 3, NOISES["bert"], 1)
    share = (scored.argmax(axis=1) == np.asarray(made.data.natural.labels)).mean()
    assert row(text, "bert")[1].startswith(f"{100 * share:.1f} % (")
    assert f"right for {100 * quality.guessing(made.data.natural.labels):.1f} %" in text


def test_a_report_of_more_classes_than_can_be_drawn(tmp_path: Path) -> None:
    made = run(many(24), {"tfidf": 2.0, "llama": 1.0}, comments=400, seeds=2)
    found = pictures.draw(made, tmp_path)
    assert not any(title.startswith(markdown.CONFUSION) for title in found)
    assert scores.ROC in found
    assert scores.PRECISION_RECALL not in found
    text = markdown.render(made, found)
    confused = section(text, "Confusion matrices")
    assert "A matrix of 24 classes is too large to read" in confused
    assert len([line for line in confused.splitlines() if line.startswith("| llama")]) == 10
    assert row(section(text, "Data"), "step")[2:] == ["of the rarest class", "of the commonest |"]
    assert row(section(text, "Quality").split("By the prob")[0], "llama (2 seeds)")
    assert verdict.headline(made)


def test_classes_that_the_test_set_lacks_are_left_out_and_said_to_be() -> None:
    made = run(many(4), {"bert": 1.0, "tfidf": 2.0})
    labels = tuple(min(label, 2) for label in made.data.test.labels)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, test=part(labels)))
    text = markdown.render(made, {})
    assert "nan" not in text.lower()
    assert "the 3 of 4 classes in it" in text
    assert "classes without any (1) are left out" in text
    assert "| class-3" not in section(text, "Class by class")


def test_names_of_two_classes_stand_in_text_and_pictures(tmp_path: Path) -> None:
    made = run(("ham", "spam"), NOISES)
    text = markdown.render(made, pictures.draw(made, tmp_path))
    assert "toxic" not in text
    assert "Called spam from a probability of 0.5 on" in text
    assert "of the comments called spam, the share that is" in text
    assert "called spam from a probability of 0.5 on" in section(text, "Confusion matrices")
    assert "## Class by class" not in text
    assert "macro" not in text
    assert "What each model mistakes" not in text
    numbered = markdown.render(run(("0", "1"), NOISES), {})
    assert "Called “1” from a probability" in numbered


def test_names_that_are_commands_elsewhere_are_harmless(tmp_path: Path) -> None:
    wild = ("a|b", "$x^$", "<b>*bold*", "漢字", "n" * 90, "two\nlines")
    made = run(wild, {"bert": 1.0})
    found = pictures.draw(made, tmp_path)  # a letter that the font lacks would be a warning
    text = section(markdown.render(made, found), "Class by class")
    assert "a\\|b" in text
    assert "&lt;b&gt;\\*bold\\*" in text
    assert "n" * 39 + "…" in text
    assert "n" * 41 not in text
    assert "two\\nlines" in text
    rows = [line for line in text.split("<details>")[0].splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}


def test_mistakes_by_votes_are_for_two_classes() -> None:
    made = run(THREE, NOISES)
    voted = dataclasses.replace(made.data.test, toxic_share=(1.0,) * 300, raters=(9,) * 300)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, test=voted))
    with pytest.raises(RunError, match="no raters' votes"):
        mistakes.missed(made, 5, 80)
    text = markdown.render(made, {})
    assert "By raters' agreement n/a" in text
    assert "One rater" not in text
    wrong = mistakes.wrong((0, 2), [np.asarray([(0.5, 0.3, 0.2), (0.5, 0.3, 0.2)])])
    assert wrong.tolist() == [0, 1]


def test_most_confused_are_none_where_nothing_is_wrong() -> None:
    made = run(THREE, {"bert": 0.0})
    assert by_class.confused(made) == []
    assert "100.0 %" in "\n".join(by_class.told(made))


def test_runs_of_many_classes_are_compared() -> None:
    before, after = run(THREE, {"bert": 1.0}), run(THREE, {"bert": 2.5})
    found = compare.compared([("a", before), ("b", after)])
    assert "test accuracy (B)" in found.verdict
    assert found.regressed
    assert "### ROC AUC, macro" in found.text
    accuracies = [
        (
            told(before.data.test.labels, 3, noise, 1).argmax(axis=1) == before.data.test.labels
        ).mean()
        for noise in (1.0, 2.5)
    ]
    shown = row(found.text.split("### test accuracy")[1].split("###")[0], "bert")
    assert shown[2:4] == [f"{100 * share:.1f} %" for share in accuracies]
    other = compare.compared([("a", before), ("b", run(("ham", "spam"), {"bert": 1.0}))])
    assert "classes 3 classes → ham, spam" in other.text
