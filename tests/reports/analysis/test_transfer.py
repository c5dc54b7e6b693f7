"""datasets/transfer.py, reports/analysis/transfer.py: tested elsewhere, on comments that were nowhere at home."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import factories
from worthit.bench.cell import Cell
from worthit.bench.cells import work
from worthit.bench.saved import data_record, record, run_file
from worthit.datasets import prepare, transfer
from worthit.datasets.errors import DataError
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.datasets.tables.columns import Choices
from worthit.reports.analysis import cascade
from worthit.reports.analysis import transfer as report
from worthit.reports.analysis.paired_tests import pairs
from worthit.reports.sections import report as markdown
from worthit.reports.verdict import rules

HOME = ("not toxic", "toxic")


def table(path: Path, header: str, rows: list[str]) -> str:
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return str(path)


def home(folder: Path, **protocol: Any) -> prepare.Prepared:
    rows = [f"{'awful' if i % 2 else 'fine'} remark {i},{i % 2}" for i in range(300)]
    name = table(folder / "home.csv", "comment,toxic", rows)
    return prepare.prepare(
        name, Protocol(test_size=AtMost(20), **protocol), Choices(label_column="toxic")
    )


@pytest.mark.parametrize(
    ("classes", "at_home", "places", "same_label", "warning"),
    [
        (("not toxic", "toxic"), HOME, (0, 1), True, ""),
        (("Toxic", "fine"), HOME, (1, 0), True, ""),
        (("hate", "neither", "toxic"), HOME, (0, 0, 1), True, "hate, neither of other.csv count as 'not toxic'"),
        (("ham", "spam"), HOME, (0, 1), False, "'spam' of other.csv is mapped to 'toxic'"),
        (("0", "1"), ("0", "1"), (0, 1), False, "their names|the names do not say"),
        (("b", "c", "z"), ("a", "b", "c"), (1, 2, -1), True, "z of other.csv: left out"),
        (("c", "b", "a"), ("a", "b", "c"), (2, 1, 0), True, ""),
    ],
)  # fmt: skip
def test_classes_are_matched_by_name(
    classes: tuple[str, ...], at_home: tuple[str, ...], places: tuple[int, ...], same_label: bool,
    warning: str,
) -> None:  # fmt: skip
    found = transfer.match_classes(classes, at_home, "other.csv")
    assert (found.places, found.same_label) == (places, same_label)
    assert bool(found.warning) == bool(warning)
    assert any(part in found.warning for part in warning.split("|"))


@pytest.mark.parametrize(
    ("classes", "at_home"), [(("a", "b", "c"), HOME), (("a", "x"), ("a", "b", "c"))]
)
def test_classes_with_nothing_in_common_are_refused(
    classes: tuple[str, ...], at_home: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match=r"--also-test other\.csv has the classes a, "):
        transfer.match_classes(classes, at_home, "other.csv")


def test_comments_that_are_at_home_too_are_left_out_and_counted(tmp_path: Path) -> None:
    at_home = home(tmp_path)
    train, test = (prepare.comments(at_home.key, part).texts for part in ("train", "test"))
    new = [f"{'bad' if i % 3 else 'good'} remark {i},{'yes' if i % 3 else 'no'}" for i in range(90)]
    known = [f"{text.upper()},yes" for text in (*train[:7], *test[:4])]
    other = table(tmp_path / "other.csv", "tweet,is_toxic", [*new, *known, *new[:5], ",yes"])
    found = transfer.prepare_one(other, at_home, Choices(label_column="toxic"))
    assert [step.comments for step in found.steps] == [107, 106, 101, 101, 94, 90, 20]
    assert found.same_label
    assert not found.warning
    chosen = prepare.comments(found.key, "test")
    assert sum(chosen.labels) == 10
    assert not {text.lower() for text in chosen.texts} & {*train, *test}
    assert {
        text.split()[0] for text, label in zip(chosen.texts, chosen.labels, strict=True) if label
    } == {"bad"}
    again = transfer.prepare_one(other, at_home, Choices(label_column="toxic"))
    assert again == found


def test_sets_keep_their_shares_where_home_does_and_names_are_numbered(tmp_path: Path) -> None:
    at_home = home(tmp_path, balance=False)
    rows = [f"remark no {i},{int(i % 5 == 0)}" for i in range(100)]
    (tmp_path / "b").mkdir()
    places = ("a.csv", "b/a.csv", "c (1).csv", "b/c (1).csv")
    others = [table(tmp_path / place, "text,toxic", rows) for place in places]
    found = transfer.prepare_all([*others, others[0]], at_home)
    assert [other.name for other in found] == [
        "a.csv", "a.csv (2)", "c (1).csv", "c (1).csv (2)", "a.csv (3)",
    ]  # fmt: skip
    assert found[0].steps[-1].counts == (16, 4)


def test_a_set_of_which_one_class_is_left_is_refused(tmp_path: Path) -> None:
    at_home = home(tmp_path)
    train = prepare.comments(at_home.key, "train").texts
    rows = [*(f"new remark {i},0" for i in range(9)), *(f"{text},1" for text in train[:5])]
    other = table(tmp_path / "other.csv", "text,toxic", rows)
    with pytest.raises(
        DataError, match=r"--also-test other\.csv: fewer than two classes .* 9 'not toxic'"
    ):
        transfer.prepare_one(other, at_home)


def test_a_cell_scores_the_sets_in_order(tmp_path: Path) -> None:
    at_home = home(tmp_path)
    rows = [f"{'awful' if i % 2 else 'fine'} thing {i},{i % 2}" for i in range(40)]
    found = transfer.prepare_one(table(tmp_path / "o.csv", "text,toxic", rows), at_home)
    at_work = work.Work(
        Cell("lsa", "cpu", 0, at_home.key, {"components": 5}, also=(("o.csv", found.key),)),
        lambda done, total: None,
    )
    at_work.setup()
    at_work.load(at_work.train().artifact)
    (scores,) = at_work.quality().out_of_domain
    assert scores.name == "o.csv"
    labels = data_record.out_of_domain_data(found).part.labels
    assert len(scores.probabilities) == len(labels) == 20
    assert [p >= 0.5 for p in scores.probabilities] == [label == 1 for label in labels]


COMMENTS = 1_000
LABELS = (1, 0) * (COMMENTS // 2)


def told(right: float) -> tuple[float, ...]:
    """Probabilities that tell this share of the comments right, whichever of them."""
    is_right = np.random.default_rng(round(1_000 * right)).permutation(COMMENTS) < right * COMMENTS
    return tuple(np.where(is_right == (np.asarray(LABELS) == 1), 0.9, 0.1).tolist())


def run(
    elsewhere: dict[str, float], *, same_label: bool = True, at_home: float = 0.95
) -> record.Run:
    """Models by how much they tell right elsewhere; at home llama is the better one."""
    part = factories.part(LABELS)
    other = factories.out_of_domain(
        part, same_label=same_label, warning="" if same_label else "'spam' is mapped to 'toxic'",
        steps=(*factories.steps(("in the corpus",), 3_000),
               *factories.steps(("not in the training side",), 2_800),
               *factories.steps(("tested on",), COMMENTS)),
        notes=("text column: body",),
    )  # fmt: skip
    data = factories.data(part, out_of_domain=(other,))
    cells = []
    for model, right in elsewhere.items():
        home_right = at_home if model == "llama" else 0.85
        scores = told(home_right)
        cells.append(record.CellRecord(
            model, "cpu", 0,
            setup=factories.setup(
                settings={"checkpoint": "small"}, kind="llm" if model == "llama" else "classical"
            ),
            training=factories.training(),
            throughput=factories.throughput(40.0 if model == "llama" else 3_000.0),
            quality=factories.quality(
                scores, truncated_share=0.0,
                out_of_domain=(record.OutOfDomainScores("other.csv", told(right)),),
            ),
        ))  # fmt: skip
    return factories.run(data, *cells, options={"--budget": "accuracy=0.5"})


def judged(found: record.Run) -> rules.Verdict:
    return rules.verdict(found, pairs(found), cascade.chosen(found))


def test_a_fall_is_claimed_where_the_test_supports_it_and_only_there() -> None:
    found = {one.cell.model: one for one in report.transfers(run({"tfidf": 0.84, "llama": 0.7}))}
    fall = found["llama"].share_drop
    assert fall is not None
    assert fall.difference == pytest.approx(-0.25)
    assert fall.low < -0.25 < fall.high < -0.2
    assert fall.is_shown
    stays = found["tfidf"].share_drop
    assert stays is not None
    assert not stays.is_shown
    assert stays.low < 0 < stays.high


def test_the_interval_of_a_drop_is_that_of_two_independent_shares() -> None:
    (one,) = report.transfers(run({"llama": 0.7}))
    assert one.share_drop is not None
    error = np.sqrt((0.95 * 0.05 + 0.7 * 0.3) / COMMENTS)
    assert one.share_drop.high - one.share_drop.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_section_shows_sets_models_and_warnings() -> None:
    text = "\n".join(report.section(run({"tfidf": 0.84, "llama": 0.7}, same_label=False)))
    assert "### other.csv" in text
    assert "1,000 comments, 500 of them toxic" in text
    assert "200 left out by 'not in the training side'; drawn from 2,800" in text
    assert "**Warning: 'spam' is mapped to 'toxic'.**" in text
    assert "-25.0 (" in text
    assert "**< 0.001**" in text
    assert "tfidf over llama by 14.0 points" in text
    assert report.section(dataclasses.replace(run({"llama": 0.7}), cells=()))[1].startswith(
        "No model"
    )


def test_a_report_without_other_sets_has_no_such_section() -> None:
    found = run({"tfidf": 0.8, "llama": 0.7})
    assert report.HEADING in markdown.render(found, {})
    alone = dataclasses.replace(found, data=dataclasses.replace(found.data, out_of_domain=()))
    assert report.HEADING not in markdown.render(alone, {})


def test_the_verdict_names_a_set_on_which_the_llm_only_guesses() -> None:
    found = judged(run({"tfidf": 0.7, "llama": 0.5}))
    assert found.answer == "practical if"
    assert "on other.csv it is not shown to beat guessing" in found.headline
    said = " ".join(found.reasons)
    assert "the accuracy of llama is 50.0 % (-45.0 points), of tfidf 70.0 %" in said
    assert "the paired test of accuracy supports that tfidf is better" in said


def test_the_verdict_stays_where_the_llm_carries_over_or_the_label_is_another() -> None:
    carried = judged(run({"tfidf": 0.6, "llama": 0.8}))
    assert carried.answer == "practical"
    assert any(
        "the paired test of accuracy supports that llama is better" in reason
        for reason in carried.reasons
    )
    assert judged(run({"tfidf": 0.6, "llama": 1.0})).answer == "practical"  # no resample errs
    another = judged(run({"tfidf": 0.5, "llama": 0.5}, same_label=False))
    assert another.answer == "practical"
    assert not any("other.csv" in reason for reason in another.reasons)


def test_a_run_with_other_sets_comes_back(tmp_path: Path) -> None:
    run_file.save(run({"llama": 0.7}), tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == run({"llama": 0.7})
