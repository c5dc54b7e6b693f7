"""reports/: how good each classifier is, how sure that is, and which of them differ."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from worthit.bench import record
from worthit.bench.record import measured, unavailable
from worthit.datasets import prepare
from worthit.datasets.protocol import Protocol
from worthit.reports import cli, markdown, mistakes, pairs, pictures, quality, resampling, scores
from worthit.reports.curve import Curve
from worthit.reports.pairs import between

SCIKIT_LEARN = {
    quality.ACCURACY: lambda y, p, w: metrics.accuracy_score(y, p >= 0.5, sample_weight=w),
    quality.BALANCED_ACCURACY: lambda y, p, w: metrics.balanced_accuracy_score(
        y, p >= 0.5, sample_weight=w
    ),
    quality.PRECISION: lambda y, p, w: metrics.precision_score(y, p >= 0.5, sample_weight=w),
    quality.RECALL: lambda y, p, w: metrics.recall_score(y, p >= 0.5, sample_weight=w),
    quality.F1: lambda y, p, w: metrics.f1_score(y, p >= 0.5, sample_weight=w),
    quality.ROC_AUC: lambda y, p, w: metrics.roc_auc_score(y, p, sample_weight=w),
    quality.AVERAGE_PRECISION: lambda y, p, w: metrics.average_precision_score(
        y, p, sample_weight=w
    ),
    quality.BRIER: lambda y, p, w: metrics.brier_score_loss(y, p, sample_weight=w),
}

Floats = tuple[float, ...]


def drawn(
    comments: int, noise: float, *, share: float = 0.5, seed: int = 1
) -> tuple[Floats, tuple[int, ...]]:
    """Probabilities with ties, 0 and 1 among them, and labels, which the seed does not change."""
    labels = (np.random.default_rng(0).random(comments) < share).astype(int)
    noises = np.random.default_rng(seed).normal(0, noise, comments)
    found = np.clip(np.round(labels + noises, 1), 0, 1)
    return tuple(found.tolist()), tuple(labels.tolist())


def part(labels: tuple[int, ...], **changed: Any) -> record.Part:
    blank = (None,) * len(labels)
    ids = tuple(f"{number:08x}" for number in range(len(labels)))
    return dataclasses.replace(record.Part(ids, labels, blank, blank), **changed)


def cell(model: str, test: Floats, natural: Floats = (), seed: int = 0) -> record.CellRecord:
    scored = record.Quality(test, test, natural or test, 1.0, 0.0)
    return record.CellRecord(model, "cpu", seed, quality=scored)


def run(labels: tuple[int, ...], *cells: record.CellRecord, **changed: Any) -> record.Run:
    steps = tuple(record.StepRecord(step, 20, 10) for step in ("train", "test"))
    one = changed.pop("test", part(labels))
    data = record.Data("synthetic", "made", "nobody", "f", "key", 42, 0.1, steps, one, one, one)
    base = record.Run(
        "made", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick", {},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": []}, data, cells, True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def row(text: str, begins: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} ")]
    return [entry.strip() for entry in line.split("|")[1:-1]]


# --- figures


def test_figures_of_four_comments_by_hand() -> None:
    probabilities, labels = (0.9, 0.6, 0.4, 0.1), (1, 0, 1, 0)
    values = {
        measure: measure.value(probabilities, labels)
        for measure in (*quality.DECISIONS, *quality.SCORES)
    }
    assert values[quality.ROC_AUC] == 0.75
    assert values[quality.AVERAGE_PRECISION] == pytest.approx((1 + 2 / 3) / 2)
    assert values[quality.BRIER] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    # each comment is alone in its bin: off by 0.1, 0.6, 0.6, 0.1
    assert values[quality.CALIBRATION_ERROR] == pytest.approx(1.4 / 4)
    for measure in quality.DECISIONS:
        assert values[measure] == 0.5


def test_calibration_bins_are_tenths_and_hold_both_ends() -> None:
    assert quality.bins((0.0, 0.05, 0.1, 0.95, 1.0)).tolist() == [0, 0, 1, 9, 9]
    # in one bin opposite errors cancel: 0.62 and 0.66 with one toxic of two
    assert quality.calibration_error((0.62, 0.66), (1, 0)) == pytest.approx(0.14)


def test_precision_at_a_recall_is_at_the_highest_threshold_that_reaches_it() -> None:
    probabilities, labels = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (1, 0, 1, 0, 1, 0)
    assert quality.at_recall(probabilities, labels, 0.3) == (1.0, 0.9)
    assert quality.at_recall(probabilities, labels, 0.5) == (2 / 3, 0.7)
    assert quality.at_recall(probabilities, labels, 1.0) == (3 / 5, 0.5)
    assert quality.at_recall((0.5, 0.5), (0, 0), 0.8) is None


def test_what_is_not_defined_is_none_for_its_reason() -> None:
    times = resampling.counts(4)
    found = resampling.estimates(times, (1, 1, 1, 1), [(0.1, 0.2, 0.3, 0.4)])
    for measure in (quality.BALANCED_ACCURACY, quality.ROC_AUC, quality.AVERAGE_PRECISION):
        assert found[measure].value is None
        assert found[measure].reason == "only one class among these comments"
    assert found[quality.PRECISION].reason == "no comment is called positive"
    assert found[quality.RECALL].value == 0.0
    assert found[quality.BRIER].value is not None
    none_toxic = resampling.estimates(times, (0, 0, 0, 0), [(0.1, 0.2, 0.3, 0.9)])
    assert none_toxic[quality.F1].value is None
    assert none_toxic[quality.RECALL].value is None


# --- resamples


def test_resamples_have_as_many_comments_and_are_always_the_same() -> None:
    times = resampling.counts(30, 50)
    assert times.shape == (30, 50)
    assert (times.sum(axis=0) == 30).all()
    assert np.array_equal(times, resampling.counts(30, 50))
    assert len({tuple(column) for column in times.T}) == 50


@pytest.mark.parametrize(("comments", "noise"), [(40, 0.3), (40, 0.8), (200, 0.6)])
def test_resampled_figures_are_those_of_scikit_learn_with_weights(
    comments: int, noise: float
) -> None:
    probabilities, labels = drawn(comments, noise)
    times = resampling.counts(comments, 20)
    found = resampling.resampled(times, labels, probabilities)
    for measure, reference in SCIKIT_LEARN.items():
        expected = [reference(labels, np.asarray(probabilities), weights) for weights in times.T]
        assert found[measure] == pytest.approx(expected, abs=1e-5), measure.heading
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = quality.calibration_error(
            [probabilities[i] for i in rows], [labels[i] for i in rows]
        )
        assert found[quality.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


@pytest.mark.parametrize("decimals", [1, 9])  # with many ties, and with none
def test_figures_are_those_of_scikit_learn(decimals: int) -> None:
    probabilities, labels = drawn(200, 0.6, share=0.3)
    rounded = np.round(probabilities, decimals)
    for measure, reference in SCIKIT_LEARN.items():
        found = measure.value(tuple(rounded), labels)
        assert found == pytest.approx(reference(labels, rounded, None)), measure.heading
    precisions, recalls, thresholds = metrics.precision_recall_curve(labels, rounded)
    highest = np.flatnonzero(recalls[:-1] >= 0.7)[-1]
    expected = precisions[highest], thresholds[highest]
    assert quality.at_recall(tuple(rounded), labels, 0.7) == pytest.approx(expected)


@pytest.mark.parametrize(("hits", "comments"), [(0, 9), (9, 9), (1, 3), (457, 500)])
def test_intervals_and_tests_of_shares_are_those_of_scipy(hits: int, comments: int) -> None:
    reference = binomtest(hits, comments)
    interval = reference.proportion_ci(method="wilson")
    share = quality.share(hits, comments)
    assert share is not None
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high))
    first = np.arange(comments) < hits
    assert pairs.mcnemar_p(first, ~first) == pytest.approx(reference.pvalue)


def test_resampled_precision_at_a_recall_is_that_of_the_comments_repeated() -> None:
    probabilities, labels = drawn(60, 0.6, share=0.2)
    times = resampling.counts(60, 20)
    precision, threshold = Curve.of(times, labels, probabilities).at_recall(0.8)
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(60), weights.astype(int))
        again = quality.at_recall([probabilities[i] for i in rows], [labels[i] for i in rows], 0.8)
        assert (precision[number], threshold[number]) == pytest.approx(again)


def test_resamples_that_lack_a_class_do_not_count() -> None:
    times = np.asarray([[0, 1, 1], [2, 1, 1], [1, 1, 1]], np.float32)
    areas = resampling.resampled(times, (1, 0, 0), (0.6, 0.7, 0.1))[quality.ROC_AUC]
    assert np.isnan(areas).tolist() == [True, False, False]
    found = resampling.estimate(0.5, np.asarray([np.nan, 0.25, 0.75]))
    assert found.low == pytest.approx(0.2625)
    assert found.high == pytest.approx(0.7375)


def test_a_perfect_score_has_no_interval_but_a_reason() -> None:
    found = resampling.estimates(resampling.counts(20), (1, 0) * 10, [(0.9, 0.1) * 10])
    perfect = found[quality.ACCURACY]
    assert (perfect.value, perfect.low, perfect.high) == (1.0, None, None)
    assert "all resamples are alike" in perfect.reason


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    # Of normals 1 apart the AUC is Φ(1/√2), the accuracy Φ(½), and this the chance of toxic.
    truths = {quality.ROC_AUC: 0.76025, quality.ACCURACY: 0.69146, quality.CALIBRATION_ERROR: 0.0}
    rng = np.random.default_rng(1)
    times = resampling.counts(200, 300)
    covered = dict.fromkeys(truths, 0.0)
    for _ in range(150):
        labels = rng.integers(2, size=200)
        chances = 1 / (1 + np.exp(0.5 - labels - rng.normal(0, 1, 200)))
        found = resampling.estimates(times, tuple(labels.tolist()), [tuple(chances.tolist())])
        for measure, truth in truths.items():
            low, high = found[measure].low, found[measure].high
            assert low is not None
            assert high is not None
            covered[measure] += (low <= truth <= high) / 150
    assert 0.90 <= covered[quality.ROC_AUC] <= 0.99
    assert 0.90 <= covered[quality.ACCURACY] <= 0.99
    assert covered[quality.CALIBRATION_ERROR] >= 0.5  # at the end of its scale; else never


def test_seeds_widen_the_interval_and_their_mean_is_the_figure() -> None:
    labels = (1, 0) * 100
    good = tuple(0.9 if (i % 10 > 1) == bool(y) else 0.1 for i, y in enumerate(labels))
    bad = tuple(0.9 if (i % 10 > 5) == bool(y) else 0.1 for i, y in enumerate(labels))
    times = resampling.counts(200)
    alone, other = (
        resampling.estimates(times, labels, [scored])[quality.ACCURACY] for scored in (good, bad)
    )
    both = resampling.estimates(times, labels, [good, bad])[quality.ACCURACY]
    assert (alone.value, other.value) == (0.8, 0.4)
    assert both.value == pytest.approx(0.6)
    assert both.low is not None
    assert both.high is not None
    assert alone.value is not None
    assert both.low < 0.45
    assert both.high > 0.75


# --- pairs


def told_right(*which: int) -> npt.NDArray[np.bool_]:
    return np.asarray(which, bool)


def test_mcnemar_by_hand() -> None:
    # 5 comments only the first tells right, none only the second: 2 · ½⁵
    assert pairs.mcnemar_p(told_right(*[1] * 9), told_right(*[0] * 5, *[1] * 4)) == pytest.approx(
        2 / 32
    )
    # 3 against 1: 2 · (1 + 4) / 16
    first, second = told_right(1, 1, 1, 0, 1, 0), told_right(0, 0, 0, 1, 1, 0)
    assert pairs.mcnemar_p(first, second) == pytest.approx(10 / 16)
    assert pairs.mcnemar_p(first, first) == 1.0


def test_holm_by_hand() -> None:
    # sorted 0.01 · 4, 0.02 · 3, 0.03 · 2 (not below the one before), 0.5 · 1
    assert pairs.holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert pairs.holm([0.6, 0.7]) == [1.0, 1.0]
    assert pairs.holm([]) == []


def test_the_bootstrap_p_is_that_of_its_standard_error() -> None:
    replicates = np.asarray([1.0, 3.0] * 50)  # standard deviation 1
    assert pairs.bootstrap_p(1.959964, replicates) == pytest.approx(0.05, abs=1e-6)
    assert pairs.bootstrap_p(0.0, np.zeros(100)) == 1.0
    assert pairs.bootstrap_p(1.0, np.ones(100)) == 2 / 100


def three_models() -> record.Run:
    labels = drawn(300, 0.5)[1]
    near, far = drawn(300, 0.5, seed=5)[0], tuple(1 - score for score in drawn(300, 0.5)[0])
    return run(labels, cell("a", drawn(300, 0.5)[0]), cell("b", near), cell("c", far))


def test_pairs_of_models_on_the_same_comments() -> None:
    found = pairs.pairs(three_models())
    assert [(pair.first, pair.second) for pair in found] == [
        ("a-cpu", "b-cpu"), ("a-cpu", "c-cpu"), ("b-cpu", "c-cpu"),
    ]  # fmt: skip
    alike, apart, _ = found
    test = three_models().data.test.labels
    scored = [one.quality.test for one in three_models().cells if one.quality is not None]
    area, reversed_area = (metrics.roc_auc_score(test, scored[i]) for i in (0, 2))
    assert apart.auc_difference == pytest.approx(area - reversed_area)
    assert apart.auc_low is not None
    assert apart.auc_high is not None
    assert 0 < apart.auc_low < apart.auc_difference < apart.auc_high
    assert apart.auc_differs
    assert apart.accuracy_differs
    assert not alike.accuracy_differs
    assert alike.accuracy_low <= alike.accuracy_difference <= alike.accuracy_high
    right = [(np.asarray(scores) >= 0.5) == np.asarray(test) for scores in scored]
    raw = [pairs.mcnemar_p(*two) for two in itertools.combinations(right, 2)]
    assert [pair.accuracy_p for pair in found] == pairs.holm(raw)
    assert pairs.pairs(three_models()) == found


def test_a_pair_is_turned_as_asked() -> None:
    found = pairs.pairs(three_models())
    there, back = between(found, "a-cpu", "c-cpu"), between(found, "c-cpu", "a-cpu")
    assert (back.first, back.second) == ("c-cpu", "a-cpu")
    assert back.accuracy_difference == -there.accuracy_difference
    assert (back.accuracy_low, back.accuracy_high) == (-there.accuracy_high, -there.accuracy_low)
    assert there.auc_low is not None
    assert back.auc_high == -there.auc_low
    assert back.auc_p == there.auc_p
    assert back.turned() == there
    with pytest.raises(LookupError, match="no pair of a-cpu and z"):
        between(found, "a-cpu", "z")


def test_pairs_need_two_models_and_two_classes() -> None:
    assert pairs.pairs(run((1, 0), cell("a", (0.9, 0.1)))) == ()
    (pair,) = pairs.pairs(run((1, 1), cell("a", (0.9, 0.1)), cell("b", (0.9, 0.9))))
    assert (pair.auc_difference, pair.auc_low, pair.auc_high, pair.auc_p) == (None,) * 4
    assert pair.accuracy_difference == -0.5
    assert not pair.auc_differs


# --- mistakes


def test_buckets_by_length_and_by_agreement() -> None:
    lengths = part((1, 0, 1, 0), characters=(10, 40, 20, 30))
    assert [mask.tolist().index(True) for mask in mistakes.by_length(lengths).values()] == [
        0,
        2,
        3,
        1,
    ]
    assert mistakes.by_length(part((1, 0))) == {}
    votes = part((1, 0, 1, 0, 1), toxic_share=(1.0, 0.0, 0.8, 0.3, None), raters=(9, 9, 9, 9, None))
    found = mistakes.by_agreement(votes)
    assert {heading: mask.nonzero()[0].tolist() for heading, mask in found.items()} == {
        "unanimous": [0, 1], "80 % or more": [2], "under 80 %": [3],
    }  # fmt: skip
    assert mistakes.by_agreement(part((1, 0))) == {}


def test_the_error_tables_count_right() -> None:
    test = part(
        (1, 0, 1, 0),
        toxic_share=(1.0, 0.0, 0.6, 0.2),
        raters=(10,) * 4,
        characters=(10, 20, 30, 40),
    )
    first, second = (0.1, 0.1, 0.9, 0.9), (0.2, 0.8, 0.8, 0.3)
    text = "\n".join(scores.errors(run((), cell("a", first), cell("b", second), test=test)))
    by_length, by_votes = text.split("By the share of raters")
    assert row(by_length, "a") == ["a", "0.0 %", "100.0 %", "100.0 %", "0.0 %"]
    assert row(by_votes, "a") == ["a", "50.0 %", "0.0 %", "100.0 %", "1"]
    assert row(by_votes, "b") == ["b", "0.0 %", "100.0 %", "100.0 %", "2"]
    assert "unanimous, n = 2" in by_votes
    assert "1 of 4 test comments are told wrong by every model, 1 of them though" in text


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("plain", 20, "plain"),
        ("two\nlines\r\x1b[31m", 40, "two\\nlines\\r\\x1b\\[31m"),
        ("\u202eturned\u2028", 40, "\\u202eturned\\u2028"),
        ("<b>&*_`", 40, "&lt;b&gt;&amp;\\*\\_\\`"),
        ("too long to show", 9, "too long…"),
        ("ab<c", 6, "ab…"),
        ("漢字漢字", 6, "漢字…"),
    ],
)
def test_comments_are_escaped_and_cut(text: str, width: int, expected: str) -> None:
    assert mistakes.cut(text, width) == expected


def saved(root: Path, split: str, test: record.Part, *cells: record.CellRecord) -> str:
    folder = root / "reports" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    made = run((), *cells, test=test)
    data = dataclasses.replace(made.data, split=split)
    record.save(dataclasses.replace(made, data=data), folder / "made.json")
    return str(root)


def test_missed_comments_are_printed_from_the_cache_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare.prepare("synthetic:1000", Protocol(test_size=20))
    comments = prepare.comments(prepared.key, "test")
    labels = tuple(int(label) for label in comments.labels)
    ids = tuple(prepare.comment_ids(comments.texts))
    shares = (*(float(label) for label in labels[:-1]), 0.6)
    test = part(labels, ids=ids, toxic_share=shares, raters=(10,) * 20)
    wrong = [float(1 - label) for label in labels]
    all_wrong, one_right = tuple(wrong), (float(labels[0]), *wrong[1:])
    right = tuple(map(float, labels))
    root = saved(
        tmp_path, prepared.key, test, cell("a", all_wrong), cell("b", one_right), cell("c", right)
    )
    assert cli.main(["report", "made", "--root", root, "--errors", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if "missed by" in line]
    assert len(shown) == 18  # not the first, which half of the others tell right, nor the last
    assert all(line.endswith("to all 10 raters, missed by 2 of 3") for line in shown)
    assert not any(line.startswith((ids[0], ids[-1])) for line in lines)
    text = lines[lines.index(shown[0]) + 1]
    assert text.startswith("  " + comments.texts[1][:5])
    report = (tmp_path / "reports" / "runs" / "made" / "README.md").read_text("utf-8")
    assert comments.texts[1][:20] not in report


@pytest.mark.parametrize(
    ("split", "share", "errors", "message"),
    [
        ("absent", 1.0, "3", "are not in this machine's cache"),
        ("absent", None, "3", "no raters' votes"),
        ("absent", 1.0, "0", "--errors is 0"),
    ],
)
def test_missed_comments_that_cannot_be_shown_are_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    split: str,
    share: float | None,
    errors: str,
    message: str,
) -> None:
    test = part((1, 1), toxic_share=(share, share), raters=(10, 10))
    root = saved(tmp_path, split, test, cell("a", (0.1, 0.1)))
    assert cli.main(["report", "made", "--root", root, "--errors", errors]) == 2
    out, error = capsys.readouterr()
    assert message in error
    assert error.count("\n") == 1
    assert not out
    assert not list(Path(root).rglob("README.md"))


# --- what is rendered


def test_the_report_has_figures_pairs_and_errors() -> None:
    text = markdown.render(three_models(), {})
    assert "nan" not in text.lower()
    section = text.split("## Quality")[1].split("By the probabilities")[0]
    probabilities, labels = drawn(300, 0.5)
    accuracy = metrics.accuracy_score(labels, np.asarray(probabilities) >= 0.5)
    assert row(section, "a")[1].startswith(f"{100 * accuracy:.1f} % (")
    apart = text.split("## Which differences")[1].split("<details>")[0]
    assert row(apart, "a") == ["a", "b", "b"]
    assert row(apart, "c") == ["c", "no other", "no other"]
    assert "How well people do is n/a" in text
    assert "By length n/a" in text
    assert "By raters' agreement n/a" in text
    assert markdown.render(three_models(), {}) == text


def test_one_rater_stands_beside_the_models() -> None:
    votes = part((1, 0, 1, 0), toxic_share=(0.8, 0.1, 1.0, None), raters=(10, 10, 10, None))
    text = "\n".join(scores.figures(run((), cell("a", (0.9, 0.1, 0.8, 0.7)), test=votes)))
    decisions, by_score = text.split("By the probabilities")
    assert row(decisions, "*one rater*")[1].startswith("90.0 % (80.0 % to 100.0 %)")
    assert row(by_score, "*one rater*")[1].startswith("0.900 (")
    assert "on the 3 of 4 that have two votes or more" in text


def test_several_seeds_are_one_row() -> None:
    labels = drawn(100, 0.5)[1]
    cells = [cell("a", drawn(100, 0.5 + seed / 5)[0], seed=seed) for seed in range(2)]
    text = markdown.render(run(labels, *cells, cell("b", drawn(100, 0.6)[0])), {})
    section = text.split("## Quality")[1].split("By the probabilities")[0]
    mean = np.mean([metrics.accuracy_score(labels, np.asarray(drawn(100, noise)[0]) >= 0.5)
                    for noise in (0.5, 0.7)])  # fmt: skip
    assert row(section, "a (2 seeds)")[1].startswith(f"{100 * mean:.1f} % (")
    assert "seed1" not in section
    assert "all pairs (1)" in text


def test_a_run_with_one_class_or_without_quality_says_so() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    text = markdown.render(run((1, 1), cell("a", (0.9, 0.1)), cell("b", (0.9, 0.9)), failed), {})
    assert "nan" not in text.lower()
    assert (
        row(text.split("By the probabilities")[1].split("How well")[0], "a")[1:3] == ["n/a [1]"] * 2
    )
    assert "[1] only one class among these comments" in text
    assert row(text.split("## At natural")[1].split("## Where")[0], "a")[4:] == ["n/a [1]"] * 3
    assert "No model has scores in this run." in markdown.render(run((1, 0), failed), {})


def test_recall_is_the_one_asked_for_and_reached_somehow() -> None:
    labels = (1, 0, 1, 0, 1, 0)
    one = cell("a", (0.9, 0.8, 0.7, 0.6, 0.5, 0.4))
    text = "\n".join(scores.natural(run(labels, one, options={"--recall": "0.5"})))
    assert "precision at recall 50 %" in text
    assert row(text, "a")[5].startswith("66.7 %")
    assert row(text, "a")[6].startswith("0.7 ")
    flat = "\n".join(scores.natural(run(labels, cell("a", (0.5,) * 6))))
    assert row(flat, "a")[5].startswith("50.0 %")
    assert "precision at recall 80 %" in flat
    assert "reached only by calling every comment toxic" in flat


def test_curves_are_drawn_where_they_mean_something(tmp_path: Path) -> None:
    three = three_models()
    drawn_of_three = pictures.draw(three, tmp_path)
    assert [drawn_of_three[title] for title in (scores.ROC, scores.RELIABILITY, scores.PRECISION_RECALL)] == [
        "roc.png", "reliability.png", "precision-recall.png",
    ]  # fmt: skip
    text = markdown.render(three, drawn_of_three)
    for title, file in drawn_of_three.items():
        assert text.count(f"![{title}]({file})") == 1
        assert (tmp_path / file).stat().st_size > 1_000
    one_class = pictures.draw(run((1, 1), cell("a", (0.9, 0.1))), tmp_path)
    assert scores.ROC not in one_class
    assert scores.PRECISION_RECALL not in one_class
    assert scores.RELIABILITY in one_class


def test_figures_of_training_do_not_matter_to_quality() -> None:
    trained = record.Training(
        measured(1, "s", "c"), record.Memory(*[unavailable("MB", "x")] * 3), "2026-01-02T03:04:05",
        {}, "a", measured(1, "MB", "c"), None, None, 1, 0.0,
    )  # fmt: skip
    one = dataclasses.replace(cell("a", (0.9, 0.1)), training=trained)
    assert scores.figures(run((1, 0), one)) == scores.figures(run((1, 0), cell("a", (0.9, 0.1))))
