"""datasets/transfer.py, reports/analysis/transfer.py, sections/transfer.py: out-of-domain comments."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import factories
from tests.rendering import render
from worthit.bench.cell import Cell
from worthit.bench.cells import work
from worthit.bench.saved import data_record, record, run_file
from worthit.datasets import prepare, transfer
from worthit.datasets.errors import DataError
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.datasets.tables.columns import Choices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.transfer import transfers
from worthit.reports.sections import transfer as section
from worthit.reports.verdict import rules

IN_DOMAIN = ("not toxic", "toxic")


def table(path: Path, header: str, rows: list[str]) -> str:
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return str(path)


def in_domain(folder: Path, **protocol: Any) -> prepare.Prepared:
    rows = [f"{'awful' if i % 2 else 'fine'} remark {i},{i % 2}" for i in range(300)]
    name = table(folder / "in_domain.csv", "comment,toxic", rows)
    return prepare.prepare(
        name, Protocol(test_size=AtMost(20), **protocol), Choices(label_column="toxic")
    )


@pytest.mark.parametrize(
    ("classes", "in_domain_classes", "places", "same_label", "warning"),
    [
        (("not toxic", "toxic"), IN_DOMAIN, (0, 1), True, ""),
        (("Toxic", "fine"), IN_DOMAIN, (1, 0), True, ""),
        (("hate", "neither", "toxic"), IN_DOMAIN, (0, 0, 1), True, "hate, neither of other.csv count as 'not toxic'"),
        (("ham", "spam"), IN_DOMAIN, (0, 1), False, "'spam' of other.csv is mapped to 'toxic'"),
        (("0", "1"), ("0", "1"), (0, 1), False, "their names|the names do not say"),
        (("b", "c", "z"), ("a", "b", "c"), (1, 2, -1), True, "z of other.csv: left out"),
        (("c", "b", "a"), ("a", "b", "c"), (2, 1, 0), True, ""),
    ],
)  # fmt: skip
def test_classes_are_matched_by_name(
    classes: tuple[str, ...], in_domain_classes: tuple[str, ...], places: tuple[int, ...], same_label: bool,
    warning: str,
) -> None:  # fmt: skip
    match = transfer.match_classes(classes, in_domain_classes, "other.csv")
    assert (match.places, match.same_label) == (places, same_label)
    assert bool(match.warning) == bool(warning)
    assert any(part in match.warning for part in warning.split("|"))


@pytest.mark.parametrize(
    ("classes", "in_domain_classes"), [(("a", "b", "c"), IN_DOMAIN), (("a", "x"), ("a", "b", "c"))]
)
def test_classes_with_nothing_in_common_are_refused(
    classes: tuple[str, ...], in_domain_classes: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match=r"--also-test other\.csv has the classes a, "):
        transfer.match_classes(classes, in_domain_classes, "other.csv")


def test_comments_that_are_in_domain_too_are_omitted_and_counted(tmp_path: Path) -> None:
    prepared = in_domain(tmp_path)
    train, test = (prepare.comments(prepared.key, part).texts for part in ("train", "test"))
    new = [f"{'bad' if i % 3 else 'good'} remark {i},{'yes' if i % 3 else 'no'}" for i in range(90)]
    known = [f"{text.upper()},yes" for text in (*train[:7], *test[:4])]
    other = table(tmp_path / "other.csv", "tweet,is_toxic", [*new, *known, *new[:5], ",yes"])
    other_set = transfer.prepare_one(other, prepared, Choices(label_column="toxic"))
    assert [step.comments for step in other_set.steps] == [107, 106, 101, 101, 94, 90, 20]
    assert other_set.same_label
    assert not other_set.warning
    selected = prepare.comments(other_set.key, "test")
    assert sum(selected.labels) == 10
    assert not {text.lower() for text in selected.texts} & {*train, *test}
    assert {
        text.split()[0]
        for text, label in zip(selected.texts, selected.labels, strict=True)
        if label
    } == {"bad"}
    again = transfer.prepare_one(other, prepared, Choices(label_column="toxic"))
    assert again == other_set


def test_a_set_of_several_labels_is_tested_on_the_positive_one(tmp_path: Path) -> None:
    mine = [
        f"{'awful' if i % 2 else 'fine'} remark {i},{'rude|old' if i % 2 else 'old'}"
        for i in range(300)
    ]
    theirs = [
        f"{'awful' if i % 2 else 'fine'} note {i},{'rude|loud' if i % 2 else 'loud'}"
        for i in range(60)
    ]
    choices = Choices(positive_label="rude")
    name = table(tmp_path / "mine.csv", "text,tags", mine)
    prepared = prepare.prepare(name, Protocol(test_size=AtMost(20)), choices)
    other = table(tmp_path / "theirs.csv", "text,tags", theirs)
    other_set = transfer.prepare_one(other, prepared, choices)
    assert other_set.mapped_to == other_set.classes == ("not rude", "rude")
    without = table(
        tmp_path / "without.csv", "text,tags", [row.replace("rude", "ill") for row in theirs]
    )
    with pytest.raises(DataError, match=r"have several labels .* or --positive-label "):
        transfer.prepare_one(without, prepared, choices)


def test_sets_keep_their_class_shares_if_the_in_domain_set_does_and_names_are_numbered(
    tmp_path: Path,
) -> None:
    prepared = in_domain(tmp_path, balance=False)
    rows = [f"remark no {i},{int(i % 5 == 0)}" for i in range(100)]
    (tmp_path / "b").mkdir()
    places = ("a.csv", "b/a.csv", "c (1).csv", "b/c (1).csv")
    others = [table(tmp_path / place, "text,toxic", rows) for place in places]
    other_sets = transfer.prepare_all([*others, others[0]], prepared)
    assert [other.name for other in other_sets] == [
        "a.csv", "a.csv (2)", "c (1).csv", "c (1).csv (2)", "a.csv (3)",
    ]  # fmt: skip
    assert other_sets[0].steps[-1].counts == (16, 4)


def test_a_set_with_one_remaining_class_is_refused(tmp_path: Path) -> None:
    prepared = in_domain(tmp_path)
    train = prepare.comments(prepared.key, "train").texts
    rows = [*(f"new remark {i},0" for i in range(9)), *(f"{text},1" for text in train[:5])]
    other = table(tmp_path / "other.csv", "text,toxic", rows)
    with pytest.raises(
        DataError, match=r"--also-test other\.csv: fewer than two classes .* 9 'not toxic'"
    ):
        transfer.prepare_one(other, prepared)


def test_a_cell_scores_the_sets_in_order(tmp_path: Path) -> None:
    prepared = in_domain(tmp_path)
    rows = [f"{'awful' if i % 2 else 'fine'} thing {i},{i % 2}" for i in range(40)]
    other_set = transfer.prepare_one(table(tmp_path / "o.csv", "text,toxic", rows), prepared)
    at_work = work.Work(
        Cell("lsa", "cpu", 0, prepared.key, {"components": 5}, also=(("o.csv", other_set.key),)),
        lambda done, total: None,
    )
    at_work.setup()
    at_work.load(at_work.train().artifact)
    (scores,) = at_work.quality().out_of_domain
    assert scores.name == "o.csv"
    labels = data_record.out_of_domain_data(other_set).part.labels
    assert len(scores.probabilities) == len(labels) == 20
    assert [p >= 0.5 for p in scores.probabilities] == [label == 1 for label in labels]


COMMENTS = 1_000
LABELS = (1, 0) * (COMMENTS // 2)


def draw_scores(correct: float) -> tuple[float, ...]:
    """Probabilities that classify this share of random comments correctly."""
    is_correct = (
        np.random.default_rng(round(1_000 * correct)).permutation(COMMENTS) < correct * COMMENTS
    )
    return tuple(np.where(is_correct == (np.asarray(LABELS) == 1), 0.9, 0.1).tolist())


def run(
    out_of_domain: dict[str, float], *, same_label: bool = True, in_domain_accuracy: float = 0.95
) -> record.Run:
    """Models with given out-of-domain accuracies; llama is the better one in-domain."""
    part = factories.part(LABELS)
    other = factories.out_of_domain(
        part, same_label=same_label, warning="" if same_label else "'spam' is mapped to 'toxic'",
        steps=(*factories.steps(("in the corpus",), 3_000),
               *factories.steps(("not in the training side",), 2_800),
               *factories.steps(("tested on",), COMMENTS)),
        notes=("text column: body",),
    )  # fmt: skip
    cells = []
    for model, accuracy in out_of_domain.items():
        scores = draw_scores(in_domain_accuracy if model == "llama" else 0.85)
        cells.append(record.CellRecord(
            model, "cpu", 0,
            setup=factories.setup(
                settings={"checkpoint": "small"}, kind="llm" if model == "llama" else "classical"
            ),
            training=factories.training(),
            throughput=factories.throughput(40.0 if model == "llama" else 3_000.0),
            quality=factories.quality(
                scores, truncated_share=0.0,
                out_of_domain=(record.OutOfDomainScores("other.csv", draw_scores(accuracy)),),
            ),
        ))  # fmt: skip
    data = factories.data(part, out_of_domain=(other,))
    return factories.run(data, *cells, options={"--budget": "accuracy=0.5"})


def decide(made: record.Run) -> rules.Verdict:
    return rules.decide(Analysis.of(made))


def test_a_drop_is_claimed_only_if_the_test_supports_it() -> None:
    drops = {
        result.cell.model: result.share_drop
        for result in transfers(run({"tfidf": 0.84, "llama": 0.7})).results
    }
    drop, no_drop = drops["llama"], drops["tfidf"]
    assert drop is not None
    assert drop.value == pytest.approx(-0.25)
    assert drop.low < -0.25 < drop.high < -0.2
    assert drop.is_significant
    assert no_drop is not None
    assert not no_drop.is_significant
    assert no_drop.low < 0 < no_drop.high


def test_the_interval_of_a_drop_is_that_of_two_independent_shares() -> None:
    (result,) = transfers(run({"llama": 0.7})).results
    assert result.share_drop is not None
    error = np.sqrt((0.95 * 0.05 + 0.7 * 0.3) / COMMENTS)
    assert result.share_drop.high - result.share_drop.low == pytest.approx(
        2 * 1.96 * error, rel=0.1
    )


def test_a_few_comments_show_no_drop_even_if_no_resample_differs() -> None:
    labels = (1, 0) * 2
    all_wrong = record.OutOfDomainScores("other.csv", factories.scores(labels, range(4)))
    quality = factories.quality(factories.scores(labels), out_of_domain=(all_wrong,))
    part = factories.part(labels)
    data = factories.data(part, out_of_domain=(factories.out_of_domain(part),))
    made = factories.run(data, record.CellRecord("tfidf", "cpu", 0, quality=quality))
    (result,) = transfers(made).results
    for drop in (result.share_drop, result.auc_drop):
        assert drop is not None
        assert (drop.value, drop.low) == (-1.0, -1.0)
        assert drop.high > 0
        assert not drop.is_significant


@pytest.mark.parametrize(("comments", "beats"), [(4, False), (40, True)])
def test_a_few_correct_answers_do_not_show_that_a_model_beats_guessing(
    comments: int, beats: bool
) -> None:
    labels = (1, 0) * (comments // 2)
    scores = factories.scores(labels)
    own = record.OutOfDomainScores("other.csv", scores)
    part = factories.part(labels)
    data = factories.data(part, out_of_domain=(factories.out_of_domain(part),))
    cell = record.CellRecord(
        "tfidf", "cpu", 0, quality=factories.quality(scores, out_of_domain=(own,))
    )
    (result,) = transfers(factories.run(data, cell)).results
    assert result.beats_guessing == beats


def test_the_section_has_sets_models_and_warnings() -> None:
    made = run({"tfidf": 0.84, "llama": 0.7}, same_label=False)
    text = "\n\n".join(section.section(Analysis.of(made)))
    assert text.split("\n\n")[1].startswith("On other.csv, the accuracy of 1 of 2 models differs")
    assert "in points: llama -25.0." in text
    assert "### other.csv" in text
    assert "comments, 500 of them toxic" in text
    assert "200 omitted by the step 'not in the training side'; drawn from 2,800" in text
    assert "Guessing gives 50.0 %" in text
    assert "**Warning: 'spam' is mapped to 'toxic'.**" in text
    assert "-25.0 (" in text
    assert "**< 0.001**" in text
    assert "in 1 of 1 pair: tfidf over llama by 14.0 points" in text


def test_the_section_says_that_no_model_differs_or_was_scored() -> None:
    made = run({"tfidf": 0.85})
    assert "no model's accuracy differs significantly" in section.section(Analysis.of(made))[1]
    unscored = dataclasses.replace(made, cells=())
    assert section.section(Analysis.of(unscored))[1].startswith("No model has scores")


def test_a_report_without_out_of_domain_sets_has_no_such_section() -> None:
    made = run({"tfidf": 0.8, "llama": 0.7})
    assert section.HEADING in render(made)
    alone = dataclasses.replace(made, data=dataclasses.replace(made.data, out_of_domain=()))
    assert section.HEADING not in render(alone)


def test_the_verdict_names_a_set_on_which_the_llm_only_guesses() -> None:
    verdict = decide(run({"tfidf": 0.7, "llama": 0.5}))
    assert verdict.answer == "practical if"
    assert "other.csv" in verdict.headline
    reasons = " ".join(verdict.reasons)
    assert "llama has an accuracy of 50.0 % (-45.0 points), tfidf 70.0 %" in reasons
    assert "in accuracy, a difference of -20.0 (-24.2 to -15.8) points" in reasons


def test_the_verdict_says_where_a_difference_out_of_domain_is_of_means_over_seeds() -> None:
    made = run({"llama": 0.5, "tfidf": 0.7})
    assert "over all seeds" not in " ".join(decide(made).reasons)
    later = tuple(dataclasses.replace(cell, seed=1) for cell in made.cells)
    reasons = " ".join(decide(dataclasses.replace(made, cells=(*made.cells, *later))).reasons)
    assert "in accuracy over all seeds" in reasons


def test_the_verdict_stays_if_the_llm_transfers() -> None:
    verdict = decide(run({"tfidf": 0.6, "llama": 0.8}))
    assert verdict.answer == "practical"
    assert any("a difference of +20.0 (" in reason for reason in verdict.reasons)
    assert (
        decide(run({"tfidf": 0.6, "llama": 1.0})).answer == "practical"
    )  # no resample has an error


def test_the_verdict_ignores_sets_with_other_labels() -> None:
    verdict = decide(run({"tfidf": 0.5, "llama": 0.5}, same_label=False))
    assert verdict.answer == "practical"
    assert not any("other.csv" in reason for reason in verdict.reasons)


def test_out_of_domain_sets_are_saved_with_their_run(tmp_path: Path) -> None:
    run_file.save(run({"llama": 0.7}), tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == run({"llama": 0.7})
